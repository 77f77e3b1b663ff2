"""Which segments can be created now, and who must make room where nobody can move."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from fin.api.names import LABEL_APP, LABEL_SEGMENT
from fin.cluster import reading
from fin.cluster.capacity import Room
from fin.cluster.cases import Case
from fin.cluster.health import is_ready
from fin.cluster.lost import pinned_node
from fin.cluster.memory import MoveMemory
from fin.cluster.observed import Observed, has_ended
from fin.cluster.room import has_pod, needs, open_ledger
from fin.cluster.running import priority_of
from fin.cluster.world import World
from fin.planning.problem import AppKey


@dataclass(frozen=True)
class Placing:
    """What fits now.

    Attributes
    ----------
    create
        Names of the segments to create, by app.
    blocked
        What apps need on the nodes where it does not fit.
    """

    create: Mapping[AppKey, frozenset[str]]
    blocked: Mapping[AppKey, Mapping[str, Room]]


def place(seen: Observed, world: World, cases: Mapping[AppKey, Case]) -> Placing:
    """Give the room there is to missing segments: an app gets all that it misses, or nothing.

    What runs goes first, by priority. Apps that have nothing yet take only what no blocked one
    needs: they free nothing in return, and could stand in the way of moves that do.
    """
    ledger = open_ledger(seen, world.nodes)
    create: dict[AppKey, frozenset[str]] = {}
    blocked: dict[AppKey, Mapping[str, Room]] = {}
    waiting = [case for case in cases.values() if case.missing and case.conflict is None]
    for case in sorted(waiting, key=lambda case: (case.phase == "fresh", case.rank)):
        wanted = needs(
            segment for segment in case.missing if not has_pod(seen, case.key, segment.digest)
        )
        lacking = ledger.full(wanted, behind_claims=case.phase == "fresh")
        if lacking:
            blocked[case.key] = {node: wanted[node] for node in lacking}
            ledger.claim(wanted)
        else:
            create[case.key] = frozenset(segment.name for segment in case.missing)
            ledger.take(wanted)
    return Placing(create, blocked)


def break_first(
    seen: Observed, cases: Mapping[AppKey, Case], placing: Placing, memory: MoveMemory
) -> AppKey | None:
    """Return the app to break before it is made anew, where no move can go on without that.

    Nobody is broken while a move waits only for what will leave by itself. Else, of the apps
    that are to leave a node which others wait for, and can't, on which nothing will make room,
    it is one that does not serve anyway, else the one of the lowest priority, of those the
    youngest. One at a time: the next when all that the last one made possible is done.
    """
    freed_by_us, freed = _freed(seen, cases, placing)
    if freed_by_us and any(_is_broken(cases.get(key)) for key in memory.exchange):
        return None
    if any(_goes_on(cases[key], needs, freed) for key, needs in placing.blocked.items()):
        return None
    contested = {node for needs in placing.blocked.values() for node in needs} - freed
    candidates = [case for case in cases.values() if _could_leave(case, contested, placing)]
    candidates.sort(key=_created, reverse=True)
    if not candidates:
        return None
    return min(candidates, key=lambda case: (_serves(case), priority_of(case.app))).key


def _freed(
    seen: Observed, cases: Mapping[AppKey, Case], placing: Placing
) -> tuple[frozenset[str], frozenset[str]]:
    """Nodes on which room comes free without breaking anything: by segments, and by any pod."""
    ours: set[str] = set()
    others: set[str] = set()
    for pod in seen.snapshot.pods:
        node = reading.text(pod, "spec", "nodeName")
        if node and not has_ended(pod) and reading.being_deleted(pod):
            (ours if LABEL_SEGMENT in reading.labels(pod) else others).add(node)
        elif node and not has_ended(pod) and _is_orphan(seen, pod):
            ours.add(node)
    for case in cases.values():
        moves = case.under_way or case.key in placing.create
        for name in case.leaving:
            if moves or name not in case.needed:
                ours.add(pinned_node(case.owned.deployments[name]))
    return frozenset(ours), frozenset(ours | others)


def _is_orphan(seen: Observed, pod: Mapping[str, object]) -> bool:
    """Whether a segment's pod has lost its Deployment, and is about to be deleted."""
    labels = reading.labels(pod)
    if LABEL_APP not in labels or LABEL_SEGMENT not in labels:
        return False
    return (reading.namespace(pod), labels[LABEL_APP], labels[LABEL_SEGMENT]) not in seen.segments


def _goes_on(case: Case, wanted: Iterable[str], freed: Set[str]) -> bool:
    """Whether a move waits only for room that comes free by itself: its own follows then."""
    return case.phase == "moving" and freed >= set(wanted)


def _is_broken(case: Case | None) -> bool:
    """Whether an app was broken, and is not made anew yet."""
    return case is not None and case.phase in ("settled", "fresh") and bool(case.missing)


def _could_leave(case: Case, nodes: Set[str], placing: Placing) -> bool:
    return (
        case.phase == "moving"
        and case.key in placing.blocked
        and any(pinned_node(case.owned.deployments[name]) in nodes for name in case.leaving)
    )


def _serves(case: Case) -> bool:
    """Whether breaking the app would take something away from anyone."""
    names = case.old.names if case.old else {case.serving.entry} if case.serving else set()
    there = case.owned.deployments
    return all(name in there and is_ready(there[name]) for name in names)


def _created(case: Case) -> tuple[str, AppKey]:
    return reading.text(case.app, "metadata", "creationTimestamp"), case.key
