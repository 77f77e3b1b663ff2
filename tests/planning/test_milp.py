"""The whole mixed-integer programme against exhaustive search, with both solvers."""

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings

from fin.planning import milp_solver
from fin.planning.check import check
from fin.planning.evaluation import evaluate, footprint
from fin.planning.milp import optimal
from fin.planning.milp_solver import Backend, default_backend
from fin.planning.options import Options
from fin.planning.plan import AppPlan, Placement, Plan, Reason, Running
from fin.planning.problem import App, Block, Exit, Link, Model, Node, Problem
from fin.planning.solvers import make_plan
from tests.helpers.exhaustive import joint_optimum, optimum
from tests.helpers.instances import far_apart, problems, random_problem
from tests.helpers.power import power

BACKENDS: tuple[Backend, ...] = ("highs", "cbc")
SOLVER = 1e-6  # relative tolerance of what a solver says


def plan_of(problem: Problem, backend: Backend, limit: float | None = None) -> Plan:
    plan = optimal(problem, options=Options(time_limit=limit), backend=backend)
    assert check(problem, plan) == []
    planned, refused = list(plan.app), list(plan.refusal)
    assert sorted(planned + refused) == sorted(problem.app)
    assert [key for key in problem.app if key in plan.app] == planned
    return plan


def one_app(problem: Problem, backend: Backend) -> None:
    app = problem.apps[0]
    plan, best = plan_of(problem, backend), optimum(problem, app)
    assert plan.admission_proven
    assert (not plan.apps) == (best is None)
    if best is not None:
        assert power(problem, plan) == pytest.approx(best.energy * app.rate, rel=SOLVER)
        assert plan.power_bound == pytest.approx(best.energy * app.rate, rel=SOLVER)
        assert plan.power_bound <= power(problem, plan)
        assert plan.apps[0].bound == pytest.approx(best.energy, rel=SOLVER)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(2000, 2100, 10))
def test_one_application_has_the_least_energy(seed: int, backend: Backend) -> None:
    for each in range(seed, seed + 10):
        one_app(random_problem(Random(each)), backend)


@given(problems())
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_any_application_has_the_least_energy(problem: Problem) -> None:
    one_app(problem, default_backend())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(0, 160, 20))
def test_two_applications_are_admitted_and_powered_best(seed: int, backend: Backend) -> None:
    for each in range(seed, seed + 20):
        problem = random_problem(
            Random(each), apps=(2, 2), nodes=(2, 3), blocks=(1, 3), millicores=(40, 60)
        )
        plan, best = plan_of(problem, backend), joint_optimum(problem)
        assert plan.admission_proven
        assert frozenset(plan.app) == best.admitted
        assert power(problem, plan) == pytest.approx(best.power, rel=SOLVER)
        assert plan.power_bound == pytest.approx(best.power, rel=10 * SOLVER)
        assert plan.power_bound <= power(problem, plan)


@pytest.mark.parametrize("seed", range(8))
def test_several_applications_are_no_worse_than_one_after_another(seed: int) -> None:
    problem = random_problem(Random(seed), apps=(5, 5), nodes=(3, 3), blocks=(1, 4))
    plan, fin = plan_of(problem, default_backend()), make_plan(problem)
    priorities = sorted({app.priority for app in problem.apps}, reverse=True)

    def admitted(each: Plan) -> list[int]:
        return [sum(problem.app[k].priority == p for k in each.app) for p in priorities]

    assert admitted(plan) >= admitted(fin)
    if set(plan.app) == set(fin.app):
        assert power(problem, fin) >= plan.power_bound * (1 - SOLVER)
        assert power(problem, plan) <= power(problem, fin) * (1 + SOLVER)


# One node, blocks of 1 MFLOP, a millicore of 1 MFLOP/s: an app of latency D alone needs 1/D.
MODEL = Model("one", 0.0, (Block("b", 1e6, 10, 0.0, Exit("e", 0.0, 0, 0.0, 0.9)),))


def node(name: str, millicores: int = 100, energy: float = 1e-9) -> Node:
    return Node(name, "edge", millicores, 1e6, 1000, 10, energy)


def app(name: str, latency: float = 1.0, priority: int = 0, created: str = "2025") -> App:
    return App("ns", name, MODEL, "n", 0.001, latency, 0.5, priority=priority, created=created)


