"""Solving a formulation until its answer holds: tangents and cuts where it does not."""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import pulp

from fin.planning.deadline import Deadline
from fin.planning.evaluation import LinkKey
from fin.planning.milp_model import Formulation
from fin.planning.milp_reserve import Impossible, reserve_together
from fin.planning.milp_solver import ABSOLUTE_GAP, Backend, minimise
from fin.planning.plan import AppPlan, Placement
from fin.planning.problem import AppKey

LATE = 1e-7
"""Share of the latency target by which a time may be off its tangents before one is added."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Plans that hold, and the proven lower bound of the objective.

    ``plans`` is None where there are none: proven where the bound is infinite. ``proven``:
    no plans have a better objective, within the gap of the solver.
    """

    plans: Mapping[AppKey, AppPlan] | None
    bound: float
    proven: bool


def settle(
    formulation: Formulation,
    backend: Backend,
    deadline: Deadline,
    absolute_gap: float = ABSOLUTE_GAP,
) -> Answer:
    """Solve until the answer can be reserved for in whole millicores, and passes the check.

    What cannot is cut off. A cut that only the whole millicores ask for is no part of the
    bound: it stays where it was before the first of them.
    """
    ceiling = math.inf
    while True:
        outcome = minimise(formulation.programme, backend, deadline, absolute_gap)
        bound = min(outcome.bound, ceiling)
        if outcome.status in ("infeasible", "unknown"):
            return Answer(None, bound, proven=outcome.status == "infeasible")
        ways = _ways(formulation)
        placements = {key: placement for key, (placement, _) in ways.items()}
        result = reserve_together(formulation.problem, placements, backend, deadline)
        if not isinstance(result, Impossible):
            return Answer(result, bound, proven=outcome.status == "optimal")
        if not result.proven:
            ceiling = bound
        _tighten(formulation)
        formulation.forbid([variable for key in result.keys for variable in ways[key][1]])


def _ways(formulation: Formulation) -> dict[AppKey, tuple[Placement, list[pulp.LpVariable]]]:
    """Read the placements off a solution, with the binaries that each consists of."""
    nodes: dict[AppKey, dict[int, str]] = {}
    for (key, block, node), variable in formulation.runs.items():
        if variable.varValue > 0.5:
            nodes.setdefault(key, {})[block] = node
    links: dict[tuple[AppKey, int], list[LinkKey]] = {}
    for (key, block, ends), variable in formulation.moves.items():
        if variable.varValue > 0.5:
            links.setdefault((key, block), []).append(ends)
    ways = {}
    for key, chosen in nodes.items():
        at = formulation.choices[key].app.source
        routes, used = [], []
        for block, node in sorted(chosen.items()):
            route = _route(links.get((key, block), []), at, node)
            routes.append(route)
            used.append(formulation.runs[key, block, node])
            used += [formulation.moves[key, block, ends] for ends in pairwise(route)]
            at = node
        names = tuple(node for _, node in sorted(chosen.items()))
        ways[key] = Placement(names, tuple(routes)), used
    return ways


def _route(links: list[LinkKey], start: str, end: str) -> tuple[str, ...]:
    """The way from start to end over the chosen links; cycles that cost nothing fall away."""
    before = {start: start}
    queue = deque([start])
    while queue and end not in before:
        at = queue.popleft()
        for tail, head in links:
            if tail == at and head not in before:
                before[head] = at
                queue.append(head)
    route = [end]
    while route[-1] != start:
        route.append(before[route[-1]])
    return tuple(reversed(route))


def _tighten(formulation: Formulation) -> None:
    """Add a tangent at each reservation of the solution whose times it does not yet bound."""
    for (key, node), share in formulation.shares.items():
        point = share.varValue
        needed = given = 0.0
        for run in formulation.choices[key].runs:
            at = (key, run.block, node)
            if run.node == node and at in formulation.times and point > 0:
                needed += run.time * formulation.runs[at].varValue / point
                given += formulation.times[at].varValue
        if needed > given + LATE:
            formulation.touch(key, node, point)
