"""Column generation: prices from the master programme, columns from pricing, until they agree.

Prices are smoothed: those asked about lie between the best so far and the master's own
(Wentges, Weighted Dantzig-Wolfe decomposition for linear mixed-integer programming,
International Transactions in Operational Research 1997).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from fin.planning.joint.kinds import Classes
from fin.planning.joint.master import Master, MasterSolution
from fin.planning.joint.network import Network
from fin.planning.joint.pricing import Price, Pricer
from fin.planning.joint.ways import Column, Way, Ways, reserve_at
from fin.planning.system import Floats

SMOOTH = 0.7
"""Share of the best prices so far in the prices that are asked about."""

ROUNDS = 200
"""Rounds at most."""

STALLED = 12
"""Rounds without a better bound after which the prices are as good as they get."""

KEPT = 4
"""Columns of a class that join in one round at most."""

SAVES = 1e-7
"""Share of a class's worth that a column must save to join."""


@dataclass(frozen=True, eq=False)
class Relaxation:
    """The relaxed problem's solution: a master solution, and the best prices with their bound.

    ``bound`` (watts) is what the best prices prove if no node is entered again.
    """

    master: MasterSolution
    prices: Floats
    price: Price
    bound: float


class Generation:
    """Column generation for one set of classes; goes on where it stopped."""

    def __init__(
        self,
        network: Network,
        classes: Classes,
        unit: float,
        absent: Mapping[int, float] | None = None,
    ) -> None:
        self.network, self.classes = network, classes
        self.ways = Ways(network, classes)
        self.master = Master(network, classes, unit, absent or {})
        self.pricer = Pricer(network, classes, self.ways)
        self.dearest = np.full(len(classes), np.inf)
        for owner, watts in (absent or {}).items():
            self.dearest[owner] = watts
        self.present: set[tuple[int, tuple[float, ...]]] = set()
        self.best: tuple[float, Floats, Price] | None = None

    def start(self, columns: Iterable[Column]) -> None:
        """Begin with columns that together serve every application."""
        self._join(list(columns))

    def run(self, tolerance: float, in_time: Callable[[], bool]) -> Relaxation:
        """Generate columns until the bound is within ``tolerance`` of the master's power."""
        stalled = 0
        smooth = SMOOTH
        solution = self.master.solve()
        for _ in range(ROUNDS):
            center = None if self.best is None else self.best[1]
            asked = solution.prices if center is None else _between(center, solution.prices, smooth)
            price = self.pricer.price(asked)
            least = np.minimum(price.value, self.dearest)
            bound = self.classes.bound(least, asked)
            if self.best is None or bound > self.best[0]:
                stalled = stalled if self.best and bound < self.best[0] * (1 + 1e-5) else 0
                self.best = (bound, asked, price)
            stalled += 1
            joined = self._join(self._worthwhile(price.ways, asked, solution))
            if joined == 0 and smooth == 0.0 and stalled > 3:
                break
            smooth = SMOOTH if joined else 0.0
            solution = self.master.solve()
            close = solution.power - self.best[0] <= tolerance * solution.power
            if close or stalled >= STALLED or not in_time():
                break
        assert self.best is not None
        return Relaxation(solution, self.best[1], self.best[2], self.best[0])

    def offer(self, ways: Iterable[Way], solution: MasterSolution) -> int:
        """Let the worthwhile of some ways join; how many did."""
        return self._join(self._worthwhile(ways, solution.prices, solution))

    def _worthwhile(
        self, ways: Iterable[Way], asked: Floats, solution: MasterSolution
    ) -> list[Column]:
        """The ways that save power at the master's prices, a few of each class."""
        distinct = list({way.number: way for way in ways}.values())
        saving: dict[int, list[tuple[float, int, Column]]] = {}
        for prices in (asked,) if asked is solution.prices else (asked, solution.prices):
            for column in reserve_at(distinct, prices):
                owner = column.way.owner
                reduced = column.price(solution.prices) - solution.worth[owner]
                if reduced < -SAVES * abs(solution.worth[owner]):
                    saving.setdefault(owner, []).append((reduced, column.way.number, column))
        return [
            column
            for _, found in sorted(saving.items())
            for _, _, column in sorted(found, key=_by_saving)[:KEPT]
        ]

    def _join(self, columns: list[Column]) -> int:
        fresh = []
        for column in columns:
            key = (column.way.number, tuple(column.shares.tolist()))
            if key not in self.present:
                self.present.add(key)
                fresh.append(column)
        self.master.add(fresh)
        return len(fresh)


def _between(center: Floats, prices: Floats, smooth: float) -> Floats:
    return np.asarray(smooth * center + (1 - smooth) * prices)


def _by_saving(entry: tuple[float, int, Column]) -> tuple[float, int]:
    return entry[:2]
