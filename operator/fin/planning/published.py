"""Published ways to place one application, as baselines: MCP, Neurosurgeon and Edgent.

Each sees what its paper lets it see: latency at the compute that is left of each node, and
the accuracy of the exits. Nodes that may not run a block, by tier, locality or cordon, are
left out beforehand. Whatever else a placement breaks is for ``load_blind`` to find.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from fin.planning.fastest import HOP, at_source, idle_graph, placement_of, route, spread
from fin.planning.graph import ExtendedGraph
from fin.planning.plan import Placement
from fin.planning.problem import App
from fin.planning.system import Ints, System

TIE = 1e-9
"""Relative distance at which two weights are equal, in floating point."""

Method = Callable[[System, App], Placement | None]
"""Places one application on what is left of a system; None where there is no way at all."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """The fastest path to one exit, with its normalised weights.

    ``latency`` is a share of the target; ``accuracy`` the target as a share of the exit's;
    both are at most 1 where the path is feasible. ``transfers`` counts the links crossed.
    """

    routes: tuple[tuple[int, ...], ...]
    latency: float
    accuracy: float

    @property
    def largest(self) -> float:
        """What MCP minimises."""
        return max(self.latency, self.accuracy)

    @property
    def total(self) -> float:
        """What decides where the largest weights are equal."""
        return self.latency + self.accuracy

    @property
    def transfers(self) -> int:
        """What decides where the sums are equal too."""
        return sum(len(each) - 1 for each in self.routes)


def mcp(system: System, app: App) -> Placement | None:
    """Multi-constrained path: the least of the largest normalised weight.

    Xue, Sen, Zhang, Tang and Thulasiraman, "Finding a Path Subject to Many Additive QoS
    Constraints", IEEE/ACM Transactions on Networking 15(1), 2007: the optimisation version
    of the problem; the papers on FIN compare with it. The weights here are max(latency /
    target, target accuracy / accuracy). Ties, which are many, go to the least sum of the
    weights, then to the fewest transfers, then to the earliest exit. To an exit only latency
    is left to minimise, so that the fastest path to each one is enough, and exact.
    """
    weighed = weigh(system, app)
    if not weighed:
        return None
    for weight in (_largest, _total, _transfers):
        least = min(map(weight, weighed))
        weighed = [each for each in weighed if weight(each) <= least * (1 + TIE)]
    return placement_of(system, weighed[0].routes)


def weigh(system: System, app: App) -> list[Weighed]:
    """Find the fastest path to each exit that can be reached, the earliest exit first."""
    graph = idle_graph(system, app)
    if graph is None:
        return []
    found, origins = [], []
    times = at_source(graph)
    for index, block in enumerate(app.model.blocks):
        moved, origin = spread(graph, index, times)
        times = moved + graph.process_latency[index]
        origins.append(origin)
        end = int(times.argmin())
        if block.exit is None or np.isinf(times[end]):
            continue
        routes = _backwards(origins, end)
        hops = sum(len(each) - 1 for each in routes)
        latency = float(times[end]) / app.latency - HOP * hops
        found.append(Weighed(routes, latency, accuracy_weight(app, block.exit.accuracy)))
    return found


def accuracy_weight(app: App, accuracy: float) -> float:
    """Target accuracy as a share of an exit's; infinite for one that is never right."""
    if accuracy > 0:
        return app.min_accuracy / accuracy
    return np.inf if app.min_accuracy > 0 else 0.0


def _backwards(origins: list[Ints], end: int) -> tuple[tuple[int, ...], ...]:
    """Follow a fastest path back from the node where its last block runs."""
    routes = []
    for origin in reversed(origins):
        routes.append(tuple(route(origin, end)))
        end = routes[-1][0]
    return tuple(reversed(routes))


def _largest(each: Weighed) -> float:
    return each.largest


def _total(each: Weighed) -> float:
    return each.total


def _transfers(each: Weighed) -> float:
    return each.transfers


@dataclass(frozen=True, slots=True)
class _Split:
    """The first ``stay`` blocks on the source, the rest at the end of ``way``; seconds."""

    latency: float
    stay: int
    blocks: int
    way: tuple[int, ...]

    def placement(self, system: System) -> Placement:
        source, end = self.way[0], self.way[-1]
        there = self.blocks - self.stay
        routes = [(source,)] * self.stay + [self.way] * (there > 0) + [(end,)] * (there - 1)
        return placement_of(system, routes)


def neurosurgeon(system: System, app: App) -> Placement | None:
    """One split of the full DNN between the source and a cloud node, for the least latency.

    Kang et al., "Neurosurgeon: Collaborative Intelligence Between the Cloud and Mobile
    Edge", ASPLOS 2017, section 5, algorithm 1, with latency as the target to optimise: the
    other choice there, the energy of the mobile device alone, leaves out what is spent
    elsewhere. It knows no exits: the model is cut at its last one. Of several cloud nodes
    the one with the least latency counts.
    """
    graph = idle_graph(system, app)
    if graph is None:
        return None
    best = min(_splits(graph, "cloud", [graph.blocks]), key=_latency)
    return best.placement(system) if np.isfinite(best.latency) else None


def edgent(system: System, app: App) -> Placement | None:
    """The most accurate exit whose best split between source and edge meets the latency.

    Li, Zhou and Chen, "Edge Intelligence: On-Demand Deep Learning Model Co-Inference with
    Device-Edge Synergy", SIGCOMM MECOMM 2018, section 3, algorithm 1: exits from the most
    accurate on, for each the split of least latency, until one is in time. Where none is, and
    the algorithm returns nothing, this returns the fastest of all, to measure what it misses.
    Of several edge nodes the one with the least latency counts.
    """
    graph = idle_graph(system, app)
    if graph is None:
        return None
    ends = {
        count: -block.exit.accuracy
        for count, block in enumerate(app.model.blocks, start=1)
        if block.exit
    }
    fastest: dict[int, _Split] = {}
    for split in _splits(graph, "edge", list(ends)):
        known = fastest.get(split.blocks)
        if known is None or split.latency < known.latency:
            fastest[split.blocks] = split
    for count in sorted(ends, key=lambda each: (ends[each], each)):
        if fastest[count].latency <= app.latency * (1 + TIE):
            return fastest[count].placement(system)
    best = min(fastest.values(), key=_latency)
    return best.placement(system) if np.isfinite(best.latency) else None


def _splits(graph: ExtendedGraph, tier: str, ends: list[int]) -> Iterator[_Split]:
    """For each split, and each of these numbers of blocks, the fastest node of the tier."""
    source, process = graph.source, graph.process_latency
    done = np.concatenate([[0.0], np.cumsum(process[:, source])])
    others = np.array([node.tier == tier for node in graph.system.nodes])
    others[source] = False
    for stay in range(max(ends) + 1):
        if stay in ends:
            yield _Split(float(done[stay]), stay, stay, (source,))
        if stay == graph.blocks or not others.any():
            continue
        moved, origin = spread(graph, stay, at_source(graph))
        for count in ends:
            if count <= stay:
                continue
            times = done[stay] + moved + process[stay:count].sum(axis=0)
            node = int(np.where(others, times, np.inf).argmin())
            if others[node]:
                yield _Split(float(times[node]), stay, count, tuple(route(origin, node)))


def _latency(split: _Split) -> float:
    return split.latency


PUBLISHED: Mapping[str, Method] = {
    "mcp": mcp,
    "neurosurgeon": neurosurgeon,
    "edgent": edgent,
}
