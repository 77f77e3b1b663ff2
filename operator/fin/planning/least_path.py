"""The least-energy path of a feasible graph, with its proof: prices first, then labels."""

from dataclasses import dataclass

import numpy as np

from fin.planning.dive import dive
from fin.planning.dual import PATIENCE, STEPS, Dual, Subgradient
from fin.planning.graph import IN_TIME, ExtendedGraph
from fin.planning.incumbent import Incumbent, offer
from fin.planning.options import Effort
from fin.planning.policies import Policy
from fin.planning.resources import Resource, Resources, Step
from fin.planning.search import Search

MAX_POLICIES = 6
"""Policies without prices on resources whose bounds are compared at every label."""


@dataclass(frozen=True, slots=True)
class Found:
    """The least-energy path that a search found, and its proof.

    ``path`` is None where there is none (``bound`` is infinite then) or where the search
    gave up before it found one. ``bound`` is a lower bound of every feasible path.
    """

    path: tuple[Step, ...] | None
    energy: float
    bound: float


def least_path(
    graph: ExtendedGraph, dual: Dual, tolerance: float, effort: Effort | None = None
) -> Found:
    """Find a path of least energy (within ``tolerance``) that is feasible in all resources.

    Where ``effort.labels`` do not suffice to prove the best path found, the bound says
    how far from it the path can be.
    """
    if np.isinf(dual.bound):
        return Found(None, np.inf, np.inf)
    effort = effort or Effort()
    resources = Resources(graph)
    best = Incumbent(None, effort.below)
    start = (0, graph.source)
    conflicts: set[Resource] = set()
    for each in (dual.fastest, *dual.policies):
        conflicts |= offer(graph, resources, best, [start, *each.path(graph, start)])
    if conflicts:
        for each in dual.policies:
            _dive(graph, resources, dual, best, each)
        if effort.labels > 0:
            dual = _price_resources(graph, resources, dual, best, tolerance)
    tracked = tuple(sorted({resource for each in dual.policies for resource in each.prices}))
    bound = dual.bound
    while effort.labels > 0 and best.energy * (1 - tolerance) > bound:
        search = Search(graph, dual, resources, tracked, best, tolerance, effort.labels)
        proven, conflicts = search.run()
        bound = max(bound, proven)
        if not conflicts:
            break
        tracked = (*tracked, *sorted(conflicts - set(tracked)))
    energy = best.energy if best.path is not None else np.inf
    return Found(best.path, energy, min(bound, best.energy) if bound < np.inf else bound)


def _dive(
    graph: ExtendedGraph, resources: Resources, dual: Dual, best: Incumbent, guide: Policy
) -> None:
    path = dive(graph, resources, dual.fastest, guide, graph.deadline * IN_TIME)
    if path is not None:
        offer(graph, resources, best, path)


def _price_resources(
    graph: ExtendedGraph, resources: Resources, dual: Dual, best: Incumbent, tolerance: float
) -> Dual:
    """Improve ``dual`` by prices on the resources that its paths overfill."""
    ascent = Subgradient(graph, resources, dual)
    length, patience, bound = 1.0, 0, dual.bound
    for _ in range(STEPS):
        target = best.energy if np.isfinite(best.energy) else 1.05 * ascent.bound
        offer(graph, resources, best, ascent.step(length, target))
        _dive(graph, resources, dual, best, ascent.found[-1][2])
        if best.energy * (1 - tolerance) <= ascent.bound:
            break
        patience = 0 if ascent.bound > bound else patience + 1
        bound = ascent.bound
        if patience == PATIENCE:
            length, patience = length / 2, 0
    return Dual(dual.fastest, (*ascent.best(), *dual.policies[-MAX_POLICIES:]), ascent.bound)
