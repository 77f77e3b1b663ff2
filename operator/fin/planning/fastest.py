"""Fastest ways through an idle system: what the published baselines look at, and no more.

They choose by latency, at the compute that is left of each node; memory, pods, the load of
reservations, links and interfaces are none of their business.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fin.planning.graph import ExtendedGraph, extended_graph
from fin.planning.plan import Placement
from fin.planning.problem import App
from fin.planning.reasons import relaxed
from fin.planning.system import Floats, Ints, System

HOP = 1e-9
"""Share of the latency target that a link costs besides its time: it decides between equals."""

THERE = -1
"""Origin of data that is where it was, in place of the index of a node."""


def idle_graph(system: System, app: App) -> ExtendedGraph | None:
    """Build the extended graph of the whole DNN with every edge that latency alone allows.

    None where the application's source is not part of the system.
    """
    if app.source not in system.index:
        return None
    unlimited = relaxed(system, "memory", "pods", "link_load", "egress", "ingress")
    return extended_graph(unlimited, replace(app, rate=0.0), len(app.model.blocks))


def at_source(graph: ExtendedGraph) -> Floats:
    """Times at which the input is at each node before anything moves, shape (nodes,)."""
    times = np.full(len(graph.system.nodes), np.inf)
    times[graph.source] = 0.0
    return times


def spread(graph: ExtendedGraph, block: int, times: Floats) -> tuple[Floats, Ints]:
    """Let the input of ``block`` (from 0) move until it is everywhere as early as it can be.

    Parameters
    ----------
    times
        When it is at each node before it moves, seconds, shape (nodes,).

    Returns
    -------
    When it is there then, each link taking ``HOP`` longer than it does, and the node from
    which it comes, ``THERE`` where it does not move.
    """
    heads = graph.system.heads
    rows = np.arange(len(heads))
    length = np.full((len(heads), len(heads)), np.inf)
    length[rows[:, None], heads] = graph.transfer_latency[block] + HOP * graph.deadline
    best, origin = times.copy(), np.full(len(heads), THERE, dtype=np.intp)
    for _ in rows:
        through = best[:, None] + length
        tail = through.argmin(axis=0)
        least = through[tail, rows]
        better = least < best
        if not better.any():
            break
        best[better], origin[better] = least[better], tail[better]
    return best, origin


def route(origin: Ints, node: int) -> list[int]:
    """Nodes that the data crosses up to ``node``, by index."""
    back = [node]
    while origin[back[-1]] != THERE:
        back.append(int(origin[back[-1]]))
    return back[::-1]


def placement_of(system: System, routes: Sequence[Sequence[int]]) -> Placement:
    """Name a placement whose blocks run where the routes of their inputs end."""
    names = [node.name for node in system.nodes]
    named = tuple(tuple(names[node] for node in each) for each in routes)
    return Placement(tuple(each[-1] for each in named), named)
