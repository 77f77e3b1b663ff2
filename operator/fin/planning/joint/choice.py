"""Whole plans: one way for every application, chosen by a mixed-integer programme.

Integers choose ways; the shares of their segments are continuous, and 1 / share is
replaced by its tangents, added until they are tight (model.md, "Whole plans").
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import highspy
import numpy as np

from fin.planning.joint.kinds import Classes
from fin.planning.joint.master import quiet_highs
from fin.planning.joint.network import Network
from fin.planning.joint.ways import Column, Way
from fin.planning.system import Floats, Ints

ROUNDS = 8
"""Times that ways are chosen anew because the tangents were not tight."""

POLISHES = 40
"""Rounds of tangents for one choice of ways at most."""

NODES, LARGE = 300, 600
"""Nodes of the branch-and-bound tree at most, so that no clock decides; and candidates from
which they are fewer in proportion, since each takes longer."""

ROUNDING = 1e-6
"""Millicores by which a reservation may exceed a whole number and still count as it."""

APART = 0.2
"""Logarithm of the ratio of two shares from which both get a tangent at first."""

EDGE = 1e-7
"""Share of the time for computing that a plan leaves free, above what the solver rounds."""

SOLVED = 1e-6
"""What the solver's tolerances may add to the bound, in its units, for each application."""

SECONDS = 0.1
"""What one run of the solver is given at least, so that what was found can be reserved."""

TREE_GAP = 0.2
"""Share of the tolerance within which the tree is searched."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A way that may be chosen, with the watts that choosing it costs.

    ``shares``: it has these reservations and no others. ``runs``: it runs with them.
    ``touches``: shares at which the first tangents touch.
    """

    way: Way
    watts: float
    shares: Floats | None = None
    runs: bool = False
    touches: tuple[Floats, ...] = ()


@dataclass(frozen=True, eq=False)
class Choice:
    """How often each candidate is chosen, with its reservations; and the proven bound, watts.

    ``chosen`` is None where nothing was found.
    """

    chosen: tuple[tuple[Candidate, int, Floats], ...] | None
    bound: float


@dataclass(frozen=True, eq=False)
class Within:
    """Of each class how many applications are to choose for, (classes,), and the room for them.

    ``room`` is a share of each limit, as `Network.room`.
    """

    count: Ints
    room: Floats


