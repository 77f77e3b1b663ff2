"""Plans held against all that there are."""

import pytest

from fin.planning.check import check
from fin.planning.plan import Plan
from fin.planning.problem import Problem
from tests.helpers.exhaustive import JointOptimum, Optimum, joint_optimum, optimum
from tests.helpers.power import power

_ROUNDING = 1e-6
_TOLERANCE = 1e-3


def best_for_one(problem: Problem, plan: Plan) -> Optimum | None:
    """Hold the plan of a problem's only app against every plan; return the best of them."""
    best = optimum(problem, problem.apps[0])
    assert check(problem, plan) == []
    assert bool(plan.apps) == (best is not None)
    if best is not None:
        least = best.energy * problem.apps[0].rate
        assert power(problem, plan) == pytest.approx(least, rel=_TOLERANCE)
        assert plan.power_bound <= least * (1 + _ROUNDING)
    return best


def best_for_all(problem: Problem, plan: Plan) -> JointOptimum:
    """Hold the plan of several apps against every plan; return the best of them."""
    best = joint_optimum(problem)
    assert check(problem, plan) == []
    assert frozenset(plan.app) == best.admitted
    assert plan.power_bound <= best.power * (1 + _ROUNDING)
    assert power(problem, plan) >= best.power * (1 - _ROUNDING)
    assert power(problem, plan) <= best.power * (1 + _TOLERANCE)
    return best
