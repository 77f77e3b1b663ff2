"""Several applications together at the ends of the scale: sizes, units, lengths, nothing."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fin.planning.check import check
from fin.planning.options import Options
from fin.planning.placing import unrestricted
from fin.planning.plan import Reason, gap
from fin.planning.problem import App, Block, Exit, Model, Node, Problem
from fin.planning.sequential import plan_in_order
from fin.planning.solvers import make_plan
from tests.helpers.exhaustive import joint_optimum
from tests.helpers.instances import far_apart, random_problem
from tests.helpers.power import power
from tests.planning.test_fin_properties import chain, powers, scaled

TOLERANCE = 1e-3


def two(random: Random) -> Problem:
    """Two applications on nodes so small that every division into millicores can be tried."""
    return random_problem(random, apps=(2, 2), nodes=(2, 3), blocks=(1, 3), millicores=(40, 60))


def alike(problem: Problem, names: Sequence[str]) -> Problem:
    """The problem's one application, several times."""
    return replace(problem, apps=tuple(replace(problem.apps[0], name=name) for name in names))


@pytest.mark.parametrize("seed", range(0, 200, 50))
def test_sizes_up_to_33_orders_of_magnitude_apart(seed: int) -> None:
    served = 0
    for each in range(seed, seed + 50):
        random = Random(each)
        problem = far_apart(two(random), random)
        plan, best = make_plan(problem), joint_optimum(problem)
        assert not check(problem, plan), each
        assert len(plan.apps) == len(best.admitted), each
        served += len(plan.apps)
        if frozenset(plan.app) == best.admitted:
            assert plan.power_bound <= best.power * (1 + 1e-9), each
            assert best.power * (1 - 1e-9) <= power(problem, plan), each
            assert power(problem, plan) <= best.power * (1 + TOLERANCE), each
    assert served > 10


@pytest.mark.parametrize("seed", [*range(20), 1635, 2012, 2891])
def test_more_applications_of_sizes_far_apart(seed: int) -> None:
    """The power may fall by thirteen orders of magnitude between two steps of the planner."""
    random = Random(seed)
    problem = far_apart(
        random_problem(random, apps=(3, 6), nodes=(3, 5), blocks=(1, 4), millicores=(100, 400)),
        random,
    )
    together = make_plan(problem, options=Options(time_limit=20))
    apart = plan_in_order(problem, (), Options(), unrestricted, "in order")
    assert not check(problem, together)
    assert together.power_bound <= power(problem, together) * (1 + 1e-9)
    assert len(together.apps) >= len(apart.apps)
    if frozenset(together.app) == frozenset(apart.app):
        assert power(problem, together) <= power(problem, apart) * (1 + 1e-9)
        assert together.power_bound <= power(problem, apart) * (1 + 1e-9)


@given(
    st.integers(0, 10_000).map(lambda seed: two(Random(seed))),
    powers,
    powers,
    powers,
    st.sampled_from([1, 2, 1024]),
)
@settings(deadline=None, max_examples=40)
def test_other_units_change_no_more_than_the_tolerance(
    problem: Problem, time: float, energy: float, flop: float, size: int
) -> None:
    """HiGHS has tolerances of its own, in absolute terms: they must not show in the answers."""
    other = scaled(problem, time=time, energy=energy, flop=flop, size=size)
    here, there = make_plan(problem), make_plan(other)
    assert not check(other, there)
    assert frozenset(there.app) == frozenset(here.app)
    assert there.admission_proven == here.admission_proven
    unit = energy / time
    bounds = here.power_bound, there.power_bound / unit
    for watts in power(problem, here), power(other, there) / unit:
        assert max(bounds) <= watts * (1 + 1e-9)
        assert gap(watts, max(bounds)) <= TOLERANCE


@pytest.mark.parametrize(("latency", "apps"), [(0.5, 8), (0.3, 4)])
def test_the_longest_models_on_equal_nodes(latency: float, apps: int) -> None:
    """Two fit a node at 0.5 s, one at 0.3 s."""
    problem = alike(chain(256, 4, latency), [f"app-{index}" for index in range(apps)])
    roomy = replace(problem, nodes=tuple(replace(node, millicores=1100) for node in problem.nodes))
    plan = make_plan(roomy)
    assert not check(roomy, plan)
    assert len(plan.apps) == apps
    assert gap(power(roomy, plan), plan.power_bound) <= TOLERANCE


def test_equal_applications_on_equal_nodes_that_are_full() -> None:
    """One more than fits is refused, and by the order of its name."""
    problem = alike(chain(8, 4, 0.01), [f"app-{index}" for index in range(5)])
    plan = make_plan(problem)
    assert not check(problem, plan)
    assert [name for _, name in plan.app] == ["app-0", "app-1", "app-2", "app-3"]
    assert [refusal.key[1] for refusal in plan.refusals] == ["app-4"]
    assert plan.refusals[0].reason == Reason.INSUFFICIENT_COMPUTE


def idle(rate: float, nodes: int = 1) -> Problem:
    """A model without work, data or memory, whose exits take nothing."""
    blocks = (
        Block("first", 0.0, 0, 0.0, Exit("early", 0.0, 0, 0.0, 0.5)),
        Block("last", 0.0, 0, 0.0, Exit("end", 0.0, 0, 0.0, 1.0)),
    )
    model = Model("idle", 0.0, blocks)
    system = tuple(Node(f"n{index}", "edge", 40, 1.0, 0, 4, 0.0) for index in range(nodes))
    return Problem(system, (), (App("default", "app", model, "n0", rate, 1e-12, 1.0),))


@pytest.mark.parametrize("rate", [1e-12, 1.0, 1e18])
def test_models_without_work_or_data_cost_nothing(rate: float) -> None:
    problem = alike(idle(rate), ["a", "b", "c", "d"])
    plan = make_plan(problem)
    assert not check(problem, plan)
    assert len(plan.apps) == 4
    assert power(problem, plan) == plan.power_bound == 0.0
    more = make_plan(alike(idle(rate), ["a", "b", "c", "d", "e"]))
    assert len(more.apps) == 4
    assert [refusal.key[1] for refusal in more.refusals] == ["e"]


def test_a_node_without_any_room_is_passed_over() -> None:
    problem = alike(chain(4, 3, 0.5), ["a", "b"])
    home, *others = problem.nodes
    empty = replace(home, millicores=0, memory=0, pods=0)
    plan = make_plan(replace(problem, nodes=(empty, *others)))
    assert not check(replace(problem, nodes=(empty, *others)), plan)
    assert len(plan.apps) == 2
    assert all(home.name not in each.placement.nodes for each in plan.apps)


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_rates_far_apart_share_a_node(factor: float) -> None:
    """The power of one is nothing beside the other's: each still gets its best placement."""
    problem = alike(chain(4, 3, 0.5), ["a", "b"])
    first, second = problem.apps
    cheap, *others = problem.nodes
    system = (cheap, *(replace(node, joules_per_flop=3e-9) for node in others))
    apart = replace(problem, nodes=system, apps=(first, replace(second, rate=second.rate * factor)))
    plan = make_plan(apart)
    assert not check(apart, plan)
    for each in plan.apps:
        assert set(each.placement.nodes) == {cheap.name}
    if factor < 1:
        assert len(plan.apps) == 2
    else:
        assert [refusal.reason for refusal in plan.refusals] == [Reason.RATE_TOO_HIGH]
