"""Pricing of the joint planner, against every way that there is.

Prices are drawn at random: whatever they are, no bound may be above the cheapest way, and
pricing without gap must find it.
"""

from random import Random

import numpy as np
import pytest

from fin.planning.joint.exact import list_ways, loose_bounds
from fin.planning.joint.kinds import classify
from fin.planning.joint.network import Network
from fin.planning.joint.pricing import Pricer
from fin.planning.joint.ways import Column, Way, Ways, reserve_at
from fin.planning.problem import Problem
from fin.planning.system import Floats, empty_system
from tests.helpers.exhaustive import placements
from tests.helpers.instances import random_problem

SEEDS = range(0, 160, 20)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cheapest_way_is_found_and_no_bound_is_above_it(seed: int) -> None:
    for each in range(seed, seed + 20):
        random = Random(each)
        problem = random_problem(random, nodes=(2, 4), blocks=(2, 5), millicores=(100, 1000))
        with np.errstate(all="ignore"):
            check_pricing(problem, random)


def check_pricing(problem: Problem, random: Random) -> None:
    """No bound may be above what a way costs, and what costs less than the others is listed."""
    (app,) = problem.apps
    blocks = app.model.cut(app.min_accuracy)
    if blocks is None:
        return
    system = empty_system(problem)
    network = Network(system, system)
    classes = classify(network, [app])
    ways = Ways(network, classes)
    pricer = Pricer(network, classes, ways)
    scale = app.rate * 1e-2
    prices = np.array(
        [random.choice([0.0, random.uniform(0, scale)]) for _ in range(len(network.limits))]
    )
    found = [
        way
        for placement in placements(problem, app)
        if len(placement.nodes) == blocks and (way := ways.way_of(0, placement)) is not None
    ]
    costs = [column.price(prices) for column in reserve_at(found, prices)]
    price = pricer.price(prices)
    least = min(costs, default=np.inf)
    assert loose_bounds(pricer, prices, price)[0] <= least * (1 + 1e-9)
    if not costs:
        return
    listing = list_ways(pricer, prices, price, np.array([least]), slack=0.1 * least)
    assert listing.least[0] <= least * (1 + 1e-9)
    if listing.others[0] > least:
        assert listing.least[0] == pytest.approx(least, rel=1e-6)
    listed: dict[object, list[Way]] = {}
    for column in listing.columns[0]:
        listed.setdefault(_runs(column.way), []).append(column.way)
    near = listing.others[0] * (1 - 1e-6)
    for way, cost in zip(found, costs, strict=True):
        assert cost >= near or any(
            _no_worse(each, way, prices) for each in listed.get(_runs(way), ())
        )


def _runs(way: Way) -> tuple[tuple[int, int], ...]:
    return tuple((route[-1], last) for route, last in way.walk)


def _no_worse(first: Way, second: Way, prices: Floats) -> bool:
    """Whether a way can take the place of one with the same runs and other routes."""
    taken, need = np.zeros(len(prices)), np.zeros(len(prices))
    taken[first.rows], need[second.rows] = first.amounts, second.amounts
    slower = (first.seconds > second.seconds * (1 + 1e-9)).any()
    scarce = (taken > need * (1 + 1e-9)) & (prices > 0)
    return first.power <= second.power * (1 + 1e-9) and not slower and not scarce.any()


def test_reservations_are_the_least_at_any_prices() -> None:
    """Against a fine grid of divisions of the time between two segments."""
    random = Random(7)
    checked = 0
    while checked < 10:
        problem = random_problem(random, nodes=(2, 3), blocks=(2, 3), millicores=(1000,))
        (app,) = problem.apps
        if app.model.cut(app.min_accuracy) is None:
            continue
        system = empty_system(problem)
        network = Network(system, system)
        ways = Ways(network, classify(network, [app]))
        prices = np.array([random.uniform(0.1, 1.0) for _ in range(len(network.limits))])
        for placement in placements(problem, app):
            if len(placement.nodes) != app.model.cut(app.min_accuracy):
                continue
            way = ways.way_of(0, placement)
            if way is None or len(way.nodes) != 2:
                continue
            (column,) = reserve_at([way], prices)
            assert (way.seconds / column.shares).sum() <= 1 + 1e-9
            assert column.price(prices) <= _least_of_grid(column, prices) * (1 + 1e-9)
            checked += 1


def _least_of_grid(column: Column, prices: Floats) -> float:
    way = column.way
    grid = np.geomspace(way.least[0], 1.0, 400)
    spare = 1 - way.seconds[0] / grid
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(way.seconds[1] > 0, way.seconds[1] / spare, way.least[1])
    other = np.maximum(rest, way.least[1])
    valid = (spare >= 0) & (other > 0) & (other <= 1)
    if not valid.any():
        return float("inf")
    compute = prices[way.nodes[0]] * grid[valid] + prices[way.nodes[1]] * other[valid]
    return float(way.power + compute.min() + way.fixed_price(prices))
