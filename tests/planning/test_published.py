"""The published baselines against exhaustive search, and what their choices break."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given, settings

from fin.planning.baselines import baselines
from fin.planning.check import check
from fin.planning.evaluation import evaluate
from fin.planning.load_blind import place_blindly
from fin.planning.mcp_ties import mcp_ties
from fin.planning.options import Options
from fin.planning.placing import Planner
from fin.planning.plan import AppPlan, Placement, Plan, Reason, Refusal
from fin.planning.problem import App, Block, Exit, Link, Model, Node, Problem
from fin.planning.published import PUBLISHED, edgent, mcp, neurosurgeon
from fin.planning.solvers import make_plan
from fin.planning.system import system_left
from tests.helpers.exhaustive import simple_routes
from tests.helpers.instances import problems, random_problem

CLOSE = 1e-6


@dataclass(frozen=True)
class Way:
    """A placement, and what the baselines look at."""

    placement: Placement
    latency: float
    accuracy: float
    energy: float

    def largest(self, app: App) -> float:
        return max(self.latency / app.latency, self.weight(app))

    def total(self, app: App) -> float:
        return self.latency / app.latency + self.weight(app)

    def weight(self, app: App) -> float:
        if self.accuracy:
            return app.min_accuracy / self.accuracy
        return math.inf if app.min_accuracy else 0.0

    @property
    def transfers(self) -> int:
        return sum(len(route) - 1 for route in self.placement.routes)


def measured(problem: Problem, app: App, placement: Placement) -> Way:
    found = evaluate(problem, app, placement)
    speeds = {node.name: node.capacity for node in problem.nodes}
    return Way(placement, found.latency(speeds), found.accuracy, found.energy)


def all_ways(problem: Problem, app: App) -> list[Way]:
    """Every placement that the app's locality and tiers allow, whatever else it breaks."""
    routes = simple_routes(problem)

    def grow(placement: Placement, count: int) -> Iterator[Placement]:
        index = len(placement.nodes)
        if index == count:
            yield placement
            return
        at = placement.nodes[-1] if index else app.source
        for route in routes[at]:
            node = problem.node[route[-1]]
            if app.may_run(index, node) and node.millicores >= 10:
                longer = Placement((*placement.nodes, node.name), (*placement.routes, route))
                yield from grow(longer, count)

    return [
        measured(problem, app, placement)
        for count, block in enumerate(app.model.blocks, start=1)
        if block.exit
        for placement in grow(Placement((), ()), count)
    ]


def one_splits(problem: Problem, app: App, tier: str) -> list[Way]:
    """Those with one split between the source and one node of a tier."""

    def split(placement: Placement) -> bool:
        nodes = placement.nodes
        stay = next((i for i, name in enumerate(nodes) if name != app.source), len(nodes))
        rest = set(nodes[stay:])
        return len(rest) <= 1 and all(problem.node[name].tier == tier for name in rest)

    return [way for way in all_ways(problem, app) if split(way.placement)]


def small(seed: int) -> Problem:
    return random_problem(Random(seed), nodes=(2, 3), blocks=(1, 4))


SEEDS = range(0, 400, 40)


@pytest.mark.parametrize("seed", SEEDS)
def test_mcp_against_every_path_there_is(seed: int) -> None:
    for each in range(seed, seed + 40):
        problem = small(each)
        app = problem.apps[0]
        ways, placement = all_ways(problem, app), mcp(system_left(problem), app)
        if not ways:
            assert placement is None
            continue
        assert placement is not None
        mine = measured(problem, app, placement)
        least = min(way.largest(app) for way in ways)
        assert mine.largest(app) == pytest.approx(least, rel=CLOSE)
        ties = [way for way in ways if way.largest(app) <= least * (1 + 1e-12)]
        total = min(way.total(app) for way in ties)
        assert mine.total(app) <= total * (1 + CLOSE)
        ties = [way for way in ties if way.total(app) <= total * (1 + 1e-12)]
        assert mine.transfers <= min(way.transfers for way in ties)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cheapest_and_the_dearest_tie(seed: int) -> None:
    told_apart = 0
    for each in range(seed, seed + 40):
        problem = small(each)
        app = problem.apps[0]
        ways, found = all_ways(problem, app), mcp_ties(system_left(problem), app)
        if not ways:
            assert found is None
            continue
        assert found is not None
        least = min(way.largest(app) for way in ways)
        ties = [way.energy for way in ways if way.largest(app) <= least * (1 + 1e-9)]
        for (energy, placement), expected in (
            (found.cheapest, min(ties)),
            (found.dearest, max(ties)),
        ):
            assert energy == pytest.approx(expected, rel=CLOSE)
            way = measured(problem, app, placement)
            assert way.energy == pytest.approx(energy, rel=CLOSE)
            assert way.largest(app) == pytest.approx(least, rel=CLOSE)
        told_apart += min(ties) < max(ties) * (1 - CLOSE)
    assert told_apart


