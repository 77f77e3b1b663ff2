"""The master programme: which mix of columns serves all applications at the least power.

A linear programme in HiGHS (Huangfu and Hall, Mathematical Programming Computation 2018),
kept from round to round, so that a new column costs a few pivots. A link's row joins
when the links without one are overfilled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import highspy
import numpy as np

from fin.planning.joint.kinds import Classes
from fin.planning.joint.network import EGRESS, Network
from fin.planning.joint.ways import Column, Way
from fin.planning.system import Floats, Ints

ROW_ROUNDS = 20
"""Times that rows may join in one solve."""

OVERFULL = 1 + 1e-9
"""Use of a row without one, relative to its room, from which it joins."""


class MasterError(RuntimeError):
    """HiGHS did not solve a programme that has a solution: its numbers are too extreme."""


@dataclass(frozen=True, eq=False)
class MasterSolution:
    """The least power, watts, the shares of the columns, and the prices that prove it.

    ``prices`` are in watts per share of each row's limit; ``worth`` is what each class
    would pay for one application, watts, and ``extra`` what it costs beyond that to be
    required to go one way, by the way's number.
    """

    power: float
    shares: Floats
    prices: Floats
    worth: Floats
    extra: Mapping[int, float]


class Master:
    """The programme over a growing set of columns; counts power in ``unit`` watts.

    ``absent`` says what it costs to leave out an application of a class, watts; the others
    must be served. ``spare`` (nodes,) is what a segment takes of its node beside its share.
    """

    def __init__(
        self,
        network: Network,
        classes: Classes,
        unit: float,
        absent: Mapping[int, float],
        spare: Floats | None = None,
    ) -> None:
        self.network, self.classes, self.unit = network, classes, unit
        self.spare = np.zeros(network.size) if spare is None else spare
        self.numbers: list[int] = []
        self.required: dict[int, int] = {}
        self.columns: list[Column] = []
        self.highs = quiet_highs()
        rows = len(network.limits)
        # Row of the programme of each limit, -1 while it has none: nodes' from the start.
        self.row = np.full(rows, -1, dtype=np.int32)
        for count in classes.count:
            self.highs.addRow(float(count), float(count), 0, [], [])
        self._add_rows(np.arange(EGRESS * network.size))
        for owner, watts in sorted(absent.items()):
            most = float(classes.count[owner])
            self.highs.addCol(watts / unit, 0.0, most, 1, np.array([owner], np.int32), np.ones(1))

    def add(self, columns: Sequence[Column]) -> None:
        """Let columns take part."""
        for column in columns:
            mine = self.row[column.rows]
            has = mine >= 0
            required = [self.required[n] for n in (column.way.number,) if n in self.required]
            served = [column.way.owner, *required]
            rows = np.concatenate([served, mine[has]]).astype(np.int32)
            values = np.concatenate([np.ones(len(served)), self._amounts(column)[has]])
            watts = column.way.power / self.unit
            self.numbers.append(self.highs.getNumCol())
            self.highs.addCol(watts, 0.0, highspy.kHighsInf, len(rows), rows, values)
            self.columns.append(column)

    def require(self, way: Way, count: int, lacking: float) -> None:
        """Let so many applications at least go one way; each that does not costs ``lacking`` W."""
        if way.number in self.required:
            row = self.required[way.number]
            self.highs.changeRowBounds(row, float(count), highspy.kHighsInf)
            return
        taken = [
            number
            for number, column in zip(self.numbers, self.columns, strict=True)
            if column.way.number == way.number
        ]
        row = self.required[way.number] = self.highs.getNumRow()
        columns = np.array(taken, dtype=np.int32)
        ones = np.ones(len(columns))
        self.highs.addRow(float(count), highspy.kHighsInf, len(columns), columns, ones)
        costs = lacking / self.unit
        self.highs.addCol(costs, 0.0, highspy.kHighsInf, 1, np.array([row], np.int32), np.ones(1))

    def _amounts(self, column: Column) -> Floats:
        return np.concatenate([column.shares + self.spare[column.way.nodes], column.way.amounts])

    def solve(self) -> MasterSolution:
        """Solve.

        Raises
        ------
        MasterError
            Where HiGHS does not come to an optimum.
        """
        for _ in range(ROW_ROUNDS):
            self.highs.run()
            if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                raise MasterError(str(self.highs.getModelStatus()))
            solution = self.highs.getSolution()
            shares = np.array(solution.col_value)[self.numbers]
            missing = self._overfull(shares)
            if len(missing) == 0:
                break
            self._add_rows(missing)
        duals = np.array(solution.row_dual) * self.unit
        prices = np.zeros(len(self.row))
        present = self.row >= 0
        prices[present] = np.maximum(-duals[self.row[present]], 0.0)
        power = self.highs.getObjectiveValue() * self.unit
        worth = duals[: len(self.classes)]
        extra = {number: float(duals[row]) for number, row in self.required.items()}
        return MasterSolution(power, shares, prices, worth, extra)

    def _overfull(self, shares: Floats) -> Ints:
        """Rows that the programme lacks and its solution overfills."""
        used = np.zeros(len(self.row))
        for index in np.flatnonzero(shares > 0).tolist():
            column = self.columns[index]
            used[column.rows] += shares[index] * self._amounts(column)
        return np.flatnonzero((self.row < 0) & (used > self.network.room * OVERFULL))

    def _add_rows(self, limits: Ints) -> None:
        place = {int(limit): number for number, limit in enumerate(limits)}
        indices: list[list[int]] = [[] for _ in place]
        values: list[list[float]] = [[] for _ in place]
        for number, column in enumerate(self.columns):
            for row, amount in zip(
                column.rows.tolist(), self._amounts(column).tolist(), strict=True
            ):
                if row in place:
                    indices[place[row]].append(self.numbers[number])
                    values[place[row]].append(amount)
        for limit, number in place.items():
            self.row[limit] = self.highs.getNumRow()
            room = float(self.network.room[limit])
            taken = np.array(indices[number], dtype=np.int32)
            amounts = np.array(values[number])
            self.highs.addRow(-highspy.kHighsInf, room, len(taken), taken, amounts)


def quiet_highs() -> highspy.Highs:
    """A solver that prints nothing, and does the same every time."""
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (
        ("output_flag", False),
        ("threads", 1),
        ("primal_feasibility_tolerance", 1e-9),
        ("dual_feasibility_tolerance", 1e-9),
    ):
        highs.setOptionValue(option, value)
    return highs
