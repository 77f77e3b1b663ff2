"""The live cluster for people: a snapshot, read as whoever KUBECONFIG names; nothing is written."""

import asyncio
import os
from pathlib import Path

from kubernetes.aio import config

from fin.api.names import DEFAULT_NAMESPACE
from fin.cluster.snapshot import Snapshot
from fin.controller.connection import load_configuration
from fin.controller.kube import Kube
from fin.controller.snapshots import take_snapshot


def view() -> Snapshot:
    """Read what a round of the operator reads.

    Raises
    ------
    NoClusterError
        There is no cluster to talk to.
    ApiError
        The API server does not answer, or refuses.
    UnknownKindError
        The CRDs are not installed.
    """
    return asyncio.run(_view())


async def _view() -> Snapshot:
    async with Kube(await load_configuration(), lambda *_: None) as kube:
        return await take_snapshot(kube)


def current_namespace() -> str:
    """Return the namespace of the kubeconfig's current context."""
    path = os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
    try:
        _, active = config.list_kube_config_contexts(path)
    except (config.ConfigException, OSError):
        return DEFAULT_NAMESPACE
    return str(active["context"].get("namespace") or DEFAULT_NAMESPACE)