@pytest.mark.parametrize("seed", SEEDS)
def test_neurosurgeon_against_every_split(seed: int) -> None:
    for each in range(seed, seed + 40):
        problem = small(each)
        app = problem.apps[0]
        whole = len(app.model.blocks)
        ways = [
            way for way in one_splits(problem, app, "cloud") if len(way.placement.nodes) == whole
        ]
        placement = neurosurgeon(system_left(problem), app)
        if not ways:
            assert placement is None
            continue
        assert placement in [way.placement for way in ways]
        least = min(way.latency for way in ways)
        assert measured(problem, app, placement).latency <= least + CLOSE * app.latency


@pytest.mark.parametrize("seed", SEEDS)
def test_edgent_against_every_split_and_exit(seed: int) -> None:
    in_time = 0
    for each in range(seed, seed + 40):
        problem = small(each)
        app = problem.apps[0]
        ways = one_splits(problem, app, "edge")
        placement = edgent(system_left(problem), app)
        if not ways:
            assert placement is None
            continue
        assert placement is not None
        assert placement in [way.placement for way in ways]
        mine = measured(problem, app, placement)
        timely = [way for way in ways if way.latency <= app.latency * (1 + 1e-12)]
        if timely:
            best = max(way.accuracy for way in timely)
            ways = [way for way in timely if way.accuracy == best]
            assert mine.accuracy == best
            in_time += 1
        if not timely or len({len(way.placement.nodes) for way in ways}) == 1:
            least = min(way.latency for way in ways)
            assert mine.latency <= least + CLOSE * app.latency
    assert in_time


@given(problems(nodes=(2, 3), blocks=(1, 4)))
@settings(deadline=None, max_examples=200)
def test_a_choice_is_a_valid_plan_or_says_what_it_breaks(problem: Problem) -> None:
    app = problem.apps[0]
    for name, method in PUBLISHED.items():
        found = place_blindly(Planner(problem, Options()), app, method)
        if isinstance(found, AppPlan):
            assert check(problem, Plan(name, (found,), ())) == []
            continue
        placement = method(system_left(problem), app)
        if placement is None:
            assert (found.reason, found.broken) == (Reason.PLACEMENT_UNSATISFIABLE, ())
            continue
        assert found.reason is Reason.CONSTRAINT_BROKEN
        assert found.broken
        assert all(constraint in found.message for constraint in found.broken)
        # At all of its nodes it breaks the same, or what it can't be rid of.
        whole = tuple((node, problem.node[node].millicores) for node, _ in placement.segments)
        plan = Plan(name, (AppPlan(app.key, placement, whole),), ())
        assert {each.constraint for each in check(problem, plan)} <= set(found.broken)
        assert check(problem, plan)


MODEL = Model(
    "net",
    1000,
    (
        Block("b1", 10e6, 100, 500, Exit("e1", 0, 0, 0.0, 0.6)),
        Block("b2", 40e6, 200, 10, Exit("e2", 0, 0, 0.0, 0.9)),
    ),
    memory_overhead=1000,
)
NODES = (
    Node("m", "mobile", 1000, 1e6, 9000, 9, 1e-9),
    Node("e", "edge", 1000, 4e6, 9000, 9, 1e-9),
    Node("c", "cloud", 1000, 1e9, 9000, 9, 1e-9),
)
LINKS = tuple(Link(tail, head, 1e9, 1e-5, 1e-9) for tail in "mec" for head in "mec" if tail != head)
APP = App("default", "app", MODEL, "m", rate=10, latency=0.1, min_accuracy=0.8)
PROBLEM = Problem(NODES, LINKS, (APP,))


