"""Pricing without the gap of the price of time: enumerate, and cost each way exactly.

Source: model.md, "Several applications": the price of time leaves a gap of its own that no
column closes. All ways whose Lagrangian cost is within a threshold are listed, and each is
costed with its best reservations; what is not listed costs more than the threshold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from fin.planning.joint.backward import PLAIN, Layers, ToGo
from fin.planning.joint.labels import Costs, TooManyError, enumerate_walks
from fin.planning.joint.pricing import Price, Pricer
from fin.planning.joint.reentry import MORE, Reentry, remembering
from fin.planning.joint.ways import Column, Walk, Way, reserve_at
from fin.planning.system import Floats

TIMES = np.array([1.0, 0.5, 2.0, 0.1, 10.0, 1e3])
"""Prices of time at which ways are looked at, by the best one."""

SLACKS = (1.0, 0.25, 0.0)
"""Shares of a slack that are tried, where there are too many ways within the one before."""

CLOSE = 1e-9
"""Relative difference within which costs count as equal."""


@dataclass(frozen=True, eq=False)
class Listing:
    """Ways of all classes, exactly costed at some prices.

    ``columns`` are ways of each class, cheapest first; ``least`` (classes,) is a proven
    lower bound of what any way of each class costs, and ``others`` (classes,) of what
    those cost that are not listed, watts.
    """

    columns: tuple[tuple[Column, ...], ...]
    least: Floats
    others: Floats


def list_ways(
    pricer: Pricer,
    prices: Floats,
    price: Price,
    worth: Floats,
    slack: float,
    in_time: Callable[[], bool] = lambda: True,
) -> Listing:
    """List the ways of every class that cost at most its ``worth`` (classes,) and ``slack``, watts.

    Where there are too many, less slack has to do; where there are too many with none, or
    time is up, the class lists none, and its bound is that of its price of time.
    """
    columns: list[tuple[Column, ...]] = []
    least, others = np.zeros(len(worth)), np.zeros(len(worth))
    for owner in range(len(worth)):
        if not in_time():
            least[owner:] = others[owner:] = loose_bounds(pricer, prices, price)[owner:]
            columns += [()] * (len(worth) - owner)
            break
        around = _Around(pricer, prices, owner, float(price.time[owner]))
        ways, others[owner] = _listed(around, float(worth[owner]), slack)
        if ways is None:
            others[owner] = around.reentrant(float(price.value[owner]))
        mine = [(column.price(prices), column) for column in reserve_at(ways or [], prices)]
        mine.sort(key=_by_price)
        limit = others[owner] + CLOSE * abs(others[owner])
        columns.append(tuple(column for cost, column in mine if cost <= limit))
        least[owner] = min(others[owner], mine[0][0] if mine else np.inf)
    return Listing(tuple(columns), least, others)


def _listed(around: "_Around", worth: float, slack: float) -> tuple[list[Way] | None, float]:
    """The ways within as much of the slack as can be looked at, and up to what they cost."""
    for part in SLACKS if slack > 0 else (0.0,):
        try:
            return around.ways(worth + part * slack), worth + part * slack
        except TooManyError:
            continue
    return None, worth


def loose_bounds(pricer: Pricer, prices: Floats, price: Price) -> Floats:
    """What any way of each class costs at least, ways that come back included, watts.

    Quick, and looser than `list_ways`. Shape (classes,).
    """
    bounds = price.value.copy()
    kind, source = np.array(pricer.classes.kind), np.array(pricer.classes.source)
    for number in range(len(pricer.classes.kinds)):
        for time in np.unique(price.time[kind == number]).tolist():
            mine = np.flatnonzero((kind == number) & (price.time == time))
            loose = _reentry(pricer, prices, number, np.array([time])).loose()
            bounds[mine] = np.minimum(bounds[mine], loose[source[mine]])
    return bounds


def _reentry(pricer: Pricer, prices: Floats, number: int, times: Floats) -> Reentry:
    stack = next(each for each in pricer.stacks if number in each.index)
    return Reentry(stack, stack.index.index(number), times, prices)


class _Around:
    """The ways of one class, by their Lagrangian costs around its best price of time."""

    def __init__(self, pricer: Pricer, prices: Floats, owner: int, time: float) -> None:
        classes = pricer.classes
        number = classes.kind[owner]
        times = time * TIMES if time > 0 else pricer.times[number]
        self.pricer, self.owner, self.source = pricer, owner, classes.source[owner]
        self.reentry = _reentry(pricer, prices, number, times)

    def reentrant(self, threshold: float) -> float:
        """A lower bound of what a way costs that comes back to a node; up to a threshold."""
        nodes = self.reentry.hopeful(self.source, threshold)
        ahead = (self.reentry.back_to(sets) for sets in _sets(nodes))
        bounds = [self.reentry.bounds_of(each, self.source) for each in ahead]
        return min(threshold, self._more(nodes, threshold), *(float(each.min()) for each in bounds))

    def ways(self, threshold: float) -> list[Way]:
        """The ways that cost at most ``threshold``, and maybe some more.

        Raises
        ------
        TooManyError
            Where there are too many.
        """
        reentry, times = self.reentry, len(self.reentry.times)
        self.links, self.thresholds = reentry.links(), threshold + reentry.paid
        walks = self._walks((reentry.first,), PLAIN, reentry.plain(), slice(None))
        hopeful = reentry.hopeful(self.source, threshold)
        for sets in _sets(hopeful):
            ahead = reentry.back_to(sets)
            for index, bound in enumerate(reentry.bounds_of(ahead, self.source)):
                if bound <= threshold:
                    costs, layers = reentry.costs(sets[index]), remembering(len(sets[index]))
                    mine = slice(index * times, (index + 1) * times)
                    walks += self._walks(costs, layers, ahead, mine)
        if self._more(hopeful, threshold) < threshold:
            both = (reentry.first, reentry.later)
            walks += self._walks(both, MORE, reentry.more(), slice(None))
        measured = (self.pricer.ways.way(self.owner, walk) for walk in dict.fromkeys(walks))
        return [way for way in measured if way is not None]

    def _more(self, nodes: tuple[int, ...], threshold: float) -> float:
        """A lower bound of what a way costs that comes back to three nodes or more."""
        if len(nodes) < 3:
            return np.inf
        quick = float(self.reentry.best(self.reentry.more().free[0, :, 0])[self.source])
        if quick > threshold:
            return quick
        ahead = self.reentry.back_to(list(combinations(nodes, 2)), more=True)
        return max(quick, float(self.reentry.bounds_of(ahead, self.source).min()))

    def _walks(
        self, runs: tuple[Floats, ...], layers: Layers, ahead: ToGo, mine: slice
    ) -> list[Walk]:
        costs = Costs(
            runs=runs,
            links=self.links,
            heads=self.pricer.network.whole.heads,
            layers=layers,
            free=ahead.free[:, mine],
            leave=ahead.leave[:, mine],
            alike=~self.reentry.gains,
            thresholds=self.thresholds,
        )
        return enumerate_walks(costs, self.source)


def _sets(nodes: tuple[int, ...]) -> list[list[tuple[int, ...]]]:
    """Sets of one node, and of two, where there are any."""
    sizes = (list(combinations(nodes, size)) for size in (1, 2))
    return [sets for sets in sizes if sets]


def _by_price(entry: tuple[float, Column]) -> tuple[float, int]:
    return entry[0], entry[1].way.number
