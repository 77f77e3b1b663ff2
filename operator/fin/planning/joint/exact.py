"""Pricing without the gap of the price of time: enumerate, and cost each way exactly.

Source: model.md, "Several applications": the price of time leaves a gap of its own that no
column closes. All ways whose Lagrangian cost is within a threshold are listed, and each is
costed with its best reservations; what is not listed costs more than the threshold, or
differs from a listed one only in a route that is no better.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from fin.planning.joint.around import Around, reentry
from fin.planning.joint.pricing import Price, Pricer
from fin.planning.joint.ways import Column, Way, reserve_at
from fin.planning.system import Floats, Ints

SLACKS = (1.0, 0.5, 0.25, 0.1, 0.0)
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
    *,
    returning: bool = True,
) -> Listing:
    """List the ways of every class that cost at most its ``worth`` (classes,) and ``slack``, watts.

    Where there are too many, less slack has to do; where there are too many with none, or
    time is up, the class lists none, and its bound is that of its price of time. Unless
    ``returning``, ways that come back to a node are left out, of the bounds too.
    """
    columns: list[tuple[Column, ...]] = [()] * len(worth)
    least, others = np.zeros(len(worth)), np.zeros(len(worth))
    kind = np.array(pricer.classes.kind)
    for number in range(len(pricer.classes.kinds)):
        mine = np.flatnonzero(kind == number)
        if not in_time():
            loose = loose_bounds(pricer, prices, price, numbers=[number])
            least[mine] = others[mine] = loose[mine]
            continue
        around = Around(pricer, prices, number, price.time[mine])
        found = _Found(worth[mine])
        found.look(around, mine, slack, returning=returning)
        missing = np.flatnonzero([ways is None for ways in found.ways])
        if len(missing):
            values = price.value[mine[missing]]
            found.others[missing] = around.reentrant(mine[missing], values) if returning else values
        for place, owner in enumerate(mine.tolist()):
            beyond = float(found.others[place])
            listed = reserve_at(found.ways[place] or [], prices)
            costed = sorted([(each.price(prices), each) for each in listed], key=_by_price)
            limit = beyond + CLOSE * abs(beyond)
            columns[owner] = tuple(column for cost, column in costed if cost <= limit)
            others[owner] = beyond
            least[owner] = min(beyond, costed[0][0] if costed else np.inf)
    return Listing(tuple(columns), least, others)


@dataclass(eq=False)
class _Found:
    """The ways of the classes of one kind, and up to what they cost they are all there."""

    others: Floats
    ways: list[list[Way] | None] = field(init=False)

    def __post_init__(self) -> None:
        self.others = self.others.copy()
        self.ways = [None] * len(self.others)

    def look(self, around: Around, owners: Ints, slack: float, *, returning: bool) -> None:
        """Look for each class within as much of the slack as there are not too many."""
        worth, reached = self.others.copy(), np.full(len(self.others), -np.inf)
        for part in SLACKS if slack > 0 else (0.0,):
            wanted = worth + part * slack
            short = np.flatnonzero(reached < wanted)
            if len(short) == 0:
                break
            found, limits = around.ways(owners[short], wanted[short], returning=returning)
            for place, ways, limit in zip(short.tolist(), found, limits.tolist(), strict=True):
                if ways is not None and limit > reached[place]:
                    self.ways[place], self.others[place], reached[place] = ways, limit, limit


def loose_bounds(
    pricer: Pricer, prices: Floats, price: Price, numbers: Sequence[int] | None = None
) -> Floats:
    """What any way of each class costs at least, ways that come back included, watts.

    Quick, and looser than `list_ways`. Shape (classes,); of classes whose kind is not among
    ``numbers``, where it is given, ways that come back are left out.
    """
    bounds = price.value.copy()
    kind, source = np.array(pricer.classes.kind), np.array(pricer.classes.source)
    for number in range(len(pricer.classes.kinds)) if numbers is None else numbers:
        for time in np.unique(price.time[kind == number]).tolist():
            mine = np.flatnonzero((kind == number) & (price.time == time))
            loose = reentry(pricer, prices, number, np.array([time])).loose()
            bounds[mine] = np.minimum(bounds[mine], loose[source[mine]])
    return bounds


def _by_price(entry: tuple[float, Column]) -> tuple[float, int]:
    return entry[0], entry[1].way.number
