"""Each app's case: what serves, what is wanted, and what stands against it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from fin.cluster import reading
from fin.cluster.lost import why_lost
from fin.cluster.naming import config_name
from fin.cluster.observed import ObjectKey, Observed, Owned, controller
from fin.cluster.render import CannotRenderError, planned_revision
from fin.cluster.revision import Revision, Segment
from fin.cluster.running import (
    Serving,
    find_serving,
    lost_nodes_of,
    plan_of,
    priority_of,
    waits_in_vain,
)
from fin.cluster.settings import MoveSettings, SegmentSettings
from fin.cluster.snapshot import Object
from fin.cluster.taints import of_pod_spec, takes_no_segment
from fin.cluster.workloads import BUDGET, CONFIG_MAP, DEPLOYMENT, SERVICE, Owner
from fin.cluster.world import World
from fin.planning.plan import Plan
from fin.planning.problem import AppKey

Phase = Literal["fresh", "settled", "moving", "gone", "kept"]


@dataclass(frozen=True)
class Case:
    """What a round knows of one app.

    Attributes
    ----------
    key, app, owned
        Its name, its object, and the objects that it controls.
    serving
        What its Service leads to; None where that is nothing, or lost.
    wanted
        The revision that it is to run; None where it is to run none, or none is known.
    phase
        ``fresh``: ``wanted`` has nothing to replace. ``settled``: it serves. ``moving``:
        something else serves. ``gone``: nothing is wanted. ``kept``: what serves can't be read
        and no plan replaces it, so it is left as it is.
    lost
        Deployments whose node is lost, and why, in words.
    fault
        Why its plan can't become objects: reason and message.
    conflict
        What of ``wanted`` exists and is not this app's.
    """

    key: AppKey
    app: Object
    owned: Owned
    serving: Serving | None
    wanted: Revision | None
    phase: Phase
    lost: Mapping[str, str]
    fault: tuple[str, str] | None = None
    conflict: str | None = None

    @property
    def owner(self) -> Owner:
        """The app, as its objects name it."""
        return Owner(*self.key, reading.uid(self.app))

    @property
    def generation(self) -> int:
        """The app's generation."""
        found = reading.at(self.app, "metadata", "generation")
        return found if isinstance(found, int) else 0

    @property
    def rank(self) -> tuple[int, AppKey]:
        """Order in which apps get room: the higher priority first."""
        return -priority_of(self.app), self.key

    @property
    def old(self) -> Revision | None:
        """The revision that serves while another is wanted."""
        if self.phase == "moving" and self.serving:
            return self.serving.revision
        return None

    @property
    def needed(self) -> frozenset[str]:
        """Names of the segments that a revision needs; the others may go."""
        if self.phase == "kept" or (self.phase == "moving" and self.old is None):
            return frozenset(self.owned.deployments) - self.lost.keys()
        names: frozenset[str] = self.wanted.names if self.wanted else frozenset()
        return names | (self.old.names - self.lost.keys() if self.old else frozenset())

    @property
    def leaving(self) -> tuple[str, ...]:
        """Deployments that serve, or that no revision needs, and that are not wanted."""
        wanted: frozenset[str] = self.wanted.names if self.wanted else frozenset()
        if self.phase == "kept":
            return ()
        return tuple(name for name in self.owned.deployments if name not in wanted)

    @property
    def missing(self) -> tuple[Segment, ...]:
        """Wanted segments without a Deployment."""
        segments = self.wanted.segments if self.wanted else ()
        return tuple(each for each in segments if each.name not in self.owned.deployments)

    @property
    def degraded(self) -> bool:
        """Whether what serves has lost a segment, or someone has deleted one."""
        if self.old is None:
            return False
        there = self.owned.deployments.keys() - self.lost.keys()
        return not self.old.names <= there

    @property
    def under_way(self) -> bool:
        """Whether it moves, and all that it moves to was created."""
        return self.phase == "moving" and not self.missing


def make_cases(
    seen: Observed, world: World, plan: Plan, settings: MoveSettings
) -> dict[AppKey, Case]:
    """Return every app's case, by namespace and name, in that order."""
    cases = {
        key: _case(seen, world, plan, settings.segments, key, app) for key, app in seen.apps.items()
    }
    return _few_at_once(seen, cases, world, plan, settings.at_once)


def _case(
    seen: Observed,
    world: World,
    plan: Plan,
    settings: SegmentSettings,
    key: AppKey,
    app: Object,
) -> Case:
    owned = seen.owned(app)
    lost = {
        name: why
        for name, each in owned.deployments.items()
        if (why := why_lost(each, world.nodes))
    }
    alive = {name: each for name, each in owned.deployments.items() if name not in lost}
    serving = find_serving(replace(owned, deployments=alive), key[1])
    if serving and serving.revision and _entry_lost(serving.revision, world):
        serving = None
    case = Case(key, app, owned, serving, None, "gone", lost)
    app_plan = plan.app.get(key)
    if app_plan is not None:
        try:
            wanted = planned_revision(world, app_plan, settings)
            return _towards(seen, world, plan, case, wanted)
        except CannotRenderError as error:
            case = replace(case, fault=(error.reason, error.message))
    return _without_plan(seen, world, plan, case)


