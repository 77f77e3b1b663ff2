"""Nodes whose kubelets kwok plays: made, failed and brought back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from kubernetes.client import CoreV1Api, V1Node, V1NodeAddress, V1NodeStatus, V1ObjectMeta

from testbed.admission import PodAnnotator
from testbed.process import wait_for

ANNOTATION_READY = "testbed.finoperator.io/ready"
"""Annotation of a pod: `"false"` keeps it from being ready for as long as it is there."""
ANNOTATION_READY_AFTER = "testbed.finoperator.io/ready-after"
"""Annotation of a pod: how long it runs before it is ready, such as `5s`."""
ANNOTATION_STOP_AFTER = "testbed.finoperator.io/stop-after"
"""Annotation of a pod: how long it takes to end once it is deleted, such as `5s`."""

_LABEL_KUBELET = "testbed.finoperator.io/kubelet"
_STAGES = Path(__file__).with_name("stages.yaml")


def command(program: Path, kubeconfig: Path, *, fast_node_loss: bool) -> list[str]:
    """Give kwok's command line. Leases must be renewed well within the grace period of nodes."""
    return [
        str(program),
        f"--kubeconfig={kubeconfig}",
        f"--config={_STAGES}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-label-selector={_LABEL_KUBELET}=kwok",
        f"--node-lease-duration-seconds={8 if fast_node_loss else 40}",
        "--cidr=198.18.0.0/16",  # RFC 2544: no network has these, and the operator asks there
        "--node-ip=127.0.0.1",
        "--node-port=0",
        "--v=WARN",
    ]


class Kwok:
    """The nodes of a control plane.

    Parameters
    ----------
    core
        Client with the rights to create and patch nodes.
    """

    def __init__(self, core: CoreV1Api) -> None:
        self._core = core

    def create_node(
        self,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        cpu: str = "4",
        memory: str = "8Gi",
        pods: int = 110,
        allocatable: Mapping[str, str] | None = None,
    ) -> None:
        """Create a node, which is Ready a moment later.

        Parameters
        ----------
        name
            The node's name, also in its `kubernetes.io/hostname` label.
        labels
            Further labels.
        cpu, memory, pods
            The node's capacity: quantities as Kubernetes has them, and how many pods fit.
        allocatable
            Where it is less than the capacity: `cpu`, `memory` or `pods`.

        Raises
        ------
        kubernetes.client.ApiException
            The API server refused it.
        """
        capacity = {"cpu": cpu, "memory": memory, "pods": str(pods)}
        built_in = {
            _LABEL_KUBELET: "kwok",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
        }
        status = V1NodeStatus(
            capacity=capacity,
            allocatable={**capacity, **(allocatable or {})},
            addresses=[
                V1NodeAddress(type="InternalIP", address="127.0.0.1"),
                V1NodeAddress(type="Hostname", address=name),
            ],
        )
        metadata = V1ObjectMeta(name=name, labels={**built_in, **(labels or {})})
        self._core.create_node(V1Node(metadata=metadata, status=status))

    def fail_node(self, name: str) -> None:
        """Silence a node's kubelet: it is NotReady after the grace period, 8 s or 50 s."""
        self._set_kubelet(name, None)

    def restore_node(self, name: str) -> None:
        """Bring a failed node's kubelet back: the node is Ready a moment later."""
        self._set_kubelet(name, "kwok")

    def is_ready(self, name: str) -> bool:
        """Tell whether a node's Ready condition is true."""
        status = self._core.read_node(name).status
        conditions = (status and status.conditions) or ()
        return any(one.type == "Ready" and one.status == "True" for one in conditions)

    def wait_until_ready(self, *names: str, timeout: float = 60) -> None:
        """Wait until nodes are Ready.

        Raises
        ------
        TestbedTimeoutError
            One was not in time.
        """
        for name in names:
            wait_for(partial(self.is_ready, name), timeout, f"node {name} to be Ready")

    def wait_until_lost(self, *names: str, timeout: float = 60) -> None:
        """Wait until nodes are not Ready; the error is that of `wait_until_ready`."""
        for name in names:
            wait_for(partial(self._is_lost, name), timeout, f"node {name} to be NotReady")

    @contextmanager
    def annotate_new_pods(
        self, annotations: Mapping[str, str], *, namespace: str, node: str | None = None
    ) -> Iterator[None]:
        """Put annotations on every pod that is created while the context lasts.

        With one of those above, pods that a controller makes become ready slowly, or never.

        Parameters
        ----------
        annotations
            What to put on.
        namespace
            Only pods of this namespace.
        node
            Only pods that a required node affinity on `metadata.name` pins to this node.

        Raises
        ------
        TestbedTimeoutError
            The API server does not do it, though asked to.
        """
        with PodAnnotator(self._core, annotations, namespace, node):
            yield

    def _is_lost(self, name: str) -> bool:
        return not self.is_ready(name)

    def _set_kubelet(self, name: str, value: str | None) -> None:
        patch: dict[str, Any] = {"metadata": {"labels": {_LABEL_KUBELET: value}}}
        self._core.patch_node(name, patch)
