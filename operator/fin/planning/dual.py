"""The Lagrangian dual of the least-energy path: the best prices, and the bound they prove.

The latency target and every resource that adds up along a path get a price. First time
alone (Handler and Zang, Networks 1980, section 3); where the cheapest paths overfill a
resource, all prices together by subgradient steps (Held, Wolfe and Crowder, Mathematical
Programming 1974, with Polyak's step length).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fin.planning.graph import IN_TIME, ExtendedGraph
from fin.planning.policies import Policy, policy
from fin.planning.resources import Resource, Resources, Step

ROUNDS = 64
"""Prices of time tried at most; the search ends by itself after about ten."""

STEPS = 60
"""Subgradient steps at most."""

PATIENCE = 5
"""Steps without a better bound after which the step length is halved."""

KEPT = 4
"""Best policies of the subgradient steps that are kept."""


@dataclass(frozen=True, eq=False)
class Dual:
    """What the search for the best prices found.

    ``fastest`` has the fastest ways; ``policies`` the cheapest ways at the prices tried.
    ``bound`` is the best proven lower bound of the energy; infinite where no path is in
    time.
    """

    fastest: Policy
    policies: tuple[Policy, ...]
    bound: float

    @property
    def best_price(self) -> float:
        """The price of time that was tried last, joules per second (or slot)."""
        return self.policies[-1].price if self.policies else 0.0


def solve_dual(graph: ExtendedGraph) -> Dual:
    """Maximise the Lagrangian bound over the price of time, by Handler and Zang's rule."""
    start = (0, graph.source)
    fastest = policy(graph, np.inf)
    latest = graph.deadline * IN_TIME
    if not fastest.latency[start] <= latest:
        return Dual(fastest, (), np.inf)
    cheapest = policy(graph, 0.0)
    tried = [cheapest]
    bound = float(cheapest.cost[start])
    slow, quick = cheapest, fastest
    while slow.latency[start] > latest and len(tried) < ROUNDS:
        saved = float(quick.energy[start] - slow.energy[start])
        price = saved / float(slow.latency[start] - quick.latency[start])
        if price <= 0:
            break
        found = policy(graph, price)
        tried.append(found)
        least = float(found.cost[start])
        bound = max(bound, least - price * graph.deadline)
        if least >= _cost(slow, start, price) * (1 - 1e-12):
            break
        if found.latency[start] > latest:
            slow = found
        else:
            quick = found
    return Dual(fastest, tuple(tried), bound)


def _cost(way: Policy, vertex: Step, price: float) -> float:
    return float(way.energy[vertex] + price * way.latency[vertex])


class Subgradient:
    """Improves a dual by prices on all resources that the cheapest paths overfill."""

    def __init__(self, graph: ExtendedGraph, resources: Resources, dual: Dual) -> None:
        self.graph, self.resources = graph, resources
        self.start = (0, graph.source)
        self.time = dual.best_price
        self.prices: dict[Resource, float] = {}
        self.bound = dual.bound
        self.found: list[tuple[float, int, Policy]] = []

    def step(self, length: float, target: float) -> list[Step]:
        """Move the prices towards ``target`` (joules); return the path that was cheapest.

        ``length`` is the share of Polyak's step that is taken.
        """
        graph = self.graph
        found = policy(graph, self.time, dict(self.prices))
        path = [self.start, *found.path(graph, self.start)]
        value = float(found.cost[self.start]) - self._paid()
        self.found.append((value, -len(self.found), found))
        self.bound = max(self.bound, value)
        late = float(found.latency[self.start]) / graph.deadline - 1
        excess = self._excess(path)
        norm = late**2 + sum(each**2 for each in excess.values())
        if norm > 0:
            move = length * max(target - value, 0.0) / norm
            self.time = max(self.time + move * late / graph.deadline, 0.0)
            for resource, each in excess.items():
                limit = self.resources.limit(resource)
                price = self.prices.get(resource, 0.0) + move * each / limit
                self.prices[resource] = max(price, 0.0)
            self.prices = {each: price for each, price in self.prices.items() if price > 0}
        return path

    def best(self) -> tuple[Policy, ...]:
        """The policies with the best bounds."""
        return tuple(each for _, _, each in sorted(self.found, key=_by_bound)[:KEPT])

    def _paid(self) -> float:
        limits = ((price, self.resources.limit(each)) for each, price in self.prices.items())
        return self.time * self.graph.deadline + sum(price * limit for price, limit in limits)

    def _excess(self, path: Sequence[Step]) -> dict[Resource, float]:
        """Relative excess of the resources that are overfilled, or have a price."""
        taken = self.resources.taken(path)
        excess = {}
        for resource in sorted({*taken, *self.prices}):
            limit = self.resources.limit(resource)
            if 0 < limit < np.inf:
                each = taken.get(resource, 0.0) / limit - 1
                if each > 0 or resource in self.prices:
                    excess[resource] = each
        return excess


def _by_bound(entry: tuple[float, int, Policy]) -> tuple[float, int]:
    return -entry[0], entry[1]
