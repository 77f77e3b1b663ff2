"""What came out of planning: one record for each app, node and link, measured and named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fin.cli.running import Staying
from fin.cluster.findings import Rejection
from fin.cluster.render import planned_revision
from fin.cluster.revision import Revision
from fin.cluster.settings import SegmentSettings
from fin.cluster.world import World
from fin.planning.evaluation import Evaluation, Usage, evaluate, footprint, speeds, usage
from fin.planning.plan import AppPlan, Plan, gap
from fin.planning.problem import App, AppKey, Link, Node


@dataclass(frozen=True, slots=True)
class Planned:
    """An app with a plan: what it asks for, the plan, what it costs, and what it becomes."""

    app: App
    plan: AppPlan
    cost: Evaluation
    latency: float
    speeds: Mapping[str, float]
    tiers: Mapping[str, str]
    revision: Revision

    @property
    def key(self) -> AppKey:
        """Namespace and name."""
        return self.app.key

    @property
    def power(self) -> float:
        """Watts."""
        return self.app.rate * self.cost.energy

    @property
    def gap(self) -> float:
        """Gap of its energy to its lower bound alone in the empty system."""
        return gap(self.cost.energy, self.plan.bound)


@dataclass(frozen=True, slots=True)
class Refused:
    """An app without a plan, and why; the constraints that a baseline's choice breaks."""

    key: AppKey
    reason: str
    message: str
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeUse:
    """Shares of what inference may use of a node, and the segments on it."""

    node: Node
    millicores: int
    memory: int
    segments: int

    @property
    def compute_share(self) -> float:
        """Share of its compute that is reserved."""
        return self.millicores / self.node.millicores if self.node.millicores else 0.0

    @property
    def memory_share(self) -> float:
        """Share of its memory that is reserved."""
        return self.memory / self.node.memory if self.node.memory else 0.0


@dataclass(frozen=True, slots=True)
class LinkUse:
    """Load of a link, bit/s."""

    link: Link
    load: float

    @property
    def share(self) -> float:
        """Share of its bandwidth that is used."""
        return self.load / self.link.bandwidth


@dataclass(frozen=True)
class Outcome:
    """All of it; apps, nodes and links by name."""

    solver: str
    apps: Sequence[Planned | Refused]
    nodes: Sequence[NodeUse]
    links: Sequence[LinkUse]
    power_bound: float
    admission_proven: bool
    staying: Staying | None = None

    @property
    def planned(self) -> list[Planned]:
        """Apps with a plan."""
        return [app for app in self.apps if isinstance(app, Planned)]

    @property
    def refused(self) -> list[Refused]:
        """Apps without."""
        return [app for app in self.apps if isinstance(app, Refused)]

    @property
    def power(self) -> float:
        """Total power, watts."""
        return sum(app.power for app in self.planned)

    @property
    def gap(self) -> float:
        """Gap of the total power to its lower bound."""
        return gap(self.power, self.power_bound)


def outcome(world: World, plan: Plan, settings: SegmentSettings) -> Outcome:
    """Measure a plan and name what it becomes.

    Raises
    ------
    CannotRenderError
        Where a plan can't become objects (``fin.cluster.render``).
    """
    problem = world.problem
    used = usage(footprint(problem, app_plan) for app_plan in plan.apps)
    planned = [_planned(world, app_plan, settings) for app_plan in plan.apps]
    apps: list[Planned | Refused] = [*planned, *_refused(plan, world)]
    return Outcome(
        solver=plan.solver,
        apps=sorted(apps, key=lambda app: app.key),
        nodes=[_node_use(node, used) for node in problem.nodes],
        links=[
            LinkUse(link, used.traffic.get((link.source, link.target), 0.0))
            for link in problem.links
        ],
        power_bound=plan.power_bound,
        admission_proven=plan.admission_proven,
    )


def _planned(world: World, app_plan: AppPlan, settings: SegmentSettings) -> Planned:
    problem = world.problem
    app = problem.app[app_plan.key]
    cost, reserved = evaluate(problem, app, app_plan.placement), speeds(problem, app_plan)
    return Planned(
        app=app,
        plan=app_plan,
        cost=cost,
        latency=cost.latency(reserved),
        speeds=reserved,
        tiers={name: problem.node[name].tier for name in reserved},
        revision=planned_revision(world, app_plan, settings),
    )


def _refused(plan: Plan, world: World) -> Iterator[Refused]:
    for refusal in plan.refusals:
        yield Refused(refusal.key, refusal.reason.value, refusal.message, refusal.broken)
    for key, rejection in world.rejected.items():
        yield _rejected(key, rejection)


def _rejected(key: AppKey, rejection: Rejection) -> Refused:
    return Refused(key, rejection.reason, rejection.message)


def _node_use(node: Node, used: Usage) -> NodeUse:
    return NodeUse(
        node,
        used.millicores.get(node.name, 0),
        used.memory.get(node.name, 0),
        used.segments.get(node.name, 0),
    )
