"""A longer look at joint planning, by `make soak`: thousands of random systems, most of an hour.

No part of `make test`: what is found here becomes a test there.
"""

from random import Random

import numpy as np
import pytest

from fin.planning.options import Options
from fin.planning.placing import unrestricted
from fin.planning.sequential import plan_in_order
from fin.planning.solvers import make_plan
from tests.helpers.exhaustive import joint_optimum
from tests.helpers.instances import random_problem
from tests.helpers.power import power
from tests.planning.test_joint import best_together, small
from tests.planning.test_joint_pricing import check_pricing

pytestmark = pytest.mark.timeout(3600)


@pytest.mark.parametrize("seed", range(10_000, 12_000, 100))
def test_two_applications(seed: int) -> None:
    for each in range(seed, seed + 100):
        problem = random_problem(
            Random(each), apps=(2, 2), nodes=(2, 3), blocks=(1, 3), millicores=(40, 60)
        )
        plan, best = make_plan(problem), joint_optimum(problem)
        assert len(plan.apps) <= len(best.admitted), each
        if frozenset(plan.app) == best.admitted:
            assert plan.power_bound <= best.power * (1 + 1e-9), each
            assert best.power * (1 - 1e-9) <= power(problem, plan) <= best.power * 1.01, each


@pytest.mark.parametrize("seed", range(20_000, 22_000, 100))
def test_three_applications(seed: int) -> None:
    for each in range(seed, seed + 100):
        problem = small(each)
        best = best_together(problem)
        plan = make_plan(problem)
        if best is not None and len(plan.apps) == 3:
            assert plan.power_bound <= best * (1 + 1e-9), each
            assert best * (1 - 1e-9) <= power(problem, plan), each


@pytest.mark.parametrize("seed", range(30_000, 32_000, 100))
def test_pricing(seed: int) -> None:
    for each in range(seed, seed + 100):
        random = Random(each)
        problem = random_problem(random, nodes=(2, 4), blocks=(2, 5), millicores=(100, 1000))
        with np.errstate(all="ignore"):
            check_pricing(problem, random)


@pytest.mark.parametrize("seed", range(40_000, 40_100))
def test_more_applications_are_no_worse_than_in_order(seed: int) -> None:
    problem = random_problem(
        Random(seed), apps=(4, 10), nodes=(3, 7), blocks=(2, 5), millicores=(100, 400)
    )
    together = make_plan(problem, options=Options(time_limit=30))
    apart = plan_in_order(problem, (), Options(), unrestricted, "in order")
    assert len(together.apps) >= len(apart.apps)
    if frozenset(together.app) == frozenset(apart.app):
        assert power(problem, together) <= power(problem, apart) * 1.001