def _towards(seen: Observed, world: World, plan: Plan, case: Case, wanted: Revision) -> Case:
    """Return the case of an app that has a plan."""
    serving = case.serving
    current = serving.revision if serving else None
    if current and current.digest == wanted.digest:
        return _checked(seen, replace(case, wanted=wanted, phase="settled"))
    if serving is None or serving.entry not in case.owned.deployments:
        return _checked(seen, replace(case, serving=None, wanted=wanted, phase="fresh"))
    app = world.problem.app[case.key]
    if current and app.hold and _same_place(world, case.key, current, plan):
        wanted = replace(current, generation=wanted.generation)
        return _checked(seen, replace(case, wanted=wanted, phase="settled"))
    return _checked(seen, replace(case, wanted=wanted, phase="moving"))


def _without_plan(seen: Observed, world: World, plan: Plan, case: Case) -> Case:
    """What runs runs on: not if it was evicted, or lost a segment with its node."""
    if case.serving is None or (case.key in plan.evicted and not case.fault):
        return replace(case, serving=None)
    current = case.serving.revision
    if current is None:
        return replace(case, phase="kept")
    if lost_nodes_of(current, world.nodes) or waits_in_vain(
        seen, world, case.key, case.owned, current
    ):
        return replace(case, serving=None)
    return _checked(seen, replace(case, wanted=current, phase="settled"))


def _few_at_once(
    seen: Observed,
    cases: dict[AppKey, Case],
    world: World,
    plan: Plan,
    at_once: int,
) -> dict[AppKey, Case]:
    """Let apps whose segments' template alone has changed wait until others have moved."""
    same_place = {
        key for key, case in cases.items() if case.old and _same_place(world, key, case.old, plan)
    }
    changed = [
        case
        for key, case in cases.items()
        if key in same_place
        or (case.old and case.wanted and case.old.template != case.wanted.template)
    ]
    idle = [case for case in changed if case.key in same_place and not _begun(case)]
    for case in idle[max(at_once - sum(map(_begun, changed)), 0) :]:
        stays = replace(case, wanted=case.old, phase="settled", conflict=None)
        cases[case.key] = _checked(seen, stays)
    return cases


def _begun(case: Case) -> bool:
    """Whether any segment that only the new revision has was created."""
    return any(
        segment.name in case.owned.deployments
        for segment in (case.wanted.segments if case.wanted else ())
        if not (case.old and segment.name in case.old.names)
    )


def _same_place(world: World, key: AppKey, current: Revision, plan: Plan) -> bool:
    """Whether a plan has the same blocks where they are, with the same reservations."""
    running, app_plan = plan_of(world.problem, key, current), plan.app.get(key)
    return (
        running is not None
        and app_plan is not None
        and running.placement == app_plan.placement
        and running.millicores == app_plan.millicores
    )


def _entry_lost(revision: Revision, world: World) -> bool:
    return revision.entry.node in lost_nodes_of(revision, world.nodes)


def is_held(case: Case, world: World) -> bool:
    """Whether an app's annotation asks for its plan to stay as it is."""
    app = world.problem.app.get(case.key)
    return app is not None and app.hold


def stuck_nodes(case: Case, world: World) -> tuple[str, ...]:
    """Nodes that take no new segments, on which an app stays: held, or without another place."""
    if case.phase != "settled" or case.wanted is None:
        return ()
    tolerated = of_pod_spec({"tolerations": list(case.wanted.template.tolerations)})
    return tuple(
        segment.node
        for segment in case.wanted.segments
        if segment.node in world.nodes and takes_no_segment(world.nodes[segment.node], tolerated)
    )


def _checked(seen: Observed, case: Case) -> Case:
    """Look for objects of the wanted names that this app does not control."""
    uid = reading.uid(case.app)
    for kind, namespace, name in _names(case):
        live = seen.objects.get((kind, namespace, name))
        if live is not None and controller(live) != uid:
            whose = _whose(live)
            message = f"{kind} {name} exists and is {whose}: delete or rename it, or rename the app"
            return replace(case, conflict=message)
    return case


def _names(case: Case) -> Iterable[ObjectKey]:
    namespace, app = case.key
    yield SERVICE, namespace, app
    yield CONFIG_MAP, namespace, config_name(app)
    for segment in case.wanted.segments if case.wanted else ():
        for kind in (DEPLOYMENT, SERVICE, BUDGET):
            yield kind, namespace, segment.name


def _whose(live: Object) -> str:
    for owner in reading.mappings(live, "metadata", "ownerReferences"):
        if owner.get("controller") is True:
            return f"controlled by {reading.text(owner, 'kind')} {reading.text(owner, 'name')}"
    return "not this app's"
