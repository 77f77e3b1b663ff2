"""What a node offers to inference: its allocatable resources less what pods request.

Requests are counted as the scheduler counts them (Kubernetes 1.36, with in-place resizing),
in exact numbers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor

from fin.api.names import LABEL_SEGMENT
from fin.api.quantity import Quantity
from fin.cluster import reading
from fin.cluster.snapshot import Object

SEGMENT_CONTAINER = "segment"
"""The container of a segment's pod that the plan reserves for."""

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "fin-operator"


@dataclass(frozen=True, slots=True)
class Amount:
    """CPU in cores and memory in bytes."""

    cpu: Fraction = Fraction(0)
    memory: Fraction = Fraction(0)

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.cpu + other.cpu, self.memory + other.memory)

    def __sub__(self, other: "Amount") -> "Amount":
        """Take away ``other``, not below 0."""
        return Amount(
            max(self.cpu - other.cpu, Fraction(0)), max(self.memory - other.memory, Fraction(0))
        )

    def __or__(self, other: "Amount") -> "Amount":
        """Return the greater of each."""
        return Amount(max(self.cpu, other.cpu), max(self.memory, other.memory))


NOTHING = Amount()


@dataclass(frozen=True, slots=True)
class Room:
    """Whole millicores, bytes and pods."""

    millicores: int = 0
    memory: int = 0
    pods: int = 0

    def __add__(self, other: "Room") -> "Room":
        return Room(
            self.millicores + other.millicores,
            self.memory + other.memory,
            self.pods + other.pods,
        )

    def less(self, other: "Room") -> "Room":
        """Take away ``other``, not below 0."""
        return Room(
            max(self.millicores - other.millicores, 0),
            max(self.memory - other.memory, 0),
            max(self.pods - other.pods, 0),
        )


@dataclass(frozen=True, slots=True)
class Demand:
    """What the pods bound to a node take: all of them, and those that are not the operator's."""

    total: Room = Room()
    foreign: Room = Room()


def demands(pods: Iterable[Object]) -> dict[str, Demand]:
    """Add up, by node, what bound pods take that have neither succeeded nor failed."""
    found: dict[str, Demand] = {}
    for pod in pods:
        node = reading.text(pod, "spec", "nodeName")
        if not node or reading.text(pod, "status", "phase") in ("Succeeded", "Failed"):
            continue
        requests, foreign = pod_requests(pod), Room()
        if not is_segment(pod):
            foreign = _room(requests, 1)
        elif (beyond := requests - _segment_requests(pod)) != NOTHING:
            foreign = _room(beyond, 0)
        before = found.get(node, Demand())
        found[node] = Demand(before.total + _room(requests, 1), before.foreign + foreign)
    return found


def is_segment(obj: Object) -> bool:
    """Whether the object (a pod, a Deployment) is a segment, as the operator labels them."""
    labels = reading.labels(obj)
    return labels.get(LABEL_MANAGED_BY) == MANAGED_BY and LABEL_SEGMENT in labels


def pod_requests(pod: Object) -> Amount:
    """What the scheduler holds back for a pod.

    Init containers run one after another, before the others but beside the sidecars (init
    containers with restartPolicy Always) that were started before them. Requests of the pod
    as a whole replace the sum over its containers. A container that is being resized counts
    with the most of what was asked, granted and set. Overhead comes on top.
    """
    states = _container_states(pod)
    running, sidecars, starting = NOTHING, NOTHING, NOTHING
    for container in reading.mappings(pod, "spec", "containers"):
        running += _effective(pod, _requests(container), states.get(_name(container)))
    for container in reading.mappings(pod, "spec", "initContainers"):
        requests = _requests(container)
        if container.get("restartPolicy") == "Always":
            requests = _effective(pod, requests, states.get(_name(container)))
            running += requests
            sidecars += requests
            starting |= sidecars
        else:
            starting |= sidecars + requests
    counted = _pod_level(pod, running | starting)
    return counted + _amount(reading.mapping(pod, "spec", "overhead"))


