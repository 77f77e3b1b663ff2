"""FIN for one application: the least-energy placement that the system can still carry.

Source: Singhal et al., IEEE Transactions on Networking 2025 (INFOCOM 2024, arXiv
2404.08060); model.md, "FIN's three stages, for one application".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fin.planning.dual import solve_dual
from fin.planning.graph import IN_TIME, ExtendedGraph, extended_graph, feasible_graph
from fin.planning.incumbent import path_cost
from fin.planning.least_path import Found, least_path
from fin.planning.options import Effort, Options
from fin.planning.plan import Placement
from fin.planning.problem import App
from fin.planning.resources import Step
from fin.planning.system import System


@dataclass(frozen=True, slots=True)
class Solution:
    """FIN's answer for one application.

    ``placement`` is None where none was found. ``energy`` and ``bound`` are joules per
    inference; no feasible deployment on that system uses less than ``bound``, which is
    infinite where it is proven that there is none.
    """

    placement: Placement | None
    energy: float
    bound: float


NOWHERE = Solution(None, np.inf, np.inf)


def solve(system: System, app: App, options: Options, effort: Effort | None = None) -> Solution:
    """Place one application on what is left of a system, at the least energy.

    With ``options.gamma`` the latency target is cut into that many slots, as in the paper:
    rounded up for the answer, rounded down for the bound. Without it every path keeps its
    own latency, which is what the slots tend to as gamma grows, so an answer is found
    wherever there is one, and it is within ``options.tolerance`` of the least energy.
    """
    blocks = app.model.cut(app.min_accuracy)
    if blocks is None or app.source not in system.index:
        return NOWHERE
    graph = extended_graph(system, app, blocks)
    if options.gamma is None:
        found = _least(graph, options.tolerance, effort)
    else:
        found = _least_in_slots(graph, options.gamma, effort)
    if found.path is None:
        return Solution(None, np.inf, found.bound)
    energy, _ = path_cost(graph, found.path)
    return Solution(placement_of(system, found.path), energy, min(found.bound, energy))


def _least(graph: ExtendedGraph, tolerance: float, effort: Effort | None) -> Found:
    return least_path(graph, solve_dual(graph), tolerance, effort)


def _least_in_slots(graph: ExtendedGraph, gamma: int, effort: Effort | None) -> Found:
    up, down = feasible_graph(graph, gamma, "up"), feasible_graph(graph, gamma, "down")
    answer, relaxed = _least(up, 0.0, effort), _least(down, 0.0, effort)
    bound = max(relaxed.bound, solve_dual(graph).bound)
    in_time = answer.path is not None and path_cost(graph, answer.path)[1] <= (
        graph.deadline * IN_TIME
    )
    return Found(answer.path if in_time else None, answer.energy, bound)


def placement_of(system: System, path: Sequence[Step]) -> Placement:
    """Read a placement off a path of the extended graph."""
    names = [node.name for node in system.nodes]
    nodes, routes = [], []
    route = [names[path[0][1]]]
    for (block, _), (after, other) in pairwise(path):
        if after == block:
            route.append(names[other])
            continue
        nodes.append(names[other])
        routes.append(tuple(route))
        route = [names[other]]
    return Placement(tuple(nodes), tuple(routes))
