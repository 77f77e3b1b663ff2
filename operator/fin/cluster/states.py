"""How an app is doing, for its status and the metrics."""

from collections.abc import Mapping
from dataclasses import replace

from fin.api.quantity import Quantity
from fin.cluster.capacity import Room
from fin.cluster.cases import Case, is_held, stuck_nodes
from fin.cluster.decision import AppState, Trouble
from fin.cluster.health import is_ready, why_not_ready
from fin.cluster.observed import Observed
from fin.cluster.revision import Revision
from fin.cluster.running import plan_of
from fin.cluster.world import World
from fin.planning.check import check_app
from fin.planning.plan import Plan


def state_of(
    seen: Observed,
    world: World,
    plan: Plan,
    case: Case,
    blocked: Mapping[str, Room] | None,
) -> AppState:
    """Return how an app is doing; ``blocked`` is what it needs where that does not fit yet."""
    serving = _serving(case)
    waiting = None if blocked is None else _waiting(blocked)
    troubles = _troubles(seen, case, serving or case.wanted, waiting)
    moving = case.phase == "moving"
    return AppState(
        generation=case.generation,
        serving=serving,
        wanted=case.wanted,
        ready=serving is not None and not troubles and _receives(seen, case, serving),
        troubles=troubles,
        making=_troubles(seen, case, case.wanted, waiting) if moving else (),
        waiting=waiting,
        conflict=case.conflict,
        fault=case.fault,
        stuck=stuck_nodes(case, world),
        held=is_held(case, world),
        violations=_violations(world, plan, case, serving),
    )


def _serving(case: Case) -> Revision | None:
    """What serves, with what it is planned to do today where that is known."""
    found = case.serving.revision if case.serving else None
    if found and case.phase == "settled" and case.wanted:
        return replace(found, facts=case.wanted.facts)
    return found


def _troubles(
    seen: Observed, case: Case, revision: Revision | None, waiting: str | None
) -> tuple[Trouble, ...]:
    found = []
    for segment in revision.segments if revision else ():
        deployment = case.owned.deployments.get(segment.name)
        if segment.name in case.lost:
            why = case.lost[segment.name]
        elif deployment is not None and is_ready(deployment):
            continue
        elif deployment is None and waiting:
            why = waiting
        else:
            why = why_not_ready(deployment, seen.pods(case.key, segment.digest))
        found.append(Trouble(segment.name, segment.node, why))
    return tuple(found)


def _receives(seen: Observed, case: Case, serving: Revision) -> bool:
    """Whether requests to the app reach the entry."""
    return case.conflict is None and serving.entry.digest in seen.receivers(case.key)


def _waiting(blocked: Mapping[str, Room]) -> str:
    needs = (
        f"{Quantity.of_millicores(room.millicores)} CPU and {Quantity.of_bytes(room.memory)} "
        f"of memory on {node}"
        for node, room in sorted(blocked.items())
    )
    return f"waits for room: it needs {', '.join(needs)}"


def _violations(world: World, plan: Plan, case: Case, serving: Revision | None) -> tuple[str, ...]:
    if serving is None or case.key in plan.app:
        return ()
    running = plan_of(world.problem, case.key, serving)
    if running is None:
        return ()
    broken = check_app(world.problem, running, stays=True)
    return tuple(violation.message for violation in broken)
