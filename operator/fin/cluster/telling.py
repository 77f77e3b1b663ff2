"""Events: what is told of an app when something is done, or stands in its way."""

from collections.abc import Collection, Iterable, Iterator
from typing import Literal

from fin.api.names import ANNOTATION_HOLD
from fin.api.quantity import Quantity
from fin.cluster import reading
from fin.cluster.actions import Action, Event
from fin.cluster.cases import Case, is_held, stuck_nodes
from fin.cluster.revision import Revision, Segment
from fin.cluster.running import lost_nodes_of, plan_of
from fin.cluster.world import World
from fin.cluster.writing import Step
from fin.planning.check import check_app
from fin.planning.evaluation import evaluate
from fin.planning.plan import Plan

Type = Literal["Normal", "Warning"]


def event(case: Case, kind: Type, reason: str, message: str) -> Event:
    """Say something about an app."""
    return Event(case.key, reading.uid(case.app), kind, reason, message)


def done(
    case: Case,
    step: Step,
    actions: Collection[Action],
    replaced: Iterable[str],
    world: World,
    plan: Plan,
) -> Iterator[Event]:
    """Events of what this round does; ``replaced`` Deployments had been added to."""
    for name in step.remove:
        if name in case.lost:
            message = f"Segment {name} is deleted: {case.lost[name]}"
            yield event(case, "Warning", "SegmentLost", message)
    if case.phase == "gone" and case.key in plan.evicted and actions:
        message = f"Deleted, for the room that a higher priority needs. {_refusal(case, plan)}"
        yield event(case, "Warning", "Evicted", message)
    if case.wanted is not None:
        yield from _progress(case, case.wanted, step, world)
    for name in replaced:
        message = f"Deployment {name} is made anew, without what someone added to it"
        yield event(case, "Warning", "DeploymentEdited", message)


def _progress(case: Case, wanted: Revision, step: Step, world: World) -> Iterator[Event]:
    new = f"revision {wanted.digest} ({described(wanted)})"
    if step.turn and case.missing and not step.create:
        message = f"There is no room to make {new} first: {_old(case)} is deleted before"
        yield event(case, "Warning", "BrokenFirst", message)
    elif step.turn:
        yield event(case, "Normal", "Moved", f"Requests now go to {new}{_way(case, wanted, world)}")
    elif step.create and case.phase == "moving":
        why = why_moving(case, wanted, world)
        yield event(case, "Normal", "Moving", f"From {_old(case)} to {new}: {why}")
    elif step.create and case.phase == "fresh":
        yield event(case, "Normal", "Deploying", f"Making {new}")
    elif step.create:
        names = ", ".join(sorted(step.create))
        yield event(case, "Normal", "Restoring", f"Missing, and made anew: {names}")


def _way(case: Case, wanted: Revision, world: World) -> str:
    """The new way between the same segments, and why: no other Event tells of it."""
    if case.old is None or set(case.old.names) != set(wanted.names):
        return ""
    routes = ", ".join(" to ".join(route) for route in wanted.placement.transfers)
    return f", over {routes}: {why_moving(case, wanted, world)}"


def failed(case: Case, segments: Iterable[Segment], why: str) -> Event:
    """Event of segments that were not Ready in time."""
    names = ", ".join(f"{segment.name} on {segment.node}" for segment in segments)
    message = f"Not Ready in time, so the node is left out for a while: {names}: {why}"
    return event(case, "Warning", "NotReadyInTime", message)


def standing(case: Case, world: World, plan: Plan) -> Iterator[Event]:
    """Troubles that last; each is told once."""
    rejection, refusal = world.rejected.get(case.key), plan.refusal.get(case.key)
    if case.conflict:
        yield event(case, "Warning", "NameConflict", case.conflict)
    if case.fault:
        yield event(case, "Warning", *case.fault)
    elif rejection:
        yield event(case, "Warning", rejection.reason, rejection.message)
    elif refusal:
        yield event(case, "Warning", refusal.reason.value, refusal.message)
    if stuck := stuck_nodes(case, world):
        message = f"It stays on {', '.join(stuck)}, {why_it_stays(is_held(case, world))}"
        yield event(case, "Warning", "NodeCordoned", message)


def why_it_stays(held: bool) -> str:
    """Tell why an app stays on a node that takes no new segments."""
    if held:
        return f"since its annotation {ANNOTATION_HOLD} holds its plan: remove it to let it move"
    return "since no other plan meets its targets"


def why_moving(case: Case, wanted: Revision, world: World) -> str:
    """Tell why another revision is wanted than the one that serves."""
    old = case.old
    if old is None:
        return "its running plan can't be read"
    if lost := lost_nodes_of(old, world.nodes):
        return "; ".join(lost.values())
    if old.generation != case.generation:
        return "the app was edited"
    running = plan_of(world.problem, case.key, old)
    if running is None:
        return f"model {old.model} was changed"
    if broken := check_app(world.problem, running, stays=True):
        return broken[0].message
    barred = sorted(world.problem.app[case.key].barred & {each.node for each in old.segments})
    if barred:
        return f"{', '.join(barred)} takes no new segments"
    if old.placement == wanted.placement:
        return "its segments are made in another way"
    app = world.problem.app[case.key]
    before = evaluate(world.problem, app, running.placement).energy
    after = wanted.facts.energy
    if after < before:
        return f"{Quantity.of(before)}J to {Quantity.of(after)}J per inference"
    return "to make room for others"


def described(revision: Revision) -> str:
    """Where the blocks of a revision run, for people."""
    parts = []
    for segment in revision.segments:
        names = [revision.blocks[index] for index in segment.blocks]
        run = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        parts.append(f"{run} on {segment.node}")
    return ", ".join(parts)


def _old(case: Case) -> str:
    return f"revision {case.old.digest}" if case.old else "what serves"


def _refusal(case: Case, plan: Plan) -> str:
    refusal = plan.refusal.get(case.key)
    return refusal.message if refusal else ""
