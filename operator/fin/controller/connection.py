"""Which API server, and as whom: for our own requests and for kopf's watches."""

import os
from pathlib import Path

import kopf
from kubernetes.aio import config
from kubernetes.aio.client import Configuration


class NoClusterError(Exception):
    """There is no cluster to talk to; the message says where one was looked for."""


async def load_configuration() -> Configuration:
    """Find the cluster: $KUBECONFIG, else the pod's service account, else ~/.kube/config.

    Raises
    ------
    NoClusterError
        Where there is none, or what is there can't be read.
    """
    configuration = Configuration()
    path = os.environ.get("KUBECONFIG")
    try:
        if not path and "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(configuration)
        else:
            path = path or str(Path("~/.kube/config").expanduser())
            await config.load_kube_config(path, client_configuration=configuration)
    except (config.ConfigException, OSError, ValueError) as error:
        where = f"kubeconfig {path}" if path else "the pod's service account"
        raise NoClusterError(
            f"no cluster: {where}: {error}; set KUBECONFIG to the file that names the cluster"
        ) from error
    return configuration


async def connection_info(configuration: Configuration) -> kopf.ConnectionInfo:
    """Tell kopf what ``configuration`` says, with a token as fresh as it can be."""
    header = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    scheme, _, token = (header or "").rpartition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        proxy_url=configuration.proxy,
    )