def allocatable(node: Object) -> Mapping[str, Fraction | None]:
    """What a node offers to pods: ``cpu``, ``memory`` and ``pods``, None what can't be read.

    As on the API server, a node that tells no allocatable resources offers its capacity.
    """
    status = reading.mapping(node, "status")
    offered = reading.mapping(status, "allocatable") or reading.mapping(status, "capacity")
    return {resource: quantity(offered.get(resource)) for resource in ("cpu", "memory", "pods")}


def room(offered: Mapping[str, Fraction | None]) -> Room:
    """Round what a node offers down to whole millicores, bytes and pods."""
    cpu, memory, pods = (offered[resource] or 0 for resource in ("cpu", "memory", "pods"))
    return Room(floor(cpu * 1000), floor(memory), floor(pods))


def quantity(value: object) -> Fraction | None:
    """Read a quantity as core objects have it: a number or a string; None where it is neither."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return _quantity(value)


@lru_cache(maxsize=4096)
def _quantity(written: str | float) -> Fraction | None:
    try:
        return Quantity.parse(str(written)).value
    except ValueError:
        return None


def _amount(resources: Mapping[str, object]) -> Amount:
    return Amount(
        quantity(resources.get("cpu")) or Fraction(0),
        quantity(resources.get("memory")) or Fraction(0),
    )


def _room(amount: Amount, pods: int) -> Room:
    """Round up, pod by pod, as the scheduler does."""
    return Room(ceil(amount.cpu * 1000), ceil(amount.memory), pods)


def _requests(container: Object) -> Amount:
    """Requests of a container; the API server fills in missing ones from the limits."""
    limits = reading.mapping(container, "resources", "limits")
    return _amount({**limits, **reading.mapping(container, "resources", "requests")})


def _pod_level(pod: Object, containers: Amount) -> Amount:
    """Requests of the pod as a whole, where it has them, else those of its containers.

    With limits of the pod alone, the API server takes the containers' requests, if there are
    any, else the limits.
    """
    resources = reading.mapping(pod, "spec", "resources")
    requests, limits = (reading.mapping(resources, key) for key in ("requests", "limits"))
    if not requests and not limits:
        return containers
    whole = _amount(requests)
    status = reading.mapping(pod, "status")
    if "resources" in status:
        whole = _effective(pod, whole, status)
    most = _amount(limits)
    return Amount(
        whole.cpu if "cpu" in requests else containers.cpu or most.cpu,
        whole.memory if "memory" in requests else containers.memory or most.memory,
    )


def _container_states(pod: Object) -> dict[str, Object]:
    return {
        _name(state): state
        for key in ("containerStatuses", "initContainerStatuses")
        for state in reading.mappings(pod, "status", key)
    }


def _effective(pod: Object, asked: Amount, state: Object | None) -> Amount:
    """Count a resize until it is over: the most of what was asked, set and granted."""
    if state is None or not isinstance(state.get("resources"), Mapping):
        return asked
    held = _amount(reading.mapping(state, "resources", "requests")) | _amount(
        reading.mapping(state, "allocatedResources")
    )
    return held if _resize_infeasible(pod) else asked | held


def _resize_infeasible(pod: Object) -> bool:
    return any(
        condition.get("type") == "PodResizePending" and condition.get("reason") == "Infeasible"
        for condition in reading.mappings(pod, "status", "conditions")
    )


def _segment_requests(pod: Object) -> Amount:
    states = _container_states(pod)
    for container in reading.mappings(pod, "spec", "containers"):
        if _name(container) == SEGMENT_CONTAINER:
            return _effective(pod, _requests(container), states.get(SEGMENT_CONTAINER))
    return NOTHING


def _name(value: Object) -> str:
    return reading.text(value, "name")
