"""The paths that MCP can't tell apart: the cheapest and the dearest of them.

MCP minimises the largest of two weights. Where the accuracy decides, every path to that exit
is as good as another until its latency weighs as much; so how much a plan saves against MCP
depends on which of them is taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fin.planning.fastest import idle_graph, placement_of
from fin.planning.graph import ExtendedGraph
from fin.planning.plan import Placement
from fin.planning.problem import App
from fin.planning.published import TIE, accuracy_weight, weigh
from fin.planning.system import System

Route = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ties:
    """The least and the most energy (J per inference) of MCP's ties, each with a placement."""

    cheapest: tuple[float, Placement]
    dearest: tuple[float, Placement]


@dataclass(frozen=True, slots=True)
class _Label:
    """The first blocks of a path: seconds, joules, and the route of each block's input."""

    latency: float
    energy: float
    routes: tuple[Route, ...]


def mcp_ties(system: System, app: App) -> Ties | None:
    """Find the cheapest and the dearest path of MCP's least largest weight; None without any.

    Every simple route in front of every block is looked at, and there are exponentially many
    in the number of nodes: it is meant for systems of a handful, such as the paper's.
    """
    graph = idle_graph(system, app)
    weighed = weigh(system, app)
    if graph is None or not weighed:
        return None
    largest = min(each.largest for each in weighed) * (1 + TIE)
    found = []
    for sign in (1.0, -1.0):
        ends = list(_ends(graph, app, largest, sign))
        best = min(ends, key=lambda label: sign * label.energy)
        found.append((best.energy, placement_of(system, best.routes)))
    return Ties(cheapest=found[0], dearest=found[1])


def _ends(graph: ExtendedGraph, app: App, largest: float, sign: float) -> Iterator[_Label]:
    """Paths that tie, up to every exit; of two at one node only what may yet be the best."""
    labels = {graph.source: [_Label(0.0, 0.0, ())]}
    for index, block in enumerate(app.model.blocks):
        reached: dict[int, list[_Label]] = {}
        for start, here in labels.items():
            for way in _simple_routes(graph, (start,)):
                for label in here:
                    longer = _longer(graph, index, label, way)
                    if longer.latency <= largest * app.latency:
                        reached.setdefault(way[-1], []).append(longer)
        labels = {node: _front(each, sign) for node, each in reached.items()}
        if block.exit and accuracy_weight(app, block.exit.accuracy) <= largest:
            for each in labels.values():
                yield from each


def _longer(graph: ExtendedGraph, block: int, label: _Label, way: Route) -> _Label:
    """Move the input of a block over ``way`` and run the block at its end."""
    latency = label.latency + float(graph.process_latency[block, way[-1]])
    energy = label.energy + float(graph.process_energy[block, way[-1]])
    for tail, head in pairwise(way):
        column = graph.system.column(tail, head)
        latency += float(graph.transfer_latency[block, tail, column])
        energy += float(graph.transfer_energy[block, tail, column])
    return _Label(latency, energy, (*label.routes, way))


def _simple_routes(graph: ExtendedGraph, way: Route) -> Iterator[Route]:
    yield way
    for head in np.unique(graph.system.heads[way[-1]]).tolist():
        if head not in way:
            yield from _simple_routes(graph, (*way, head))


def _front(labels: list[_Label], sign: float) -> list[_Label]:
    """Labels that no other beats both in latency and in energy (more is better if negative)."""
    front: list[_Label] = []
    for label in sorted(labels, key=lambda each: (each.latency, sign * each.energy)):
        if not front or sign * label.energy < sign * front[-1].energy:
            front.append(label)
    return front
