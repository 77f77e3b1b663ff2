"""The authors' scenario, point by point: FIN against exhaustive search."""

import pytest

from fin.planning.check import check
from fin.planning.fin import solve
from fin.planning.options import Options
from fin.planning.plan import Plan
from fin.planning.problem import Problem
from fin.planning.reserve import reserve
from fin.planning.system import system_left
from tests.helpers.exhaustive import optimum
from tests.helpers.paper_scenario import ACCURACIES, GRID, scenario

# Feasible points of each model, and how many of them run a block off the device.
COUNTS = {
    "alexnet-10": (188, 0),
    "alexnet-100": (125, 0),
    "resnet": (255, 8),
    "lenet": (255, 0),
    "alexnet-10-exits": (200, 0),
}


def points(name: str) -> list[Problem]:
    model, latencies = GRID[name]
    return [scenario(model, latency, each) for latency in latencies for each in ACCURACIES]


@pytest.mark.parametrize("name", GRID)
def test_fin_finds_the_optimum_of_every_point(name: str) -> None:
    feasible = away = 0
    for problem in points(name):
        app = problem.apps[0]
        best = optimum(problem, app)
        answer = solve(system_left(problem), app, Options(tolerance=0.0))
        assert (answer.placement is None) == (best is None)
        if best is None or answer.placement is None:
            continue
        assert answer.energy == pytest.approx(best.energy, rel=1e-9)
        assert answer.bound == pytest.approx(best.energy, rel=1e-9)
        plan = reserve(problem, app, answer.placement)
        assert plan is not None
        assert check(problem, Plan("fin", (plan,), ())) == []
        feasible += 1
        away += set(answer.placement.nodes) != {"mobile"}
    assert (feasible, away) == COUNTS[name]


@pytest.mark.parametrize("gamma", [10, 30])
@pytest.mark.parametrize("name", GRID)
def test_the_papers_slots_give_feasible_answers_and_valid_bounds(name: str, gamma: int) -> None:
    found = feasible = 0
    for problem in points(name)[::3]:
        app = problem.apps[0]
        best = optimum(problem, app)
        answer = solve(system_left(problem), app, Options(gamma=gamma))
        if best is None:
            assert answer.placement is None
            continue
        assert answer.bound <= best.energy * (1 + 1e-9)
        assert answer.energy >= best.energy * (1 - 1e-9)
        feasible += 1
        found += answer.energy <= best.energy * (1 + 1e-9)
    assert found >= 0.85 * feasible  # the papers: matches or closely matches the optimum
