"""Least-energy path of a feasible graph: best-first labels, cut by Lagrangian bounds.

A label is a path from the source to a vertex, with its energy, its latency and what it
uses of the resources that add up along a path (memory and load of a node, load of a
link). Resources are tracked where they have to be: those of the node where the path
is always, others only after a path was found to overfill them (decremental state-space
relaxation, Righini and Salani, Networks 2008). Leaving one out only relaxes the
problem, so every bound stays valid.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fin.planning.dual import Dual
from fin.planning.frontier import Frontier
from fin.planning.graph import IN_TIME, ExtendedGraph
from fin.planning.incumbent import Incumbent, offer
from fin.planning.resources import Resource, Resources, Step
from fin.planning.system import Floats, Ints

MAX_LABELS = 300_000
"""Labels after which a search that has found no path gives up."""

EAGER = 16
"""Labels at first, and then every so many, from which the policies' ways are tried."""


@dataclass(slots=True, eq=False)
class _Label:
    energy: float
    latency: float
    vertex: Step
    parent: "_Label | None"
    run: tuple[float, float]
    used: tuple[float, ...]

    def path(self) -> list[Step]:
        steps = [self.vertex]
        label = self.parent
        while label is not None:
            steps.append(label.vertex)
            label = label.parent
        return steps[::-1]


