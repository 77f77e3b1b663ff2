"""Which events matter: those that change a value that planning uses; heartbeats don't."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from fin.api.names import ANNOTATION_HOLD, LABEL_FLOPS, LABEL_GFLOPS_PER_WATT, LABEL_TIER
from fin.cluster import reading
from fin.cluster.answering import address, is_ready
from fin.cluster.capacity import is_segment, pod_requests
from fin.controller import kinds
from fin.controller.kinds import Kind
from fin.controller.selectors import is_ours

Object = Mapping[str, Any]


class Changes:
    """Remembers of every object a digest of what planning uses of it."""

    def __init__(self) -> None:
        self._digests: dict[tuple[str, str], int] = {}

    def matters(self, kind: Kind, event: str | None, obj: Object) -> bool:
        """Whether a watch event changes anything; ``event`` is None for an object of a list.

        A listed object always matters: kopf lists anew when a watch has expired, and reports
        no deletion then. (Only what was deleted in between stays here as a ghost, harmless.)
        """
        key = kind.name, reading.uid(obj)
        if event == "DELETED":
            self._digests.pop(key, None)
            return True
        digest = _digest(kind, obj)
        known = self._digests.get(key)
        self._digests[key] = digest
        return event is None or digest != known


def _digest(kind: Kind, obj: Object) -> int:
    used = _USED[kind.name](obj)
    going = reading.being_deleted(obj)
    return hash(orjson.dumps((used, going), default=str, option=orjson.OPT_SORT_KEYS))


def _of_node(node: Object) -> object:
    labels = reading.labels(node)
    status = reading.mapping(node, "status")
    conditions = reading.mappings(status, "conditions")
    offered = [reading.mapping(status, key) for key in ("allocatable", "capacity")]
    return (
        [labels.get(label) for label in (LABEL_TIER, LABEL_FLOPS, LABEL_GFLOPS_PER_WATT)],
        reading.at(node, "spec", "unschedulable"),
        reading.at(node, "spec", "taints"),
        [each.get(resource) for each in offered for resource in ("cpu", "memory", "pods")],
        [each.get("status") for each in conditions if each.get("type") == "Ready"],
    )


def _of_pod(pod: Object) -> object:
    requests = pod_requests(pod)
    return (
        reading.text(pod, "spec", "nodeName"),
        reading.text(pod, "status", "phase") in ("Succeeded", "Failed"),
        is_segment(pod),
        is_segment(pod) and (address(pod), is_ready(pod)),
        str(requests.cpu),
        str(requests.memory),
    )


def _of_resource(obj: Object) -> object:
    annotations = reading.mapping(obj, "metadata", "annotations")
    return obj.get("spec"), annotations.get(ANNOTATION_HOLD)


def _of_deployment(deployment: Object) -> object:
    if not is_ours(deployment):
        return None  # that it is there may matter (its name is taken), what is in it doesn't
    status = reading.mapping(deployment, "status")
    return (
        _written(deployment),
        [status.get(key) for key in ("observedGeneration", "readyReplicas", "availableReplicas")],
    )


def _of_owned(obj: Object) -> object:
    return _written(obj) if is_ours(obj) else None


def _written(obj: Object) -> object:
    """What the operator writes of an object: all but status and what the API server adds."""
    metadata = reading.mapping(obj, "metadata")
    body = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    return (
        body,
        [metadata.get(key) for key in ("labels", "annotations", "ownerReferences")],
    )


def _of_endpoint_slice(obj: Object) -> object:
    return obj.get("endpoints"), obj.get("ports"), reading.labels(obj)


_USED: Final[Mapping[str, Callable[[Object], object]]] = {
    kinds.NODE.name: _of_node,
    kinds.POD.name: _of_pod,
    kinds.TOPOLOGY.name: _of_resource,
    kinds.MODEL.name: _of_resource,
    kinds.APP.name: _of_resource,
    kinds.DEPLOYMENT.name: _of_deployment,
    kinds.SERVICE.name: _of_owned,
    kinds.CONFIG_MAP.name: _of_owned,
    kinds.BUDGET.name: _of_owned,
    kinds.ENDPOINT_SLICE.name: _of_endpoint_slice,
}
