"""Cheapest ways to the end at given prices of time and of resources.

With a price on latency and on what adds up along a path, the cheapest way from any
vertex is a plain shortest path, and what it costs bounds every feasible path from below.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fin.planning.graph import ExtendedGraph
from fin.planning.resources import Resource, Step
from fin.planning.system import Floats, Ints

CLOSE = 1e-12
"""Relative distance at which two costs are the same, in floating point."""

PROCESS = -1
"""Next step "run the block here" in ``Policy.step``."""


@dataclass(frozen=True, eq=False)
class Policy:
    """The cheapest way to the end from every vertex, at one set of prices.

    Attributes
    ----------
    price
        Joules per second (or per slot); infinite for the fastest ways.
    prices
        Joules per unit of each resource that has a price.
    cost, energy, latency
        Shape (blocks + 1, nodes); the cost is energy + price * latency + what the
        resources cost, or the latency alone at the infinite price; infinite where no way
        leads to the end.
    step
        Next step from each vertex: ``PROCESS``, or the column of the link to cross.
    """

    price: float
    cost: Floats
    energy: Floats
    latency: Floats
    step: Ints
    prices: Mapping[Resource, float] = field(default_factory=dict)

    def path(self, graph: ExtendedGraph, vertex: Step) -> list[Step]:
        """Vertices from ``vertex`` (left out) to the end."""
        block, node = vertex
        steps: list[Step] = []
        while block < graph.blocks:
            column = self.step[block, node]
            if column == PROCESS:
                block += 1
            else:
                node = int(graph.system.heads[node, column])
            steps.append((block, node))
        return steps


def policy(
    graph: ExtendedGraph, price: float, prices: Mapping[Resource, float] | None = None
) -> Policy:
    """Compute the cheapest ways at these prices, from the last block back to the first."""
    prices = prices or {}
    blocks, nodes = graph.process_energy.shape
    cost = np.zeros((blocks + 1, nodes))
    energy, latency = np.zeros_like(cost), np.zeros_like(cost)
    step = np.full((blocks + 1, nodes), PROCESS, dtype=np.intp)
    process = priced(graph.process_energy, graph.process_latency, price)
    transfer = priced(graph.transfer_energy, graph.transfer_latency, price)
    if prices:
        process = process + _process_prices(graph, prices)
        transfer = transfer + _transfer_prices(graph, prices)
    for block in reversed(range(blocks)):
        here = (cost[block], energy[block], latency[block], step[block])
        here[0][:] = process[block] + cost[block + 1]
        here[1][:] = graph.process_energy[block] + energy[block + 1]
        here[2][:] = graph.process_latency[block] + latency[block + 1]
        _relax(graph, block, transfer[block], *here)
    return Policy(price, cost, energy, latency, step, prices)


def priced(energy: Floats, latency: Floats, price: float) -> Floats:
    """Energy and the price of latency together; the latency alone at the infinite price."""
    if price == 0:
        return energy
    return latency if np.isinf(price) else energy + price * latency


def _relax(
    graph: ExtendedGraph,
    block: int,
    transfer: Floats,
    cost: Floats,
    energy: Floats,
    latency: Floats,
    step: Ints,
) -> None:
    """Let transfers in front of ``block`` improve the ways until nothing changes (Bellman-Ford).

    Only strict improvements count, so that links of no cost make no cycle.
    """
    heads = graph.system.heads
    if heads.shape[1] == 0:
        return
    rows = np.arange(len(heads))
    for _ in range(len(heads)):
        through = transfer + cost[heads]
        column = through.argmin(axis=1)
        least = through[rows, column]
        better = least < cost - CLOSE * np.abs(np.where(np.isinf(cost), 0.0, cost))
        if not better.any():
            return
        tails, columns = rows[better], column[better]
        ends = heads[tails, columns]
        step[tails] = columns
        cost[tails] = least[better]
        energy[tails] = graph.transfer_energy[block, tails, columns] + energy[ends]
        latency[tails] = graph.transfer_latency[block, tails, columns] + latency[ends]


def _process_prices(graph: ExtendedGraph, prices: Mapping[Resource, float]) -> Floats:
    """What the resources of nodes cost, shape (blocks, nodes)."""
    extra = np.zeros_like(graph.process_energy)
    for (kind, node, _), price in prices.items():
        if kind == "memory":
            extra[:, node] += price * graph.resident
        elif kind == "load":
            extra[:, node] += price * graph.work
    return extra


def _transfer_prices(graph: ExtendedGraph, prices: Mapping[Resource, float]) -> Floats:
    """What the load of links and interfaces costs, shape (blocks, nodes, out-degree) or 0."""
    heads = graph.system.heads
    each = np.zeros(heads.shape)
    for (kind, node, other), price in prices.items():
        if kind == "link":
            each[node, graph.system.column(node, other)] += price
        elif kind == "egress":
            each[node] += price
        elif kind == "ingress":
            each[heads == node] += price
    if not each.any():
        return np.zeros(1)
    return np.asarray(graph.traffic[:, None, None] * each)
