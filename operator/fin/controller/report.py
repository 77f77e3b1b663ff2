"""What the metrics tell of the cluster: computed once a round, from what runs."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from fin.cluster.decision import AppState
from fin.cluster.findings import Rejection
from fin.cluster.revision import Revision, Share
from fin.cluster.shares import shares_of
from fin.cluster.telemetry.subject import promised
from fin.controller.baselines import Energies
from fin.planning.evaluation import Usage, evaluate, usage
from fin.planning.plan import Plan
from fin.planning.problem import App, AppKey, Node, Problem


@dataclass(frozen=True, slots=True)
class AppReport:
    """What an app costs and gets with the revision that runs.

    Attributes
    ----------
    ready
        Whether it serves: only then it uses energy.
    energy
        Modelled joules per inference, by share.
    power
        Modelled watts: energy times rate.
    source_latency, shares
        Planned seconds from the source to the entry, and share of the samples that leave at each
        exit; None and empty where the app's spec, model or links are not what they were.
    latency_target
        None where the app's spec can't be read, or its model is gone.
    saved
        Watts that it saves against each baseline that has a deployment at all.
    """

    namespace: str
    name: str
    ready: bool
    rate: float
    energy: Mapping[Share, float]
    latency: float
    source_latency: float | None
    shares: Mapping[str, float]
    latency_target: float | None
    accuracy: float
    gap: float
    saved: Mapping[str, float]

    @property
    def power(self) -> float:
        """Modelled watts, of all shares."""
        return self.rate * sum(self.energy.values())


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What segments reserve of a node, and what inference may use of it."""

    name: str
    tier: str
    cores: tuple[float, float]
    memory: tuple[float, float]
    pods: tuple[float, float]


@dataclass(frozen=True, slots=True)
class LinkReport:
    """Load of a directed link and its bandwidth, bytes per second."""

    source: str
    target: str
    load: float
    bandwidth: float


@dataclass(frozen=True, slots=True)
class Report:
    """State of the cluster after a round.

    ``ready`` has every app that exists: whether it serves. ``apps`` has those that run.
    """

    ready: Mapping[AppKey, bool] = field(default_factory=dict)
    apps: tuple[AppReport, ...] = ()
    admitted: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    nodes: tuple[NodeReport, ...] = ()
    links: tuple[LinkReport, ...] = ()
    power_bound: float = 0.0


def make_report(
    problem: Problem,
    states: Mapping[AppKey, AppState],
    plan: Plan,
    rejected: Mapping[AppKey, Rejection],
    baselines: Callable[[App], Energies],
) -> Report:
    """Report on what runs.

    Parameters
    ----------
    problem
        The problem of the round.
    states
        Every app that exists: what of it serves, and whether it is Ready.
    plan
        The plan of the round, for refusals and the bound of the total power.
    rejected
        Apps that could not be planned at all.
    baselines
        Tells what the baselines would spend for an app.
    """
    serving = {key: state.serving for key, state in states.items() if state.serving is not None}
    faults = [state.fault[0] for state in states.values() if state.fault is not None]
    reasons = [
        *(rejection.reason for rejection in rejected.values()),
        *(refusal.reason.value for refusal in plan.refusals),
        *faults,
    ]
    used = usage(revision.footprint for revision in serving.values())
    return Report(
        ready={key: state.ready for key, state in states.items()},
        apps=tuple(
            _app(problem, problem.app[key], revision, states[key].ready, baselines)
            if _measurable(problem, key, revision)
            else _as_planned(key, problem.app.get(key), revision, states[key].ready)
            for key, revision in sorted(serving.items(), key=lambda item: item[0])
        ),
        admitted=len(plan.apps) - len(faults),
        refused=dict(sorted(Counter(reasons).items())),
        nodes=tuple(_node(node, used) for node in problem.nodes),
        links=tuple(_links(problem, used)),
        power_bound=plan.power_bound,
    )


def _measurable(problem: Problem, key: AppKey, revision: Revision) -> bool:
    """Whether its app, model, nodes and links are all still what it was planned for."""
    app = problem.app.get(key)
    if app is None or app.model.name != revision.model:
        return False
    blocks = tuple(block.name for block in app.model.blocks)
    placement = revision.placement
    return (
        revision.blocks == blocks[: len(placement.nodes)]
        and all(node in problem.node for node in placement.nodes)
        and all(ends in problem.link for route in placement.routes for ends in pairwise(route))
    )


def _app(
    problem: Problem,
    app: App,
    revision: Revision,
    ready: bool,
    baselines: Callable[[App], Energies],
) -> AppReport:
    found = evaluate(problem, app, revision.placement)
    promise = promised(problem, app, revision)
    speeds = {
        segment.node: segment.millicores * problem.node[segment.node].flops_per_millicore
        for segment in revision.segments
    }
    return AppReport(
        namespace=app.namespace,
        name=app.name,
        ready=ready,
        rate=app.rate,
        energy=shares_of(problem, found),
        latency=found.latency(speeds),
        source_latency=promise.from_source if promise else None,
        shares=promise.shares if promise else {},
        latency_target=app.latency,
        accuracy=found.accuracy,
        gap=revision.facts.gap,
        saved={name: app.rate * (energy - found.energy) for name, energy in baselines(app).items()},
    )


def _as_planned(key: AppKey, app: App | None, revision: Revision, ready: bool) -> AppReport:
    """Report on what runs on though its model, nodes or links are gone: as it was planned."""
    facts = revision.facts
    planned_rate = facts.power / facts.energy if facts.energy > 0 else 0.0
    return AppReport(
        *key,
        ready=ready,
        rate=app.rate if app else planned_rate,
        energy=dict(facts.shares),
        latency=facts.latency,
        source_latency=None,
        shares={},
        latency_target=app.latency if app else None,
        accuracy=facts.accuracy,
        gap=facts.gap,
        saved={},
    )


def _node(node: Node, used: Usage) -> NodeReport:
    return NodeReport(
        node.name,
        node.tier,
        cores=(used.millicores.get(node.name, 0) / 1000, node.millicores / 1000),
        memory=(used.memory.get(node.name, 0), node.memory),
        pods=(used.segments.get(node.name, 0), node.pods),
    )


def _links(problem: Problem, used: Usage) -> Iterator[LinkReport]:
    """Report on links that carry something: a full mesh has too many others."""
    for ends, load in sorted(used.traffic.items()):
        if ends in problem.link and load > 0:
            yield LinkReport(*ends, load / 8, problem.link[ends].bandwidth / 8)
