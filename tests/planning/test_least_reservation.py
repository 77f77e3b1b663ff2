"""Models whose segments reserve more than the kubelet's least, by every planner."""

from random import Random

import pytest

from fin.planning.plan import Plan
from fin.planning.problem import Problem
from fin.planning.solvers import SOLVERS, make_plan
from tests.helpers.exhaustive import joint_optimum, optimum
from tests.helpers.instances import random_problem, with_least
from tests.helpers.optimal import best_for_all, best_for_one

SMALL = {"model-0": 28, "model-1": 16}


def keeps_to_it(problem: Problem, plan: Plan) -> None:
    for each in plan.apps:
        least = problem.app[each.key].model.min_millicores
        assert all(millicores >= least for _, millicores in each.millicores)


@pytest.mark.parametrize("solver", ["fin", "optimal"])
def test_one_app_against_every_plan_there_is(solver: str) -> None:
    changed = 0
    for seed in range(120):
        drawn = random_problem(Random(seed), millicores=(1000, 4000))
        problem = with_least(drawn, dict.fromkeys(SMALL, 2000))
        plan = make_plan(problem, solver=solver)
        keeps_to_it(problem, plan)
        best = best_for_one(problem, plan)
        free = optimum(drawn, drawn.apps[0])
        changed += free is not None and (best is None or best.energy > free.energy * 1.001)
    assert changed > 5, "the least reservation decided nothing"


@pytest.mark.parametrize("solver", ["fin", "optimal"])
def test_two_apps_against_every_plan_there_is(solver: str) -> None:
    changed = 0
    for seed in range(120):
        drawn = random_problem(
            Random(seed), apps=(2, 2), nodes=(2, 3), blocks=(1, 3), millicores=(30, 40)
        )
        problem = with_least(drawn, SMALL)
        plan = make_plan(problem, solver=solver)
        keeps_to_it(problem, plan)
        best = best_for_all(problem, plan)
        free = joint_optimum(drawn)
        changed += free.admitted != best.admitted or free.power < best.power * 0.999
    assert changed > 5, "the least reservation decided nothing"


@pytest.mark.parametrize("solver", sorted(set(SOLVERS) - {"fin", "optimal"}))
def test_every_other_planner_keeps_to_it(solver: str) -> None:
    placed = 0
    for seed in range(20):
        problem = with_least(
            random_problem(Random(seed), apps=(2, 4), nodes=(3, 5)), dict.fromkeys(SMALL, 300)
        )
        plan = make_plan(problem, solver=solver)
        for each in plan.apps:
            assert all(millicores >= 300 for _, millicores in each.millicores)
        placed += len(plan.apps)
    assert placed