def names(plan: Plan) -> set[str]:
    return {name for _, name in plan.app}


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_share_a_node_to_the_last_millicore(backend: Backend) -> None:
    both = (app("a", 1 / 70), app("b", 1 / 30))
    plan = plan_of(Problem((node("n", 100),), (), both), backend)
    assert [each.millicores for each in plan.apps] == [(("n", 70),), (("n", 30),)]
    tight = plan_of(Problem((node("n", 99),), (), both), backend)
    assert names(tight) == {"a"}
    assert tight.refusals[0].reason is Reason.INSUFFICIENT_COMPUTE


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_shared_node_is_divided_by_what_each_gains(backend: Backend) -> None:
    """Two split over two nodes that they share: neither alone tells how to divide them."""
    model = Model("two", 0.0, (Block("b1", 1e6, 0, 0.0), *MODEL.blocks))
    pair = tuple(
        replace(app(name, latency), model=model, local_blocks=1)
        for name, latency in (("a", 1 / 22), ("b", 1 / 26))
    )
    nodes = (node("n", 100, energy=1e-8), node("m", 100))
    links = (Link("n", "m", 1e9, 0.0, 0.0), Link("m", "n", 1e9, 0.0, 0.0))
    plan = plan_of(Problem(nodes, links, pair), backend)
    assert [each.placement.nodes for each in plan.apps] == [("n", "m"), ("n", "m")]
    # A little faster, and one of them keeps both blocks at home; much faster, and one goes.
    quicker = tuple(replace(each, latency=each.latency * 0.9) for each in pair)
    plan = plan_of(Problem(nodes, links, quicker), backend)
    assert {each.placement.nodes for each in plan.apps} == {("n", "n"), ("n", "m")}
    quickest = tuple(replace(each, latency=each.latency * 0.6) for each in pair)
    assert len(plan_of(Problem(nodes, links, quickest), backend).apps) == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_higher_priority_comes_before_any_number_of_lower_ones(backend: Backend) -> None:
    apps = (app("a", 1 / 30), app("b", 1 / 30), app("c", 1 / 30), app("top", 1 / 80, priority=5))
    assert names(plan_of(Problem((node("n"),), (), apps), backend)) == {"top"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_within_a_priority_the_most_are_admitted_then_the_older(backend: Backend) -> None:
    apps = (
        app("big", 1 / 80, created="2020"),
        app("young", 1 / 40, created="2024"),
        app("old", 1 / 40, created="2021"),
        app("older", 1 / 40, created="2020"),
        app("least", 1 / 10, priority=-1),
    )
    plan = plan_of(Problem((node("n", 95),), (), apps), backend)
    assert names(plan) == {"older", "old", "least"}
    assert plan.admission_proven


def test_which_of_a_high_priority_is_admitted_leaves_room_for_the_next() -> None:
    """Either of two may be admitted; only beside one of them there is room for the third."""
    apps = (
        app("a", 1 / 90, priority=1, created="2020"),
        app("b", 1 / 60, priority=1, created="2024"),
        app("c", 1 / 40),
    )
    plan = plan_of(Problem((node("n", 100),), (), apps), default_backend())
    assert names(plan) == {"b", "c"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_pods_memory_and_their_overhead_are_shared(backend: Backend) -> None:
    apps = (app("a"), app("b"), app("c"))
    for pods, memory, count in ((9, 30, 3), (2, 30, 2), (1, 30, 1), (9, 29, 2), (9, 9, 0)):
        problem = Problem((replace(node("n"), pods=pods, memory=memory),), (), apps)
        assert len(plan_of(problem, backend).apps) == count
    heavy = tuple(replace(each, model=replace(MODEL, memory_overhead=40)) for each in apps)
    problem = Problem((replace(node("n"), memory=149),), (), heavy)
    assert len(plan_of(problem, backend).apps) == 2


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("limited", ["link", "egress", "ingress"])
def test_links_and_interfaces_are_shared_and_no_transfer_is_split(
    backend: Backend, limited: str
) -> None:
    """Two ways to the node that must run the blocks, each wide enough for one transfer."""
    model = replace(MODEL, input_bytes=1000.0)
    apps = tuple(
        replace(app(f"app-{index}"), model=model, rate=1.0, tiers=frozenset({"far"}))
        for index in range(3)
    )
    wide, room = 1e9, 8000 / 0.8
    nodes = [node("n"), node("x"), node("y"), replace(node("z"), tier="far")]
    width = room if limited == "link" else wide
    links = [Link(*ends, width, 0.0, 1e-9) for ends in (("n", "x"), ("n", "y"))]
    links += [Link(*ends, wide, 0.0, 1e-9) for ends in (("x", "z"), ("y", "z"))]
    if limited == "egress":
        nodes[0] = replace(nodes[0], egress=2 * room)
    if limited == "ingress":
        nodes[3] = replace(nodes[3], ingress=2 * room)
    plan = plan_of(Problem(tuple(nodes), tuple(links), apps), backend)
    assert names(plan) == {"app-0", "app-1"}
    assert plan.refusals[0].reason is Reason.INSUFFICIENT_BANDWIDTH
    # one transfer of 1.5 times what either way carries can't be sent in halves
    wider = replace(apps[0], rate=1.5)
    if limited == "link":
        assert not plan_of(Problem(tuple(nodes), tuple(links), (wider,)), backend).apps


@pytest.mark.parametrize("backend", BACKENDS)
def test_targets_and_loads_may_be_met_exactly(backend: Backend) -> None:
    model = Model("m", 0.0, tuple(Block(f"b{i}", 1e6, 0, 0.0) for i in range(9)) + MODEL.blocks)
    exact = replace(app("a"), model=model, latency=10 / 70, rate=5.6)
    problem = Problem((node("n", 70),), (), (exact,))
    assert plan_of(problem, backend).app["ns", "a"].millicores == (("n", 70),)
    for beyond in (
        replace(exact, latency=exact.latency * (1 - 1e-6)),
        replace(exact, rate=exact.rate * (1 + 1e-6)),
    ):
        assert not plan_of(Problem((node("n", 70),), (), (beyond,)), backend).apps


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("energy", [1e-30, 1e-9, 1e15])
def test_energies_of_any_size(backend: Backend, energy: float) -> None:
    nodes = (node("n", energy=3 * energy), node("m", energy=energy))
    links = (Link("n", "m", 1e9, 0.0, 0.0),)
    plan = plan_of(Problem(nodes, links, (app("a"), app("b"))), backend)
    assert all(each.placement.nodes == ("m",) for each in plan.apps)
    assert plan.power_bound == pytest.approx(2 * 0.001 * 1e6 * energy, rel=SOLVER)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("ratio", [1e-12, 1e12])
def test_energies_far_apart(backend: Backend, ratio: float) -> None:
    """The blocks cost almost nothing against the network, or the other way round."""
    model = replace(MODEL, input_bytes=1e6 / 8)
    mover = replace(app("a"), model=model, tiers=frozenset({"far"}))
    nodes = (node("n"), node("x"), replace(node("z"), tier="far"))
    links = (
        Link("n", "z", 1e9, 0.0, 3e-9 * ratio),
        Link("n", "x", 1e9, 0.0, 1e-9 * ratio),
        Link("x", "z", 1e9, 0.0, 1e-9 * ratio),
    )
    plan = plan_of(Problem(nodes, links, (mover,)), backend)
    expected = 0.001 * (1e6 * 1e-9 + 2e6 * 1e-9 * ratio)
    assert power(Problem(nodes, links, (mover,)), plan) == pytest.approx(expected, rel=1e-9)
    assert plan.power_bound == pytest.approx(expected, rel=SOLVER)


@pytest.mark.parametrize("backend", BACKENDS)
def test_sizes_far_apart(backend: Backend) -> None:
    for seed in range(60):
        random = Random(seed)
        one_app(far_apart(random_problem(random), random), backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_costs_nothing_goes_no_roundabout_way(backend: Backend) -> None:
    nodes = tuple(node(name, energy=0.0) for name in "nxyz")
    links = tuple(Link(a.name, b.name, 1e9, 0.0, 0.0) for a in nodes for b in nodes if a is not b)
    idle = replace(app("a"), model=replace(MODEL, input_bytes=1e3))
    plan = plan_of(Problem(nodes, links, (idle,)), backend)
    assert power(Problem(nodes, links, (idle,)), plan) == plan.power_bound == 0.0
    for route in plan.apps[0].placement.routes:
        assert len(set(route)) == len(route)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_application_no_node_no_way(backend: Backend) -> None:
    nothing = plan_of(Problem((node("n"),), (), ()), backend)
    assert nothing == Plan("optimal", (), (), 0.0, admission_proven=True)
    away = replace(app("a"), tiers=frozenset({"cloud"}))
    plan = plan_of(Problem((node("n"),), (), (away,)), backend)
    assert plan.refusals[0].reason is Reason.PLACEMENT_UNSATISFIABLE
    demanding = replace(app("a"), min_accuracy=0.99)
    plan = plan_of(Problem((node("n"),), (), (demanding,)), backend)
    assert plan.refusals[0].reason is Reason.ACCURACY_UNREACHABLE
    late = plan_of(Problem((node("n"),), (), (app("a", 1 / 101),)), backend)
    assert late.refusals[0].reason is Reason.LATENCY_UNREACHABLE


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_time_at_all_proves_nothing_and_says_so(backend: Backend) -> None:
    problem = Problem((node("n"),), (), (app("a"), replace(app("b"), min_accuracy=1.0)))
    plan = plan_of(problem, backend, limit=0.0)
    assert plan.apps == ()
    assert not plan.admission_proven
    assert plan.power_bound == 0.0
    assert plan.refusal["ns", "a"].reason is Reason.NOT_PROVEN
    assert plan.refusal["ns", "b"].reason is Reason.ACCURACY_UNREACHABLE


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("limit", [0.05, 0.2, 1.0])
def test_whatever_is_found_in_time_is_valid(backend: Backend, limit: float) -> None:
    problem = random_problem(Random(33), apps=(6, 6), nodes=(3, 3), millicores=(100, 200))
    plan = plan_of(problem, backend, limit)
    assert plan.power_bound <= power(problem, plan) * (1 + 1e-12)
    for each in plan.apps:
        alone = evaluate(problem, problem.app[each.key], each.placement).energy
        assert each.bound <= alone * (1 + 1e-12)


T = TypeVar("T")


def shuffled(items: Sequence[T], random: Random) -> tuple[T, ...]:
    return tuple(random.sample(items, len(items)))


def test_the_order_of_the_input_changes_nothing() -> None:
    problem = random_problem(Random(7), apps=(4, 4), nodes=(3, 3), blocks=(2, 4))
    expected = optimal(problem)
    for seed in range(4):
        random = Random(seed)
        other = replace(
            problem,
            nodes=shuffled(problem.nodes, random),
            links=shuffled(problem.links, random),
            apps=shuffled(problem.apps, random),
        )
        plan = optimal(other)
        assert dict(plan.app) == dict(expected.app)
        assert plan.power_bound == expected.power_bound


def test_what_runs_is_replaced_or_evicted() -> None:
    problem = Problem((node("n", 100),), (), (app("a", 1 / 70), app("b", 1 / 70)))
    there = AppPlan(("ns", "b"), Placement(("n",), (("n",),)), (("n", 70),))
    gone = AppPlan(("ns", "gone"), there.placement, there.millicores)
    running = (
        Running(there.key, 0, footprint(problem, there), there),
        Running(gone.key, 0, footprint(problem, there)),
    )
    plan = optimal(problem, running)
    assert names(plan) == {"a"}
    assert set(plan.evicted) == {("ns", "b"), ("ns", "gone")}
    assert check(problem, plan, running) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_written_to_the_terminal(
    backend: Backend, capfd: pytest.CaptureFixture[str]
) -> None:
    optimal(Problem((node("n", 100),), (), (app("a", 1 / 70), app("b", 1 / 70))), backend=backend)
    assert capfd.readouterr() == ("", "")


def test_cbc_is_the_default_where_highs_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_backend() == "highs"
    monkeypatch.setattr(milp_solver, "find_spec", lambda _: None)
    assert default_backend() == "cbc"
    plan = optimal(Problem((node("n"),), (), (app("a"),)))
    assert plan.power_bound == pytest.approx(1e-6)
    assert not math.isinf(plan.apps[0].bound)
