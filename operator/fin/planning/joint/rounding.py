"""From the relaxed mix to one way for every application: a dive with new reservations.

Step by step the master programme is required to keep what it mixes most, and answers with
new prices, at which all ways nearby get new reservations (Sadykov et al., Primal heuristics for
branch and price, INFORMS Journal on Computing 2019).
"""

from collections.abc import Iterable

import numpy as np

from fin.planning.joint.generation import Generation
from fin.planning.joint.master import Master, MasterSolution
from fin.planning.joint.ways import Column, Way, reserve_at

NEAREST = 8
"""Ways of a class that are worth a look: those of least price."""

MISSING = 10.0
"""What an application that is left out costs, in what its class would pay for it."""

STEPS = 200
"""Steps at most."""

PART = 0.1
"""Share of the undecided applications that is decided in one step at least."""

ANEW = 2
"""Times that reservations are made anew in one step at most."""

WHOLE = 1e-6
"""How near to a whole number counts as one."""


class Rounding:
    """A dive from the solution of a relaxed problem, so that whole millicores fit."""

    def __init__(self, generation: Generation, solution: MasterSolution) -> None:
        self.generation, self.classes = generation, generation.classes
        network = generation.network
        worth = np.maximum(solution.worth, generation.master.unit)
        self.missing = dict(enumerate((MISSING * worth).tolist()))
        self.ways = self._nearest(solution)
        self.way = {way.number: way for way in self.ways}
        self.master = Master(
            network,
            self.classes,
            generation.master.unit,
            self.missing,
            spare=network.millicore_share,
        )
        columns = [c for c in generation.master.columns if c.way.number in self.way]
        self.master.add(columns)
        self.present = {_key(column) for column in columns}
        self.decided: dict[int, int] = {}
        self.undone: set[int] = set()

    def _nearest(self, solution: MasterSolution) -> list[Way]:
        """The ways of each class that cost least at the relaxed problem's prices."""
        found = self.generation.ways.found
        prices = [column.price(solution.prices) for column in reserve_at(found, solution.prices)]
        grouped: dict[int, list[tuple[float, int, Way]]] = {}
        for price, way in zip(prices, found, strict=True):
            grouped.setdefault(way.owner, []).append((price, way.number, way))
        nearest = [
            way
            for _, mine in sorted(grouped.items())
            for _, _, way in sorted(mine, key=_by_price)[:NEAREST]
        ]
        mixed = np.flatnonzero(solution.shares > WHOLE).tolist()
        columns = self.generation.master.columns
        return list(
            {way.number: way for way in (*nearest, *(columns[i].way for i in mixed))}.values()
        )

    def run(self) -> list[Way]:
        """Ways of every class to choose from: one for each application, as far as there is room.

        Where the last ones find none, there are more ways for them, and for those on whose
        nodes they could be.
        """
        count = int(self.classes.count.sum())
        for _ in range(STEPS):
            shares = self._relaxed()
            self._undo(shares)
            if sum(self.decided.values()) == count or not self._decide(shares):
                break
        return self._chosen()

    def _chosen(self) -> list[Way]:
        left = self.classes.count.copy()
        decided = [self.way[number] for number, times in self.decided.items() if times > 0]
        for way in decided:
            left[way.owner] -= self.decided[way.number]
        open_ = set(np.flatnonzero(left).tolist())
        nodes = {node for way in self.ways if way.owner in open_ for node in way.nodes.tolist()}
        near = open_ | {way.owner for way in decided if nodes.intersection(way.nodes.tolist())}
        more = [way for way in self.ways if open_ and way.owner in near]
        return list({way.number: way for way in (*decided, *more)}.values())

    def _relaxed(self) -> dict[int, float]:
        """How many applications go each way in the relaxed problem, as far as it is decided."""
        for _ in range(ANEW):
            solution = self.master.solve()
            if self._join(self._better(solution)) == 0:
                break
        else:
            solution = self.master.solve()
        shares: dict[int, float] = {}
        for index in np.flatnonzero(solution.shares > WHOLE).tolist():
            number = self.master.columns[index].way.number
            shares[number] = shares.get(number, 0.0) + float(solution.shares[index])
        return shares

    def _undo(self, shares: dict[int, float]) -> None:
        """Take back what was decided and finds no room, and decide it no more."""
        for number, times in self.decided.items():
            if shares.get(number, 0.0) < times - WHOLE:
                self.decided[number] = int(shares.get(number, 0.0) + WHOLE)
                self.undone.add(number)
                self._require(number)

    def _decide(self, shares: dict[int, float]) -> int:
        """Require what is whole already, or else what is nearest to it; how many those are."""
        left = self.classes.count.copy()
        for number, times in self.decided.items():
            left[self.way[number].owner] -= times
        rest = [
            (self.decided.get(number, 0) - share, number)
            for number, share in shares.items()
            if left[self.way[number].owner] > 0
        ]
        decided, least = 0, max(1, int(PART * float(left.sum())))
        for missing, number in sorted(rest):
            owner = self.way[number].owner
            times = min(int(WHOLE - missing), int(left[owner]))
            if times == 0 and decided < least and left[owner] > 0 and number not in self.undone:
                times = 1
            if times > 0:
                self.decided[number] = self.decided.get(number, 0) + times
                left[owner] -= times
                decided += times
                self._require(number)
        return decided

    def _require(self, number: int) -> None:
        way = self.way[number]
        self.master.require(way, self.decided[number], self.missing[way.owner])

    def _better(self, solution: MasterSolution) -> Iterable[Column]:
        """Reservations that cost less at these prices than what the programme has."""
        for column in reserve_at(self.ways, solution.prices):
            owner, number = column.way.owner, column.way.number
            worth = float(solution.worth[owner]) + solution.extra.get(number, 0.0)
            spare = float(solution.prices[column.way.nodes] @ self.master.spare[column.way.nodes])
            if column.price(solution.prices) + spare < worth - WHOLE * abs(worth):
                yield column

    def _join(self, columns: Iterable[Column]) -> int:
        fresh = [column for column in columns if _key(column) not in self.present]
        self.present.update(_key(column) for column in fresh)
        self.master.add(fresh)
        return len(fresh)


def _key(column: Column) -> tuple[int, tuple[float, ...]]:
    return column.way.number, tuple(column.shares.tolist())


def _by_price(entry: tuple[float, int, Way]) -> tuple[float, int]:
    return entry[:2]
