"""Several applications planned together: against every plan there is, and the whole MILP."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby, product
from random import Random

import pytest

from fin.planning.check import check
from fin.planning.deadline import Deadline
from fin.planning.evaluation import evaluate, footprint
from fin.planning.milp_reserve import Impossible, reserve_together
from fin.planning.options import Options
from fin.planning.placing import unrestricted
from fin.planning.plan import Placement, Plan, Running, gap
from fin.planning.problem import AppKey, Problem
from fin.planning.sequential import plan_in_order
from fin.planning.solvers import make_plan
from tests.helpers.exhaustive import joint_optimum, placements
from tests.helpers.instances import random_problem
from tests.helpers.power import power

MOST = 20_000
"""Combinations of placements that a test looks at; larger systems are passed over."""


def small(seed: int) -> Problem:
    """Three applications on a few nodes, on which they do not all fit where they would."""
    return random_problem(
        Random(seed), apps=(3, 3), nodes=(3, 4), blocks=(1, 2), millicores=(30, 50)
    )


def running(problem: Problem, plan: Plan) -> list[Running]:
    """All of a plan, as it runs."""
    return [
        Running(each.key, problem.app[each.key].priority, footprint(problem, each), each)
        for each in plan.apps
    ]


def best_together(problem: Problem) -> float | None:
    """Least power (W) that admits all, by all placements; None where there are too many or none."""
    ways: list[list[tuple[float, AppKey, Placement]]] = []
    combinations = 1
    for app in problem.apps:
        mine = [
            (app.rate * evaluate(problem, app, placement).energy, app.key, placement)
            for placement in placements(problem, app)
        ]
        combinations *= len(mine)
        ways.append(sorted(mine, key=lambda way: way[0]))
    if not 0 < combinations <= MOST:
        return None
    for chosen in sorted(product(*ways), key=lambda each: sum(way[0] for way in each)):
        together: Mapping[AppKey, Placement] = {key: placement for _, key, placement in chosen}
        found = reserve_together(problem, together, "highs", Deadline(None))
        if not isinstance(found, Impossible):
            return sum(way[0] for way in chosen)
    return None


@pytest.mark.parametrize("seed", range(0, 120, 20))
def test_three_applications_against_every_plan_there_is(seed: int) -> None:
    for each in range(seed, seed + 20):
        problem = small(each)
        best = best_together(problem)
        if best is None:
            continue
        plan = make_plan(problem)
        if len(plan.apps) == 3:
            assert plan.power_bound <= best * (1 + 1e-9)
            assert best * (1 - 1e-9) <= power(problem, plan)
            assert gap(power(problem, plan), plan.power_bound) < 0.01 or (
                power(problem, plan) <= best * 1.01
            )


def returns(placement: Placement) -> bool:
    """Whether it comes back to a node after it left it."""
    return len(set(placement.nodes)) < len(list(groupby(placement.nodes)))


def test_nodes_that_are_come_back_to_against_every_plan_there_is() -> None:
    """Longer models, for two: and what these are checked on is of every kind."""
    statistics, one_way, came_back = set(), 0, 0
    for seed in range(200):
        problem = random_problem(
            Random(seed), apps=(2, 2), nodes=(2, 3), blocks=(3, 4), millicores=(30, 40)
        )
        plan, best = make_plan(problem), joint_optimum(problem)
        assert frozenset(plan.app) == best.admitted, seed
        assert plan.power_bound <= best.power * (1 + 1e-9), seed
        assert best.power * (1 - 1e-9) <= power(problem, plan) <= best.power * 1.001, seed
        statistics |= {app.statistic for app in problem.apps}
        one_way += any((head, tail) not in problem.link for tail, head in problem.link)
        came_back += any(returns(each.placement) for each in plan.apps)
    assert statistics == {"Mean", "Max"}
    assert one_way
    assert came_back


@pytest.mark.parametrize("seed", range(4))
def test_middling_systems_against_the_whole_programme(seed: int) -> None:
    problem = random_problem(
        Random(1000 + seed), apps=(4, 5), nodes=(4, 5), blocks=(2, 3), millicores=(60, 200)
    )
    plan, best = (
        make_plan(problem),
        make_plan(problem, options=Options(time_limit=30), solver="optimal"),
    )
    assert not check(problem, plan)
    assert len(plan.apps) <= len(best.apps) or not best.admission_proven
    if frozenset(plan.app) == frozenset(best.app) and best.admission_proven:
        assert plan.power_bound <= power(problem, best) * (1 + 1e-9)
        assert power(problem, plan) >= best.power_bound * (1 - 1e-9)


@pytest.mark.parametrize("seed", range(0, 60, 20))
def test_admission_is_proven_only_where_no_plan_admits_more(seed: int) -> None:
    proven = []
    for each in range(seed, seed + 20):
        problem = random_problem(
            Random(each), apps=(2, 2), nodes=(2, 3), blocks=(1, 3), millicores=(40, 60)
        )
        plan = make_plan(problem)
        proven.append(plan.admission_proven)
        if plan.admission_proven:
            assert len(plan.apps) == len(joint_optimum(problem).admitted)
        else:
            assert plan.refusals
    assert any(proven)


@pytest.mark.parametrize("seed", range(6))
def test_together_is_no_worse_than_one_after_another(seed: int) -> None:
    problem = random_problem(
        Random(2000 + seed), apps=(5, 8), nodes=(4, 6), blocks=(2, 4), millicores=(100, 400)
    )
    together = make_plan(problem)
    apart = plan_in_order(problem, (), Options(), unrestricted, "in order")
    assert len(together.apps) >= len(apart.apps)
    if frozenset(together.app) == frozenset(apart.app):
        assert power(problem, together) <= power(problem, apart) * 1.001
        assert together.power_bound >= apart.power_bound * (1 - 1e-9)


def test_a_system_that_once_was_worse_together_than_in_order() -> None:
    """Found by `make soak`; the integer programme alone does not get there in time."""
    problem = random_problem(
        Random(40_090), apps=(4, 10), nodes=(3, 7), blocks=(2, 5), millicores=(100, 400)
    )
    together = make_plan(problem, options=Options(time_limit=10))
    apart = plan_in_order(problem, (), Options(), unrestricted, "in order")
    assert frozenset(together.app) == frozenset(apart.app)
    assert power(problem, together) <= power(problem, apart)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_input_is_irrelevant(seed: int) -> None:
    problem = random_problem(
        Random(3000 + seed), apps=(4, 6), nodes=(3, 4), blocks=(2, 3), millicores=(60, 200)
    )
    random = Random(seed)
    shuffled = replace(
        problem,
        nodes=tuple(random.sample(problem.nodes, len(problem.nodes))),
        links=tuple(random.sample(problem.links, len(problem.links))),
        apps=tuple(random.sample(problem.apps, len(problem.apps))),
    )
    assert make_plan(shuffled) == make_plan(problem)
    assert make_plan(problem) == make_plan(problem)


@pytest.mark.parametrize("seed", range(4))
def test_what_runs_moves_only_where_that_saves_enough(seed: int) -> None:
    problem = random_problem(
        Random(4000 + seed), apps=(4, 6), nodes=(4, 5), blocks=(2, 3), millicores=(100, 300)
    )
    first = make_plan(problem)
    again = make_plan(problem, running(problem, first))
    assert again.app.keys() >= first.app.keys()
    moved = [
        key
        for key, plan in first.app.items()
        if (plan.placement, plan.millicores)
        != (again.app[key].placement, again.app[key].millicores)
    ]
    if frozenset(again.app) == frozenset(first.app):
        apps = problem.app
        before = sum(
            apps[key].rate * evaluate(problem, apps[key], first.app[key].placement).energy
            for key in moved
        )
        saved = power(problem, first) - power(problem, again)
        assert saved > 0.05 * before or not moved


@pytest.mark.parametrize("seed", range(0, 40, 10))
def test_what_runs_may_be_cut_at_another_exit_than_is_asked_for_now(seed: int) -> None:
    changed = 0
    for each in range(5000 + seed, 5010 + seed):
        problem = random_problem(
            Random(each), apps=(3, 5), nodes=(3, 4), blocks=(2, 4), millicores=(40, 120)
        )
        demanding = replace(
            problem,
            apps=tuple(replace(app, min_accuracy=app.model.best_accuracy) for app in problem.apps),
        )
        first = make_plan(demanding)
        modest = replace(
            problem, apps=tuple(replace(app, min_accuracy=0.0) for app in problem.apps)
        )
        plan = make_plan(modest, running(demanding, first))
        assert not check(modest, plan, running(demanding, first))
        assert plan.app.keys() >= first.app.keys()
        changed += any(
            len(plan.app[key].placement.nodes) != len(first.app[key].placement.nodes)
            for key in first.app
        )
    assert changed
