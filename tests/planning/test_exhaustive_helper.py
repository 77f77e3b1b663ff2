"""The exhaustive search that judges the planners, itself against plainer means."""

from collections import Counter
from dataclasses import replace
from itertools import product
from random import Random

import pytest

from fin.planning.check import check
from fin.planning.evaluation import evaluate
from fin.planning.plan import Placement, Plan
from fin.planning.problem import App, Problem
from tests.helpers.exhaustive import optimum, whole_nodes
from tests.helpers.instances import KINDS, random_problem


def everything(problem: Problem, app: App) -> float | None:
    """Least energy over every cut, placement and walk of at most two links, nothing left out."""
    names = [node.name for node in problem.nodes]
    walks = [walk for hops in (1, 2, 3) for walk in product(names, repeat=hops)]
    best = None
    for count in range(1, len(app.model.blocks) + 1):
        for routes in product(walks, repeat=count):
            placement = Placement(tuple(route[-1] for route in routes), routes)
            plan = whole_nodes(problem, app, placement)
            if check(problem, Plan("everything", (plan,), ())):
                continue
            energy = evaluate(problem, app, placement).energy
            best = energy if best is None else min(best, energy)
    return best


@pytest.mark.parametrize("seed", range(25))
def test_nothing_is_missed(seed: int) -> None:
    problem = random_problem(Random(seed), nodes=(2, 2), blocks=(1, 3))
    found = optimum(problem, problem.apps[0])
    expected = everything(problem, problem.apps[0])
    assert (found.energy if found else None) == expected


def without(problem: Problem, kind: str) -> Problem:
    """The problem without one kind of constraint."""
    huge = 10**15
    nodes, links, (app,) = problem.nodes, problem.links, problem.apps
    if kind == "latency":
        app = replace(app, latency=float(huge))
    elif kind == "memory":
        nodes = tuple(replace(node, memory=huge) for node in nodes)
    elif kind == "load":
        app = replace(app, rate=1e-12)
    elif kind == "pods":
        nodes = tuple(replace(node, pods=9) for node in nodes)
    elif kind == "cpu":
        nodes = tuple(replace(node, millicores=max(node.millicores, 1000)) for node in nodes)
    elif kind == "interface":
        nodes = tuple(replace(node, egress=None, ingress=None) for node in nodes)
    elif kind == "placement":
        app = replace(app, local_blocks=0, tiers=None, barred=frozenset())
    elif kind == "link":
        links = tuple(replace(link, bandwidth=float(huge)) for link in links)
    return replace(problem, nodes=nodes, links=links, apps=(app,))


def test_every_kind_of_constraint_decides_some_instances() -> None:
    decided: Counter[str] = Counter()
    shapes: Counter[str] = Counter()
    for seed in range(300):
        problem = random_problem(Random(seed))
        found = optimum(problem, problem.apps[0])
        shapes["feasible"] += found is not None
        if found:
            placement = found.plan.placement
            shapes["split"] += len(placement.segments) > 1
            shapes["several hops"] += any(len(route) > 2 for route in placement.routes)
        for kind in KINDS:
            free_problem = without(problem, kind)
            free = optimum(free_problem, free_problem.apps[0])
            decided[kind] += (free and free.energy) != (found and found.energy)
    assert min(decided[kind] for kind in KINDS) >= 3, decided
    assert 100 < shapes["feasible"] < 250
    assert shapes["split"] > 10
    assert shapes["several hops"] > 3
