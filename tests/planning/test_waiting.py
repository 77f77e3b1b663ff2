"""Requests that wait for each other: the factor by theory, and by every planner."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from fin.planning.evaluation import evaluate, speeds
from fin.planning.problem import Problem
from fin.planning.solvers import make_plan
from fin.planning.waiting import poisson_waiting
from tests.helpers.exhaustive import optimum
from tests.helpers.instances import random_problem
from tests.helpers.optimal import best_for_all, best_for_one


def with_waiting(problem: Problem, factor: float) -> Problem:
    return replace(problem, apps=tuple(replace(each, waiting=factor) for each in problem.apps))


@pytest.mark.parametrize("load", [0.2, 0.5, 0.8])
def test_the_factor_is_the_mean_of_a_simulated_queue(load: float) -> None:
    random = np.random.default_rng(1)
    gaps = random.exponential(1 / load, 400_000)
    work = 0.0
    total = 0.0
    for gap in gaps:
        work = max(work - gap, 0.0) + 1.0
        total += work
    assert total / len(gaps) == pytest.approx(poisson_waiting(load), rel=0.03)


@pytest.mark.parametrize("solver", ["fin", "optimal"])
def test_one_app_against_every_plan_there_is(solver: str) -> None:
    changed = 0
    for seed in range(120):
        drawn = random_problem(Random(seed))
        problem = with_waiting(drawn, 3.0)
        best = best_for_one(problem, make_plan(problem, solver=solver))
        free = optimum(drawn, drawn.apps[0])
        changed += free is not None and (best is None or best.energy > free.energy * 1.001)
    assert changed > 5, "waiting decided nothing"


@pytest.mark.parametrize("solver", ["fin", "optimal"])
def test_two_apps_against_every_plan_there_is(solver: str) -> None:
    for seed in range(60):
        drawn = random_problem(
            Random(seed), apps=(2, 2), nodes=(2, 3), blocks=(1, 3), millicores=(30, 40)
        )
        problem = with_waiting(drawn, 2.0)
        best_for_all(problem, make_plan(problem, solver=solver))


def test_a_plans_latency_holds_what_requests_wait_at_its_own_load() -> None:
    """At any load that constraint 3 admits, the queue's mean is within the planned latency."""
    checked = 0
    for seed in range(60):
        drawn = random_problem(Random(seed))
        problem = with_waiting(drawn, poisson_waiting(min(drawn.utilisation, 0.9)))
        problem = replace(problem, utilisation=min(drawn.utilisation, 0.9))
        for each in make_plan(problem).apps:
            app = problem.app[each.key]
            found, reserved = evaluate(problem, app, each.placement), speeds(problem, each)
            for node, work in found.work.items():
                load = found.load[node] / reserved[node]
                idle = work / app.waiting / reserved[node]
                assert idle * poisson_waiting(load) <= work / reserved[node] * (1 + 1e-9)
                checked += 1
    assert checked > 20
