"""Reservations for several placements at once, where they share nodes.

Each application's own least reservations are best for all where they fit together.
Where they do not, a linear programme divides the nodes: 1 / share is replaced by its
tangents, added until they are tight.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import networkx as nx
import pulp

from fin.planning.check import check
from fin.planning.deadline import Deadline
from fin.planning.evaluation import evaluate
from fin.planning.milp_solver import Backend, minimise
from fin.planning.plan import AppPlan, Placement, Plan
from fin.planning.problem import AppKey, Problem
from fin.planning.reserve import reserve

ROUNDS = 60
"""Rounds of tangents at most; a handful is enough."""

TIGHT = 1e-7
"""Share of the latency target by which tangents may be off."""

EDGE = 1e-9
"""Relative slack of the target: what the solver calls infeasible is so, rounding or not."""


@dataclass(frozen=True, slots=True)
class Impossible:
    """No reservations were found for the placements of the applications in ``keys`` together.

    ``proven``: there are none in whole millicores.
    """

    keys: frozenset[AppKey]
    proven: bool


def reserve_together(
    problem: Problem, placements: Mapping[AppKey, Placement], backend: Backend, deadline: Deadline
) -> dict[AppKey, AppPlan] | Impossible:
    """Reserve the least compute, sum of f_n / C_n, for placements that share nodes."""
    plans: dict[AppKey, AppPlan] = {}
    for key, placement in placements.items():
        plan = reserve(problem, problem.app[key], placement)
        if plan is None:
            return Impossible(frozenset({key}), proven=True)
        plans[key] = plan
    for group in _groups(placements):
        violations = check(problem, Plan("reserve", tuple(plans[key] for key in group), ()))
        if not violations:
            continue
        if any(violation.constraint != "Compute" for violation in violations):
            return Impossible(frozenset(group), proven=True)
        together = {key: placements[key] for key in group}
        divided = _Division(problem, together, whole=False).solve(backend, deadline)
        if isinstance(divided, Impossible):
            return divided
        plans |= divided
    if check(problem, Plan("reserve", tuple(plans.values()), ())):
        return Impossible(frozenset(plans), proven=True)
    return plans


def _groups(placements: Mapping[AppKey, Placement]) -> Iterator[list[AppKey]]:
    """Applications that share nodes, directly or through others."""
    sharing: nx.Graph[AppKey | str] = nx.Graph()
    for key, placement in placements.items():
        sharing.add_node(key)
        sharing.add_edges_from((key, node) for node in placement.nodes)
    for component in nx.connected_components(sharing):
        yield [key for key in placements if key in component]


@dataclass(frozen=True, slots=True)
class _Segment:
    """A segment to reserve for.

    ``time`` is its latency at all of the node, as a share of what the target leaves for
    computing; ``least`` is what its load needs, in millicores.
    """

    key: AppKey
    node: str
    time: float
    least: int


class _Division:
    """The programme that divides the nodes, in real or in whole millicores."""

    def __init__(
        self, problem: Problem, placements: Mapping[AppKey, Placement], *, whole: bool
    ) -> None:
        self.problem, self.placements, self.whole = problem, placements, whole
        self.programme = pulp.LpProblem("reserve", pulp.LpMinimize)
        self.segments = list(_segments(problem, placements))
        self.millicores = [
            self.programme.add_variable(
                f"m{index}",
                segment.least,
                problem.node[segment.node].millicores,
                pulp.LpInteger if whole else pulp.LpContinuous,
            )
            for index, segment in enumerate(self.segments)
        ]
        self.times = [
            self.programme.add_variable(f"t{index}", segment.time)
            for index, segment in enumerate(self.segments)
        ]
        self.programme.setObjective(
            pulp.lpSum(
                variable / problem.node[segment.node].millicores
                for variable, segment in zip(self.millicores, self.segments, strict=True)
            )
        )
        for node in problem.nodes:
            here = [index for index, each in enumerate(self.segments) if each.node == node.name]
            if here:
                used = pulp.lpSum(self.millicores[index] for index in here)
                self.programme.addConstraint(used / node.millicores <= 1)
        for key in placements:
            mine = [self.times[i] for i, each in enumerate(self.segments) if each.key == key]
            self.programme.addConstraint(pulp.lpSum(mine) <= 1 + EDGE)
        for index, segment in enumerate(self.segments):
            self._touch(index, max(segment.time, segment.least / self._all(segment)))
            self._touch(index, 1.0)

    def solve(self, backend: Backend, deadline: Deadline) -> dict[AppKey, AppPlan] | Impossible:
        """Add tangents until they are tight, then count in whole millicores."""
        for _ in range(ROUNDS):
            # Only feasibility needs proof: the objective is best effort.
            gap = 1e-2 if self.whole else 1e-9
            status = minimise(self.programme, backend, deadline, gap).status
            if status == "infeasible":
                return Impossible(frozenset(self.placements), proven=True)
            if status == "unknown":
                return Impossible(frozenset(self.placements), proven=False)
            plans = self._round_up()
            if (self.whole and plans is not None) or not self._tighten():
                break
        if plans is not None:
            return plans
        if self.whole:
            return Impossible(frozenset(self.placements), proven=False)
        return _Division(self.problem, self.placements, whole=True).solve(backend, deadline)

    def _all(self, segment: _Segment) -> int:
        return self.problem.node[segment.node].millicores

    def _touch(self, index: int, share: float) -> None:
        """Bound a segment's time by the tangent of 1 / share that touches at ``share``."""
        segment = self.segments[index]
        slope = segment.time / share**2 / self._all(segment)
        tangent = 2 * segment.time / share - slope * self.millicores[index]
        self.programme.addConstraint(self.times[index] >= tangent)

    def _tighten(self) -> bool:
        """Add tangents where they are not tight; whether there were any."""
        late: dict[AppKey, float] = dict.fromkeys(self.placements, 0.0)
        shares = []
        for segment, variable in zip(self.segments, self.millicores, strict=True):
            value = round(variable.varValue) if self.whole else variable.varValue
            shares.append(max(value, segment.least) / self._all(segment))
            late[segment.key] += segment.time / shares[-1]
        allowed = 1.0 if self.whole else 1 + TIGHT
        loose = [i for i, each in enumerate(self.segments) if late[each.key] > allowed]
        for index in loose:
            self._touch(index, shares[index])
        return bool(loose)

    def _round_up(self) -> dict[AppKey, AppPlan] | None:
        """Whole millicores; None where they break a constraint."""
        reserved: dict[AppKey, list[tuple[str, int]]] = {key: [] for key in self.placements}
        for segment, variable in zip(self.segments, self.millicores, strict=True):
            value = max(math.ceil(variable.varValue - 1e-6), segment.least)
            reserved[segment.key].append((segment.node, min(value, self._all(segment))))
        plans = {
            key: AppPlan(key, placement, tuple(reserved[key]))
            for key, placement in self.placements.items()
        }
        broken = check(self.problem, Plan("reserve", tuple(plans.values()), ()))
        return None if broken else plans


def _segments(problem: Problem, placements: Mapping[AppKey, Placement]) -> Iterator[_Segment]:
    for key, placement in placements.items():
        app = problem.app[key]
        found = evaluate(problem, app, placement)
        spare = app.latency - found.network_latency
        for name, _ in placement.segments:
            node = problem.node[name]
            load = found.load[name] / problem.utilisation / node.flops_per_millicore
            work = found.work[name] / node.capacity
            yield _Segment(
                key=key,
                node=name,
                time=work / spare if work else 0.0,
                least=max(app.model.min_millicores, math.ceil(load * (1 - 1e-10))),
            )
