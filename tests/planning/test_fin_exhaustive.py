"""FIN for one application against exhaustive search on hundreds of random small systems."""

import math
from random import Random

import pytest
from hypothesis import given, settings

from fin.planning.check import check
from fin.planning.fin import Solution, solve
from fin.planning.options import Options
from fin.planning.plan import Plan, gap
from fin.planning.problem import Problem
from fin.planning.reserve import reserve
from fin.planning.system import system_left
from tests.helpers.exhaustive import optimum
from tests.helpers.instances import problems, random_problem

ROUNDING = 1e-9
GAMMAS = (3, 6, 12, 24, 48)


def fin(problem: Problem, options: Options) -> Solution:
    """FIN's answer for the only application, which must pass every check."""
    app = problem.apps[0]
    answer = solve(system_left(problem), app, options)
    if answer.placement is not None:
        plan = reserve(problem, app, answer.placement)
        assert plan is not None
        assert check(problem, Plan("fin", (plan,), ())) == []
    return answer


def agrees(problem: Problem, answer: Solution, tolerance: float) -> None:
    """Hold the answer against the true optimum."""
    best = optimum(problem, problem.apps[0])
    if best is None:
        assert answer == Solution(None, math.inf, math.inf)
        return
    assert answer.placement is not None, f"missed a plan of {best.energy} J"
    assert answer.energy >= best.energy * (1 - ROUNDING)
    assert answer.bound <= best.energy * (1 + ROUNDING)
    assert gap(answer.energy, answer.bound) <= tolerance + ROUNDING
    assert answer.energy * (1 - tolerance) <= best.energy * (1 + ROUNDING)


@pytest.mark.parametrize("tolerance", [0.0, 1e-3, 0.2])
@pytest.mark.parametrize("seed", range(0, 600, 60))
def test_least_energy_within_the_tolerance(seed: int, tolerance: float) -> None:
    for each in range(seed, seed + 60):
        problem = random_problem(Random(each))
        agrees(problem, fin(problem, Options(tolerance=tolerance)), tolerance)


@given(problems())
@settings(deadline=None, max_examples=200)
def test_least_energy_of_any_problem(problem: Problem) -> None:
    agrees(problem, fin(problem, Options(tolerance=0.0)), 0.0)


@pytest.mark.parametrize("seed", range(1000, 1150, 15))
def test_slots_give_feasible_answers_valid_bounds_and_gaps_that_never_widen(seed: int) -> None:
    for each in range(seed, seed + 15):
        problem = random_problem(Random(each))
        best = optimum(problem, problem.apps[0])
        least = best.energy if best else math.inf
        widest = math.inf
        for gamma in GAMMAS:
            answer = fin(problem, Options(gamma=gamma))
            assert answer.bound <= least * (1 + ROUNDING)
            assert answer.energy >= least * (1 - ROUNDING)
            found = gap(answer.energy, answer.bound) if answer.placement else math.inf
            assert found <= widest + ROUNDING
            widest = found


def test_slots_miss_some_optima_and_find_them_when_there_are_many() -> None:
    missed, found = set(), 0
    for seed in range(1000, 1150):
        problem = random_problem(Random(seed))
        best = optimum(problem, problem.apps[0])
        if best is None:
            continue
        for gamma in (3, 1000):
            energy = fin(problem, Options(gamma=gamma)).energy
            if energy > best.energy * (1 + ROUNDING):
                missed.add((seed, gamma))
            else:
                found += gamma == 1000
    assert len([gamma for _, gamma in missed if gamma == 3]) > 10
    assert len([gamma for _, gamma in missed if gamma == 1000]) < 3
    assert found > 50
