"""Where a new pod fits now: what the scheduler still has, less what is on its way."""

from collections.abc import Iterable, Mapping
from math import ceil

from fin.api.names import LABEL_APP, LABEL_SEGMENT
from fin.cluster import reading
from fin.cluster.capacity import (
    SEGMENT_CONTAINER,
    Demand,
    Room,
    demands,
    is_segment,
    quantity,
)
from fin.cluster.lost import pinned_node
from fin.cluster.observed import Observed
from fin.cluster.revision import Segment
from fin.cluster.snapshot import Object
from fin.cluster.state import NodeState
from fin.planning.problem import AppKey

Needs = Mapping[str, Room]
"""What is needed on each node."""


class Ledger:
    """Room on each node: allocatable less the requests of all pods, terminating ones included.

    A Deployment whose pod is not there yet holds its room already. Claims are needs that go
    first though they don't fit yet.
    """

    def __init__(self, free: Mapping[str, Room]) -> None:
        self._free = dict(free)
        self._claims: dict[str, Room] = {}

    def full(self, needs: Needs, *, behind_claims: bool = False) -> tuple[str, ...]:
        """Nodes on which ``needs`` don't fit."""
        return tuple(
            node
            for node, room in needs.items()
            if not _fits(room, self._left(node, behind_claims=behind_claims))
        )

    def _left(self, node: str, *, behind_claims: bool) -> Room:
        free = self._free.get(node, Room())
        return free.less(self._claims.get(node, Room())) if behind_claims else free

    def take(self, needs: Needs) -> None:
        """Give room away."""
        for node, room in needs.items():
            self._free[node] = self._free.get(node, Room()).less(room)

    def claim(self, needs: Needs) -> None:
        """Keep room, as far as there is any, from those who ask behind claims."""
        for node, room in needs.items():
            self._claims[node] = self._claims.get(node, Room()) + room


def open_ledger(seen: Observed, nodes: Mapping[str, NodeState]) -> Ledger:
    """Return the room on each node before anything of this round is created."""
    free = {
        name: Room(node.free_millicores, node.free_memory, node.free_pods)
        for name, node in nodes.items()
    }
    return _less_pending(seen, free)


def ledger_to_come(seen: Observed, nodes: Mapping[str, NodeState]) -> Ledger:
    """Return the room on each node when all pods that are to go have gone."""
    taken = demands(pod for pod in seen.snapshot.pods if not reading.being_deleted(pod))
    free = {
        name: Room(
            node.allocatable_millicores, node.allocatable_memory, node.allocatable_pods
        ).less(taken.get(name, Demand()).total)
        for name, node in nodes.items()
    }
    return _less_pending(seen, free)


def _less_pending(seen: Observed, free: Mapping[str, Room]) -> Ledger:
    ledger = Ledger(free)
    for node, room in _pending(seen):
        ledger.take({node: room})
    return ledger


def needs(segments: Iterable[Segment]) -> dict[str, Room]:
    """What segments that are to be created need on each node."""
    found: dict[str, Room] = {}
    for segment in segments:
        room = Room(segment.millicores, segment.memory, 1)
        found[segment.node] = found.get(segment.node, Room()) + room
    return found


def has_pod(seen: Observed, app: AppKey, segment: str) -> bool:
    """Whether a pod of the segment with this hash is on its node, and is to stay."""
    return any(
        reading.text(pod, "spec", "nodeName") and not reading.being_deleted(pod)
        for pod in seen.pods(app, segment)
    )


def segment_requests(deployment: Object) -> dict[str, object]:
    """Return what the container of a segment's Deployment requests."""
    for container in reading.mappings(deployment, "spec", "template", "spec", "containers"):
        if reading.text(container, "name") == SEGMENT_CONTAINER:
            return dict(reading.mapping(container, "resources", "requests"))
    return {}


def _pending(seen: Observed) -> Iterable[tuple[str, Room]]:
    """Segments whose Deployment exists, but whose pod is not on the node yet."""
    for deployment in seen.snapshot.deployments:
        labels = reading.labels(deployment)
        app = reading.namespace(deployment), str(labels.get(LABEL_APP, ""))
        if (
            is_segment(deployment)
            and not reading.being_deleted(deployment)
            and not has_pod(seen, app, str(labels.get(LABEL_SEGMENT, "")))
        ):
            yield pinned_node(deployment), _asked(deployment)


def _asked(deployment: Object) -> Room:
    requests = segment_requests(deployment)
    cpu, memory = (quantity(requests.get(key)) or 0 for key in ("cpu", "memory"))
    return Room(ceil(cpu * 1000), ceil(memory), 1)


def _fits(room: Room, free: Room) -> bool:
    return (
        room.millicores <= free.millicores and room.memory <= free.memory and room.pods <= free.pods
    )
