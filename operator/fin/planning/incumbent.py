"""Paths of the extended graph: what they cost, and the best feasible one so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fin.planning.graph import IN_TIME, ExtendedGraph
from fin.planning.resources import Resource, Resources, Step


@dataclass(slots=True)
class Incumbent:
    """The best path so far, its energy (or what it must stay below), and the labels spent."""

    path: tuple[Step, ...] | None = None
    energy: float = np.inf
    labels: int = 0


def offer(
    graph: ExtendedGraph, resources: Resources, best: Incumbent, path: Sequence[Step]
) -> set[Resource]:
    """Take ``path`` as the incumbent where it is feasible and better; say what it overfills."""
    energy, latency = path_cost(graph, path)
    if energy >= best.energy or latency > graph.deadline * IN_TIME:
        return set()
    overfilled = resources.overfilled(path)
    if not overfilled:
        best.path, best.energy = tuple(path), energy
    return overfilled


def path_cost(graph: ExtendedGraph, path: Sequence[Step]) -> tuple[float, float]:
    """Energy and latency of a path, added up from its start."""
    energy = latency = 0.0
    for (block, node), (after, other) in pairwise(path):
        if after > block:
            energy += float(graph.process_energy[block, node])
            latency += float(graph.process_latency[block, node])
        else:
            column = graph.system.column(node, other)
            energy += float(graph.transfer_energy[block, node, column])
            latency += float(graph.transfer_latency[block, node, column])
    return energy, latency