def broken(problem: Problem, solver: str = "mcp") -> tuple[str, ...]:
    plan = make_plan(problem, solver=solver)
    assert plan.apps == () or plan.refusals == ()
    for refusal in plan.refusals:
        assert refusal.reason is Reason.CONSTRAINT_BROKEN
    return tuple(constraint for refusal in plan.refusals for constraint in refusal.broken)


def with_node(name: str, **changes: object) -> Problem:
    nodes = (replace(n, **changes) if n.name == name else n for n in NODES)  # type: ignore[arg-type]
    return replace(PROBLEM, nodes=tuple(nodes))


def with_app(**changes: object) -> Problem:
    return replace(PROBLEM, apps=(replace(APP, **changes),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("problem", "constraints"),
    [
        (PROBLEM, ()),
        (with_node("c", memory=1299), ("Memory",)),
        (with_node("c", pods=0), ("Pods",)),
        (with_node("m", egress=99_999.0), ("Bandwidth",)),
        (with_node("c", ingress=1.0, memory=10), ("Memory", "Bandwidth")),
        (replace(PROBLEM, links=tuple(replace(x, bandwidth=1e5) for x in LINKS)), ()),
        (with_app(latency=1e-6, min_accuracy=0.5), ("Latency",)),
        (with_app(latency=1e-6), ("Accuracy", "Latency")),
        (with_app(min_accuracy=0.95), ("Accuracy",)),
        (with_app(rate=2e5), ("Load", "Bandwidth")),
    ],
)
def test_mcp_names_what_it_breaks(problem: Problem, constraints: tuple[str, ...]) -> None:
    assert broken(problem) == constraints


def test_neurosurgeon_and_edgent_name_what_they_break() -> None:
    assert broken(with_app(latency=0.011), "edgent") == ("Accuracy",)
    assert broken(with_app(latency=0.001), "edgent") == ("Accuracy", "Latency")
    assert broken(with_node("c", memory=10), "neurosurgeon") == ("Memory",)


def test_a_source_that_takes_no_part_leaves_no_way() -> None:
    links = tuple(link for link in LINKS if "m" not in (link.source, link.target))
    problem = replace(PROBLEM, nodes=NODES[1:], links=links)
    for name in PUBLISHED:
        (refusal,) = make_plan(problem, solver=name).refusals
        assert refusal.reason is Reason.PLACEMENT_UNSATISFIABLE
        assert refusal.message


def test_applications_share_what_the_first_ones_leave() -> None:
    """Each fits alone; MCP sends both to the cloud, whose memory holds one of them."""
    other = replace(APP, name="other", created="2026")
    both = replace(with_node("c", memory=2000), apps=(APP, other))
    plan = make_plan(both, solver="mcp")
    assert [each.key[1] for each in plan.apps] == ["app"]
    assert plan.apps[0].placement.nodes == ("c", "c")
    (refusal,) = plan.refusals
    assert (refusal.key, refusal.broken) == (other.key, ("Memory",))
    assert check(both, plan) == []
    first = replace(both, apps=(replace(APP, priority=-1), other))
    assert [each.key[1] for each in make_plan(first, solver="mcp").apps] == ["other"]


def test_compute_that_others_have_reserved_is_named_as_compute() -> None:
    """The edge is the only way in time and one of them needs more than half of it."""
    model = replace(MODEL, blocks=(replace(MODEL.blocks[0], exit=None), MODEL.blocks[1]))
    app = replace(APP, model=model, tiers=frozenset({"edge"}), latency=0.02)
    both = replace(PROBLEM, apps=(app, replace(app, name="other")))
    plan = make_plan(both, solver="mcp")
    assert len(plan.apps) == 1
    assert plan.refusals[0].broken == ("Compute",)


def test_baselines_tell_what_a_published_method_breaks() -> None:
    found = baselines(with_node("c", memory=10), APP)
    assert set(found) >= set(PUBLISHED)
    assert (found["mcp"].energy, found["mcp"].broken) == (None, Reason.CONSTRAINT_BROKEN)
    assert "Memory" in found["mcp"].message
    fits = baselines(PROBLEM, APP)["mcp"]
    assert fits.energy == pytest.approx(50e6 * 1e-9 + 8000 * 1e-9)
    assert not isinstance(fits, Refusal)
