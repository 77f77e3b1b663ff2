"""What the two solvers say of small programmes, and that it is not glossed over."""

import math
from random import Random

import pulp
import pytest

from fin.planning.deadline import Deadline
from fin.planning.milp_solver import Backend, minimise

BACKENDS: tuple[Backend, ...] = ("highs", "cbc")
NO_LIMIT = Deadline(None)


def knapsacks(rows: int, columns: int) -> pulp.LpProblem:
    """Choose the most of what all of several knapsacks take."""
    random = Random(1)
    programme = pulp.LpProblem("knapsacks", pulp.LpMinimize)
    chosen = [programme.add_variable(f"x{i}", 0, 1, pulp.LpBinary) for i in range(columns)]
    weights = [[random.randint(1, 1000) for _ in chosen] for _ in range(rows)]
    for row in weights:
        taken = pulp.lpSum(w * x for w, x in zip(row, chosen, strict=True))
        programme.addConstraint(taken <= sum(row) // 2)
    values = [sum(column) / rows + 500 * random.random() for column in zip(*weights, strict=True)]
    programme.setObjective(pulp.lpSum(-v * x for v, x in zip(values, chosen, strict=True)))
    return programme


@pytest.mark.parametrize("backend", BACKENDS)
def test_optimal(backend: Backend) -> None:
    programme = knapsacks(2, 12)
    outcome = minimise(programme, backend, NO_LIMIT)
    assert outcome.status == "optimal"
    assert outcome.bound <= pulp.value(programme.objective)
    assert outcome.bound == pytest.approx(pulp.value(programme.objective), rel=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_linear(backend: Backend) -> None:
    programme = pulp.LpProblem("linear", pulp.LpMinimize)
    x = programme.add_variable("x", 0, 10)
    programme.addConstraint(2 * x >= 3)
    programme.setObjective(x)
    outcome = minimise(programme, backend, NO_LIMIT)
    assert outcome.status == "optimal"
    assert outcome.bound == pytest.approx(1.5)
    programme.addConstraint(x <= 1)
    assert minimise(programme, backend, NO_LIMIT).status == "infeasible"


@pytest.mark.parametrize("backend", BACKENDS)
def test_infeasible_only_in_whole_numbers(backend: Backend) -> None:
    programme = pulp.LpProblem("parity", pulp.LpMinimize)
    chosen = [programme.add_variable(f"x{i}", 0, 1, pulp.LpBinary) for i in range(6)]
    programme.addConstraint(pulp.lpSum(2 * x for x in chosen) == 5)
    programme.setObjective(pulp.lpSum(chosen))
    outcome = minimise(programme, backend, NO_LIMIT)
    assert outcome.status == "infeasible"
    assert outcome.bound == math.inf


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_an_objective(backend: Backend) -> None:
    programme = pulp.LpProblem("any", pulp.LpMinimize)
    x = programme.add_variable("x", 0, 1, pulp.LpBinary)
    programme.addConstraint(x >= 0.5)
    programme.setObjective(0 * x)
    assert minimise(programme, backend, NO_LIMIT).status == "optimal"
    assert x.varValue == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_out_of_time_tells_what_is_proven(backend: Backend) -> None:
    programme = knapsacks(10, 100)
    outcome = minimise(programme, backend, Deadline(2.0))
    value = pulp.value(programme.objective)
    assert outcome.status == "feasible"
    assert -math.inf < outcome.bound < value * (1 + 1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_time_left(backend: Backend) -> None:
    outcome = minimise(knapsacks(2, 12), backend, Deadline(0.0))
    assert outcome.status == "unknown"
    assert outcome.bound == -math.inf


def test_time_is_shared_out() -> None:
    assert Deadline(None).left() is None
    assert Deadline(None).share(0.5).left() is None
    half = Deadline(100.0).share(0.5).left()
    assert half is not None
    assert 0 < half <= 50
