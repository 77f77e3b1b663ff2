"""What runs now, read from the objects themselves: nothing is remembered elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from fin.api.names import ANNOTATION_PLAN, LABEL_SEGMENT
from fin.cluster import annotation, reading
from fin.cluster.capacity import quantity
from fin.cluster.lost import pinned_node
from fin.cluster.memory import MoveMemory
from fin.cluster.naming import config_name
from fin.cluster.observed import Observed, Owned
from fin.cluster.revision import Revision
from fin.cluster.room import has_pod, ledger_to_come, needs, segment_requests
from fin.cluster.snapshot import Object, Snapshot
from fin.cluster.state import NodeState
from fin.cluster.taints import NO_EXECUTE, of_pod_spec, untolerated
from fin.cluster.world import World
from fin.planning.check import check_app
from fin.planning.evaluation import footprint
from fin.planning.plan import AppPlan, Footprint, Running
from fin.planning.problem import AppKey, Problem


@dataclass(frozen=True, slots=True)
class Serving:
    """What an app's Service leads to.

    ``entry`` is the name of the entry's Deployment (which may be missing, if someone deleted
    it). ``revision`` is None where its annotation can't be read.
    """

    entry: str
    revision: Revision | None


def find_serving(owned: Owned, app: str) -> Serving | None:
    """Return the revision of an app that serves; None where none does.

    The entry that the Service leads to tells it. Its annotation has a copy on the ConfigMap,
    for when the entry was deleted or edited. Where the Service leads nowhere and there is no
    copy, it is the entry that has a budget (only what serves has one), the older of two.
    """
    by_digest = {
        str(reading.labels(each).get(LABEL_SEGMENT)): name
        for name, each in owned.deployments.items()
    }
    selected = reading.text(owned.services.get(app), "spec", "selector", LABEL_SEGMENT)
    entry = by_digest.get(selected)
    revision = revision_of(owned.deployments.get(entry or ""))
    if entry and revision:
        return Serving(entry, revision)
    copy = revision_of(owned.config_maps.get(config_name(app)))
    if copy and (entry is None or copy.entry.name == entry):
        return Serving(copy.entry.name, copy)
    if entry is None:
        entry = min(
            (name for name, each in owned.deployments.items() if is_entry(each)),
            key=lambda name: (name not in owned.budgets, _created(owned.deployments[name]), name),
            default=None,
        )
    return Serving(entry, revision_of(owned.deployments[entry])) if entry else None


def is_entry(deployment: Object) -> bool:
    """Whether a Deployment is the entry of a revision: it carries a plan."""
    return ANNOTATION_PLAN in reading.mapping(deployment, "metadata", "annotations")


def revision_of(obj: Object | None) -> Revision | None:
    """Return the revision that an object's annotation tells of; None where it tells none."""
    return annotation.read(reading.text(obj, "metadata", "annotations", ANNOTATION_PLAN))


def read_running(
    snapshot: Snapshot, world: World, memory: MoveMemory | None = None
) -> tuple[Running, ...]:
    """Return what runs, in the planner's terms and in the order of namespace and name.

    An app that lost a segment with its node, or whose segments wait for room that nothing
    will free, does not run any more: it is planned anew.
    """
    memory = memory or MoveMemory()
    seen = Observed(snapshot)
    found = []
    for key, app in seen.apps.items():
        running = _exchanged(world, key, memory) or _running(seen, world, key, seen.owned(app))
        if running is not None:
            plan, taken = running
            found.append(Running(key, priority_of(app), taken, plan))
    return tuple(found)


def priority_of(app: Object) -> int:
    """Priority of an app, also of one whose spec is invalid."""
    priority = reading.at(app, "spec", "priority")
    return priority if isinstance(priority, int) else 0


def _exchanged(
    world: World, key: AppKey, memory: MoveMemory
) -> tuple[AppPlan | None, Footprint] | None:
    """Where an app that changes places is to run, while it still can."""
    plan = memory.exchange.get(key)
    if plan is None or check_app(world.problem, plan):
        return None
    return plan, footprint(world.problem, plan)


def _running(
    seen: Observed, world: World, key: AppKey, owned: Owned
) -> tuple[AppPlan | None, Footprint] | None:
    serving = find_serving(owned, key[1])
    if serving is None:
        return None
    revision = serving.revision
    if revision is None:
        taken = _taken(owned)
        lost = world.lost(key) & {node for node, _ in taken.memory}
        return None if lost else (None, taken)
    if lost_nodes_of(revision, world.nodes) or waits_in_vain(seen, world, key, owned, revision):
        return None
    return plan_of(world.problem, key, revision), revision.footprint


def lost_nodes_of(revision: Revision, nodes: Mapping[str, NodeState]) -> dict[str, str]:
    """Nodes on which a revision has a segment that is lost, each with the reason in words."""
    tolerated = of_pod_spec({"tolerations": list(revision.template.tolerations)})
    lost = {}
    for segment in revision.segments:
        node = nodes.get(segment.node)
        if node is None:
            lost[segment.node] = f"node {segment.node} is gone"
        elif not node.ready:
            lost[segment.node] = f"node {segment.node} is not Ready"
        elif taint := untolerated(node, tolerated, [NO_EXECUTE]):
            lost[segment.node] = f"node {segment.node} has the taint {taint}, not tolerated"
    return lost


def waits_in_vain(
    seen: Observed, world: World, key: AppKey, owned: Owned, revision: Revision
) -> bool:
    """Whether a missing segment does not fit even when all pods have gone that are to go."""
    missing = [
        segment
        for segment in revision.segments
        if segment.name not in owned.deployments and not has_pod(seen, key, segment.digest)
    ]
    if not missing:
        return False
    return bool(ledger_to_come(seen, world.nodes).full(needs(missing)))


def plan_of(problem: Problem, key: AppKey, revision: Revision) -> AppPlan | None:
    """Return a revision as a plan; None where the app's model has other blocks today."""
    app = problem.app.get(key)
    if app is None or app.model.name != revision.model:
        return None
    today = app.model.blocks[: len(revision.blocks)]
    if tuple(block.name for block in today) != revision.blocks or today[-1].exit is None:
        return None
    return AppPlan(
        key,
        revision.placement,
        tuple((segment.node, segment.millicores) for segment in revision.segments),
    )


def _taken(owned: Owned) -> Footprint:
    """What the Deployments of an app reserve, where its plan can't be read."""
    millicores, memory = [], []
    for deployment in owned.deployments.values():
        requests = segment_requests(deployment)
        cpu, size = (quantity(requests.get(key)) or 0 for key in ("cpu", "memory"))
        node = pinned_node(deployment)
        millicores.append((node, ceil(cpu * 1000)))
        memory.append((node, ceil(size)))
    return Footprint(tuple(millicores), tuple(memory), ())


def _created(deployment: Object) -> str:
    return reading.text(deployment, "metadata", "creationTimestamp")