class Chooser:
    """The programme over some candidates.

    Parameters
    ----------
    absent
        What it costs to leave out an application of a class, watts; the others must be served.
    within
        Some of the applications, and the room that the others leave; by default all.
    spare
        Millicores that each segment whose share is to be found leaves free beside it, so
        that whole millicores fit: 1 for a plan, 0 for a bound.
    """

    def __init__(
        self,
        network: Network,
        classes: Classes,
        candidates: Sequence[Candidate],
        unit: float,
        spare: int,
        absent: Mapping[int, float] | None = None,
        within: Within | None = None,
    ) -> None:
        self.network, self.classes, self.candidates = network, classes, tuple(candidates)
        self.within = Within(classes.count, network.room) if within is None else within
        self.unit, self.spare = unit, spare
        self.highs = quiet_highs()
        nodes = NODES * min(1.0, (LARGE / max(len(candidates), 1)) ** 2)
        self.highs.setOptionValue("mip_max_nodes", max(int(nodes), 1))
        # A restart throws away what the tree has proven, and hardly ever helped here.
        self.highs.setOptionValue("mip_allow_restart", False)
        self.shares: dict[int, list[int]] = {}
        self.times: dict[int, list[int]] = {}
        self._use: dict[int, list[tuple[int, float]]] = {}
        count, room = self.within.count, self.within.room
        owners: dict[int, list[tuple[int, float]]] = {
            owner: [] for owner in np.flatnonzero(count).tolist()
        }
        for number, candidate in enumerate(self.candidates):
            owner = candidate.way.owner
            self._variable(candidate.watts / unit, float(count[owner]), whole=True)
            owners[owner].append((number, 1.0))
        for number, candidate in enumerate(self.candidates):
            self._segments(number, candidate)
        for owner, watts in sorted((absent or {}).items()):
            left_out = self._variable(watts / unit, float(count[owner]), whole=True)
            owners[owner].append((left_out, 1.0))
        for owner, terms in owners.items():
            self._row(terms, float(count[owner]), float(count[owner]))
        for limit, terms in sorted(self._use.items()):
            if self._most(terms) > room[limit]:
                self._row(terms, -highspy.kHighsInf, float(room[limit]))

    def choose(
        self, tolerance: float, time_left: Callable[[], float | None] = lambda: None
    ) -> Choice:
        """Choose, within ``tolerance`` and the seconds that are left, if they are limited."""
        self.highs.setOptionValue("mip_rel_gap", TREE_GAP * tolerance)
        bound = -math.inf
        for _ in range(ROUNDS):
            left = time_left()
            if left == 0 and np.isfinite(bound):
                break
            if left is not None:
                self.highs.setOptionValue("time_limit", max(left, SECONDS))
            self.highs.run()
            info = self.highs.getInfo()
            if self.highs.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
                return Choice(None, math.inf)
            rounded = SOLVED * float(self.within.count.sum())
            bound = max(bound, (info.mip_dual_bound - rounded) * self.unit)
            if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
                break
            counts = np.rint(np.array(self.highs.getSolution().col_value)[: len(self.candidates)])
            chosen = self._reserve(counts)
            if chosen is not None:
                return Choice(chosen, bound)
        return Choice(None, bound)

    # Building -------------------------------------------------------------------------

    def _variable(self, cost: float, most: float, *, whole: bool = False) -> int:
        number = int(self.highs.getNumCol())
        self.highs.addCol(cost, 0.0, most, 0, [], [])
        if whole:
            self.highs.changeColIntegrality(number, highspy.HighsVarType.kInteger)
        return number

    def _row(self, terms: Sequence[tuple[int, float]], low: float, high: float) -> None:
        columns = np.array([column for column, _ in terms], dtype=np.int32)
        values = np.array([value for _, value in terms], dtype=np.float64)
        self.highs.addRow(low, high, len(terms), columns, values)

    def _segments(self, number: int, candidate: Candidate) -> None:
        way, fixed = candidate.way, self._fixed(candidate)
        for limit, amount in zip(way.rows.tolist(), way.amounts.tolist(), strict=True):
            self._use.setdefault(limit, []).append((number, amount))
        always = self.spare * self.network.millicore_share[way.nodes] if fixed is None else fixed
        for node, share in zip(way.nodes.tolist(), always.tolist(), strict=True):
            self._use.setdefault(node, []).append((number, share))
        if fixed is None:
            self._trade(number, candidate)

    def _fixed(self, candidate: Candidate) -> Floats | None:
        """The reservations, where nothing is to be traded: for a plan in whole millicores."""
        if candidate.shares is not None:
            return candidate.shares
        way = candidate.way
        if not way.fixed:
            return None
        one = self.network.millicore_share[way.nodes]
        return np.asarray(np.ceil(way.fewest / one - ROUNDING) * one if self.spare else way.fewest)

    def _trade(self, number: int, candidate: Candidate) -> None:
        """Variables of a way whose segments may take more or less, for each other."""
        way, infinity = candidate.way, highspy.kHighsInf
        most = float(self.within.count[way.owner])
        self.shares[number] = [self._variable(0.0, most) for _ in way.nodes]
        self.times[number] = [self._variable(0.0, most) for _ in way.nodes]
        for segment, share in enumerate(self.shares[number]):
            self._use[int(way.nodes[segment])].append((share, 1.0))
            self._row([(share, 1.0), (number, -float(way.fewest[segment]))], 0.0, infinity)
            self._row([(share, 1.0), (number, -1.0)], -infinity, 0.0)
        whole = (number, EDGE * self.spare - 1.0)
        self._row([*((time, 1.0) for time in self.times[number]), whole], -infinity, 0.0)
        touched: list[Floats] = []
        for touch in (way.fewest, np.ones(len(way.nodes)), *candidate.touches):
            if all(float(np.abs(np.log(touch / other)).max()) > APART for other in touched):
                touched.append(touch)
                self._touch(number, touch)

    def _touch(self, number: int, shares: Floats) -> None:
        """Bound the times of a way by the tangents that touch at some shares."""
        seconds = self.candidates[number].way.seconds
        for segment, share in enumerate(shares.tolist()):
            slope = float(seconds[segment]) / share**2
            terms = [
                (self.times[number][segment], 1.0),
                (number, -2 * float(seconds[segment]) / share),
                (self.shares[number][segment], slope),
            ]
            self._row(terms, 0.0, highspy.kHighsInf)

    def _most(self, terms: Sequence[tuple[int, float]]) -> float:
        """What a limit could be asked for at most: of each class, its dearest candidate."""
        most: dict[int, float] = {}
        for column, amount in terms:
            if column >= len(self.candidates):
                return math.inf
            owner = self.candidates[column].way.owner
            most[owner] = max(most.get(owner, 0.0), amount)
        return sum(float(self.within.count[owner]) * amount for owner, amount in most.items())

    # Solving --------------------------------------------------------------------------

    def _reserve(self, counts: Floats) -> tuple[tuple[Candidate, int, Floats], ...] | None:
        """Reservations for chosen ways, as little as possible; None where there are none.

        Whatever comes of it, the tangents that it needed stay.
        """
        highs, numbers = self.highs, np.arange(len(self.candidates), dtype=np.int32)
        upper = np.array([float(self.within.count[each.way.owner]) for each in self.candidates])
        watts = np.array([each.watts / self.unit for each in self.candidates])
        continuous = np.full(len(numbers), highspy.HighsVarType.kContinuous)
        highs.changeColsBounds(len(numbers), numbers, counts, counts)
        highs.changeColsIntegrality(len(numbers), numbers, continuous)
        highs.changeColsCost(len(numbers), numbers, np.zeros(len(numbers)))
        used = [number for number in self.shares if counts[number] > 0]
        weigh = np.array([s for number in used for s in self.shares[number]], dtype=np.int32)
        highs.changeColsCost(len(weigh), weigh, np.ones(len(weigh)))
        result = None
        for _ in range(POLISHES):
            highs.run()
            if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                break
            values = np.array(highs.getSolution().col_value)
            if not self._tighten(used, counts, values):
                result = self._chosen(counts, values)
                break
        highs.changeColsCost(len(weigh), weigh, np.zeros(len(weigh)))
        highs.changeColsCost(len(numbers), numbers, watts)
        highs.changeColsBounds(len(numbers), numbers, np.zeros(len(numbers)), upper)
        whole = np.full(len(numbers), highspy.HighsVarType.kInteger)
        highs.changeColsIntegrality(len(numbers), numbers, whole)
        return result

    def _tighten(self, used: Sequence[int], counts: Floats, values: Floats) -> bool:
        """Add tangents where a way is late by its shares; whether there were any."""
        late = False
        for number in used:
            seconds = self.candidates[number].way.seconds
            shares = values[self.shares[number]] / counts[number]
            if float((seconds / shares).sum()) > 1 + EDGE * (1 - self.spare):
                self._touch(number, shares)
                late = True
        return late

    def _chosen(self, counts: Floats, values: Floats) -> tuple[tuple[Candidate, int, Floats], ...]:
        chosen = []
        for number in np.flatnonzero(counts > 0).tolist():
            candidate = self.candidates[number]
            shares = self._fixed(candidate)
            if shares is None:
                shares = values[self.shares[number]] / counts[number]
            chosen.append((candidate, int(counts[number]), shares))
        return tuple(chosen)


def column_candidates(columns: Sequence[Column]) -> dict[int, Candidate]:
    """Candidates by way, with tangents at the shares of some columns of it."""
    touches: dict[int, list[Column]] = {}
    for column in columns:
        touches.setdefault(column.way.number, []).append(column)
    return {
        number: Candidate(
            mine[0].way, mine[0].way.power, touches=tuple(each.shares for each in mine)
        )
        for number, mine in touches.items()
    }
