"""The command lines of the control plane's components."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testbed.binaries import Program
from testbed.pki import KeyPair

ADDRESS = "127.0.0.1"
_SERVICE_NETWORK = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
"""The first address of the service network: the `kubernetes` Service's."""


@dataclass(frozen=True)
class Ports:
    """Loopback ports of one control plane."""

    etcd: int
    etcd_peer: int
    api_server: int


@dataclass(frozen=True)
class Credentials:
    """Keys, certificates and kubeconfigs that the components use."""

    ca: KeyPair
    server: KeyPair
    kubelet_client: KeyPair
    front_proxy_ca: Path
    front_proxy: KeyPair
    service_account_key: Path
    controller_manager: Path
    scheduler: Path


def etcd(programs: Mapping[str, Program], ports: Ports, directory: Path) -> list[str]:
    """Give etcd's command line. Nothing is synced to disk: the store is thrown away."""
    client, peer = f"http://{ADDRESS}:{ports.etcd}", f"http://{ADDRESS}:{ports.etcd_peer}"
    return [
        str(programs["etcd"].path),
        "--name=testbed",
        f"--data-dir={directory / 'etcd'}",
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=testbed={peer}",
    ]


def api_server(
    programs: Mapping[str, Program],
    address: str,
    ports: Ports,
    credentials: Credentials,
    *,
    fast_eviction: bool,
) -> list[str]:
    """Give the API server's command line.

    With fast eviction, pods leave a lost node after 5 s instead of 300 s.
    """
    argv = [
        str(programs["kube-apiserver"].path),
        f"--etcd-servers=http://{ADDRESS}:{ports.etcd}",
        f"--bind-address={address}",
        f"--advertise-address={address}",
        f"--secure-port={ports.api_server}",
        f"--tls-cert-file={credentials.server.certificate}",
        f"--tls-private-key-file={credentials.server.key}",
        f"--client-ca-file={credentials.ca.certificate}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={credentials.service_account_key}",
        f"--service-account-signing-key-file={credentials.service_account_key}",
        f"--service-cluster-ip-range={_SERVICE_NETWORK}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--kubelet-client-certificate={credentials.kubelet_client.certificate}",
        f"--kubelet-client-key={credentials.kubelet_client.key}",
        "--kubelet-preferred-address-types=InternalIP,Hostname",
        f"--requestheader-client-ca-file={credentials.front_proxy_ca}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={credentials.front_proxy.certificate}",
        f"--proxy-client-key-file={credentials.front_proxy.key}",
        "--enable-aggregator-routing=true",
    ]
    if fast_eviction:
        argv += [
            "--default-not-ready-toleration-seconds=5",
            "--default-unreachable-toleration-seconds=5",
        ]
    return argv


def controller_manager(
    programs: Mapping[str, Program], credentials: Credentials, *, fast_node_loss: bool
) -> list[str]:
    """Give the controller manager's command line.

    With fast node loss, a silent node is NotReady after 8 s instead of 50 s.
    """
    argv = [
        str(programs["kube-controller-manager"].path),
        *_client_of_api_server(credentials.controller_manager),
        f"--service-account-private-key-file={credentials.service_account_key}",
        f"--root-ca-file={credentials.ca.certificate}",
        f"--cluster-signing-cert-file={credentials.ca.certificate}",
        f"--cluster-signing-key-file={credentials.ca.key}",
        "--use-service-account-credentials=true",
        "--allocate-node-cidrs=false",
        # At the default rate the start takes twice as long.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]
    if fast_node_loss:
        argv += ["--node-monitor-grace-period=8s", "--node-monitor-period=1s"]
    return argv


def scheduler(programs: Mapping[str, Program], credentials: Credentials) -> list[str]:
    """Give the scheduler's command line."""
    return [
        str(programs["kube-scheduler"].path),
        *_client_of_api_server(credentials.scheduler),
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]


def _client_of_api_server(kubeconfig: Path) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        # Nothing is served: several run side by side.
        "--secure-port=0",
    ]
