"""Why an application has no plan: each reason against exhaustive search with limits lifted."""

import re
from dataclasses import replace
from random import Random

import pytest

from fin.planning.evaluation import evaluate
from fin.planning.plan import Reason
from fin.planning.problem import App, Problem
from fin.planning.solvers import make_plan
from tests.helpers.exhaustive import optimum, placements
from tests.helpers.instances import random_problem

PLENTY = 10**15
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def lifted(
    problem: Problem,
    *,
    latency: bool = False,
    rate: bool = False,
    compute: bool = False,
    memory: bool = False,
    pods: bool = False,
) -> Problem:
    """The problem without some kinds of limit; without a rate nothing has a load."""
    nodes = problem.nodes
    if compute:
        nodes = tuple(replace(node, millicores=PLENTY) for node in nodes)
    if memory:
        nodes = tuple(replace(node, memory=PLENTY) for node in nodes)
    if pods:
        nodes = tuple(replace(node, pods=PLENTY) for node in nodes)
    app = problem.apps[0]
    app = replace(
        app,
        latency=float(PLENTY) if latency else app.latency,
        rate=1e-15 if rate else app.rate,
    )
    return replace(problem, nodes=nodes, apps=(app,))


def possible(problem: Problem) -> bool:
    return optimum(problem, problem.apps[0]) is not None


def quickest(problem: Problem, app: App) -> float:
    whole = {node.name: node.capacity for node in problem.nodes}
    return min(
        evaluate(problem, app, placement).latency(whole) for placement in placements(problem, app)
    )


def expected(problem: Problem) -> set[Reason]:
    """The reasons that may be given, found by lifting limits in the order of the rules."""
    app = problem.apps[0]
    if app.model.cut(app.min_accuracy) is None:
        return {Reason.ACCURACY_UNREACHABLE}
    everything = lifted(problem, latency=True, rate=True, compute=True, memory=True, pods=True)
    if not possible(everything):
        return {Reason.PLACEMENT_UNSATISFIABLE}
    idle = lifted(problem, rate=True, memory=True, pods=True)
    if possible(lifted(idle, latency=True)) and not possible(idle):
        return {Reason.LATENCY_UNREACHABLE}
    if possible(idle) and not possible(lifted(problem, memory=True, pods=True)):
        return {Reason.RATE_TOO_HIGH}
    if possible(lifted(problem, compute=True)):
        return {Reason.INSUFFICIENT_COMPUTE}
    if possible(lifted(problem, memory=True)):
        return {Reason.INSUFFICIENT_MEMORY}
    if possible(lifted(problem, pods=True)):
        return {Reason.INSUFFICIENT_PODS}
    return {Reason.INSUFFICIENT_BANDWIDTH, Reason.INSUFFICIENT_CAPACITY}


@pytest.mark.parametrize("seed", range(0, 600, 60))
def test_the_reason_is_the_first_limit_that_stands_in_the_way(seed: int) -> None:
    for each in range(seed, seed + 60):
        problem = random_problem(Random(each))
        plan = make_plan(problem)
        for refusal in plan.refusals:
            assert refusal.reason in expected(problem), each


def test_every_reason_alone_is_met_and_tells_the_best_value() -> None:
    met = set()
    for seed in range(600):
        problem = random_problem(Random(seed))
        app = problem.apps[0]
        for refusal in make_plan(problem).refusals:
            met.add(refusal.reason)
            if refusal.reason is Reason.LATENCY_UNREACHABLE:
                value, unit = re.findall(r"([\d.e+-]+) (s|ms|us|ns) at best", refusal.message)[0]
                idle = lifted(problem, latency=True, rate=True, memory=True, pods=True)
                best = quickest(idle, idle.apps[0])
                assert float(value) * SECONDS[unit] == pytest.approx(best, rel=6e-3), seed
                assert best > app.latency
            if refusal.reason is Reason.RATE_TOO_HIGH:
                (value,) = re.findall(r"rate ([\d.e+-]+)/s at best", refusal.message)
                free = lifted(problem, memory=True, pods=True)
                slower, faster = (
                    replace(free, apps=(replace(app, rate=float(value) * by),))
                    for by in (0.99, 1.01)
                )
                assert float(value) < app.rate
                assert float(value) == 0 or possible(slower), seed
                assert not possible(faster) or float(value) == 0, seed
    assert met >= {
        Reason.PLACEMENT_UNSATISFIABLE,
        Reason.LATENCY_UNREACHABLE,
        Reason.RATE_TOO_HIGH,
        Reason.INSUFFICIENT_COMPUTE,
        Reason.INSUFFICIENT_MEMORY,
        Reason.INSUFFICIENT_PODS,
    }