class Search:
    """One best-first search, with a fixed set of tracked resources."""

    def __init__(
        self,
        graph: ExtendedGraph,
        dual: Dual,
        resources: Resources,
        tracked: tuple[Resource, ...],
        best: Incumbent,
        tolerance: float,
        enough: int,
    ) -> None:
        self.graph, self.resources, self.best = graph, resources, best
        self.keep, self.enough = 1 - tolerance, enough
        self.tracked = {resource: index for index, resource in enumerate(tracked)}
        self.limits = [resources.limit(resource) for resource in tracked]
        self.fastest, self.policies = dual.fastest, dual.policies
        self.prices = np.array([each.price for each in self.policies])
        self.worth = np.array(
            [[each.prices.get(resource, 0.0) for resource in tracked] for each in self.policies]
        )
        self.deadline = graph.deadline * IN_TIME
        paid = self.prices * graph.deadline + self.worth @ np.array(self.limits)
        self.to_go = np.stack([each.cost for each in self.policies]) - paid[:, None, None]
        self.needed = [resources.still_needed(resource) for resource in tracked]
        self.run_needed = [resources.still_needed((kind, 0, 0)) for kind in ("memory", "load")]
        self.heap: list[tuple[float, int, _Label]] = []
        self.frontier: dict[Step, Frontier] = {}
        self.dominated: set[int] = set()
        self.tracks_links = any(kind not in ("memory", "load") for kind, _, _ in tracked)
        self.pops = 0
        self.pruned = np.inf

    def run(self) -> tuple[float, set[Resource]]:
        """Search; return the bound that it proves, and what the relaxed optimum overfills."""
        start = (0, self.graph.source)
        self._push(_Label(0.0, 0.0, start, None, (0.0, 0.0), (0.0,) * len(self.limits)))
        while self.heap:
            bound, number, label = heapq.heappop(self.heap)
            if bound >= self.best.energy * self.keep or self._gives_up():
                return min(bound, self.pruned), set()
            if number in self.dominated:
                continue
            if label.vertex[0] == self.graph.blocks:
                return bound, self.resources.overfilled(label.path())
            self.pops += 1
            if self.pops <= EAGER or self.pops % EAGER == 0:
                self._complete(label)
            self._process(label)
            self._transfer(label)
        return self.pruned, set()

    def _gives_up(self) -> bool:
        return self.best.labels > (MAX_LABELS if self.best.path is None else self.enough)

    def _complete(self, label: _Label) -> None:
        """Try each policy's way from here to the end as an answer."""
        for each in (self.fastest, *self.policies):
            energy = label.energy + each.energy[label.vertex]
            if energy < self.best.energy and (
                label.latency + each.latency[label.vertex] <= self.deadline
            ):
                path = [*label.path(), *each.path(self.graph, label.vertex)]
                offer(self.graph, self.resources, self.best, path)

    def _process(self, label: _Label) -> None:
        graph, resources = self.graph, self.resources
        block, node = label.vertex
        energy = label.energy + float(graph.process_energy[block, node])
        if not np.isfinite(energy):
            return
        memory = label.run[0] + float(graph.resident[block])
        load = label.run[1] + float(graph.work[block])
        if memory > resources.memory[node] or load > resources.load[node]:
            return
        used = self._use(label.used, resources.processing(block, node))
        if used is None:
            return
        latency = label.latency + float(graph.process_latency[block, node])
        self._push(_Label(energy, latency, (block + 1, node), label, (memory, load), used))

    def _transfer(self, label: _Label) -> None:
        graph = self.graph
        block, node = label.vertex
        columns = np.flatnonzero(np.isfinite(graph.transfer_energy[block, node]))
        if label.parent is not None and label.parent.vertex[0] == block:
            columns = self._no_detour(block, label.parent.vertex[1], node, columns)
        if len(columns) == 0:
            return
        heads = graph.system.heads[node, columns]
        energies = label.energy + graph.transfer_energy[block, node, columns]
        latencies = label.latency + graph.transfer_latency[block, node, columns]
        bounds = self._bounds(energies, latencies, block, heads, label.used)
        within = bounds < self.best.energy * self.keep
        if not within.all():
            self.pruned = min(self.pruned, float(bounds[~within].min()))
        for index in np.flatnonzero(within):
            head = int(heads[index])
            used = self._use(label.used, self.resources.moving(block, node, head))
            if used is not None:
                energy, latency = float(energies[index]), float(latencies[index])
                arrived = _Label(energy, latency, (block, head), label, (0.0, 0.0), used)
                self._push(arrived, float(bounds[index]))

    def _no_detour(self, block: int, before: int, node: int, columns: Ints) -> Ints:
        """Leave out moves through ``node`` that a direct link from ``before`` does better.

        Not where the load of links is tracked: there the direct link may be the full one.
        """
        if self.tracks_links:
            return columns
        graph = self.graph
        heads = graph.system.heads[node, columns]
        direct = graph.system.columns[before, heads]
        first = graph.system.column(before, node)

        def worse(weights: Floats) -> NDArray[np.bool_]:
            through = weights[block, before, first] + weights[block, node, columns]
            return np.asarray(weights[block, before, direct] <= through)

        detour = (heads == before) | (
            (direct >= 0) & worse(graph.transfer_energy) & worse(graph.transfer_latency)
        )
        kept: Ints = columns[~detour]
        return kept

    def _bounds(
        self,
        energies: Floats,
        latencies: Floats,
        block: int,
        nodes: Ints,
        used: tuple[float, ...],
    ) -> Floats:
        """Lower bounds of the energy of a feasible path through labels at (block, nodes)."""
        ways = self.to_go[:, block, nodes] + self.prices[:, None] * latencies
        if used:
            ways += (self.worth @ np.array(used))[:, None]
        bounds: Floats = energies + ways.max(axis=0)
        late = latencies + self.fastest.latency[block, nodes] > self.deadline
        bounds[late] = np.inf
        return bounds

    def _use(
        self, used: tuple[float, ...], edge: Iterable[tuple[Resource, float]]
    ) -> tuple[float, ...] | None:
        """Add what ``edge`` takes of the tracked resources; None where it does not fit."""
        if not self.tracked:
            return used
        taken = list(used)
        for resource, amount in edge:
            index = self.tracked.get(resource)
            if index is None:
                continue
            taken[index] += amount
            if taken[index] > self.limits[index]:
                return None
        return tuple(taken)

    def _push(self, label: _Label, bound: float | None = None) -> None:
        block, node = label.vertex
        if bound is None:
            at = np.array([node])
            energy, latency = np.array([label.energy]), np.array([label.latency])
            bound = float(self._bounds(energy, latency, block, at, label.used)[0])
        if bound >= self.best.energy * self.keep:
            self.pruned = min(self.pruned, bound)
            return
        if block == self.graph.blocks and not offer(
            self.graph, self.resources, self.best, label.path()
        ):
            return
        self.best.labels += 1
        weights = self._weights(label)
        frontier = self.frontier.get(label.vertex)
        if frontier is None:
            frontier = self.frontier[label.vertex] = Frontier(len(weights))
        elif frontier.dominates(weights):
            return
        self.dominated.update(frontier.add(self.best.labels, weights))
        heapq.heappush(self.heap, (bound, self.best.labels, label))

    def _weights(self, label: _Label) -> Floats:
        """What a label is compared by: energy, latency, and what may still run short.

        Of a resource only what it used beyond the point where the rest of any path fits
        counts: below that, less use is no advantage.
        """
        block, node = label.vertex
        room = (self.resources.memory[node], self.resources.load[node])
        spare = [*zip(label.run, self.run_needed, room, strict=True)]
        spare += zip(label.used, self.needed, self.limits, strict=True)
        short = [max(used + needed[block] - limit, 0.0) for used, needed, limit in spare]
        return np.array([label.energy, label.latency, *short])
