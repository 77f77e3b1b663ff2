"""Pricing: the cheapest ways of every class at given prices, and the bound that they prove."""

from dataclasses import dataclass, field

import numpy as np

from fin.planning.joint.backward import ToGo, to_go
from fin.planning.joint.kinds import Classes
from fin.planning.joint.network import Network
from fin.planning.joint.stack import Stack, stacks
from fin.planning.joint.ways import Way, Ways
from fin.planning.system import Floats, Ints

FIRST_TIMES = 4.0 ** np.arange(-7, 6)
"""Prices of time tried first, in the kind's least power per target."""

STEPS = 5
"""Prices of time tried at once for a kind; as many more where its sources' differ."""

CLOSE = 1.03
"""Ratio of neighbouring prices of time that are close enough."""

FIRST_ZOOMS, ZOOMS = 6, 2
"""Times that the prices of time are moved or drawn closer for one set of prices: the first
set, and the next, for which they start from where they were."""


@dataclass(eq=False)
class Price:
    """What pricing found for all classes.

    Attributes
    ----------
    value
        Best Lagrangian bound of each class over the prices of time, watts, shape
        (classes,); re-entered nodes count as if they were new ones, so it is no bound yet.
    time
        The price of time at which it is, W/s, shape (classes,).
    ways
        The cheapest ways of each class at that price and at its neighbours.
    """

    value: Floats
    time: Floats
    ways: list[Way] = field(default_factory=list)


class Pricer:
    """Searches the price of time of every class, from round to round in finer steps."""

    def __init__(self, network: Network, classes: Classes, ways: Ways) -> None:
        self.network, self.classes, self.ways = network, classes, ways
        self.stacks = stacks(classes.kinds)
        self.kind, self.source = np.array(classes.kind), np.array(classes.source)
        self.deadline = np.array([kind.app.latency for kind in classes.kinds])
        self.zooms = FIRST_ZOOMS
        self.times: dict[int, Floats] = {}
        for number, kind in enumerate(classes.kinds):
            watts = float(kind.power.min(initial=np.inf, where=np.isfinite(kind.power)))
            scale = max(watts if np.isfinite(watts) else 1.0, 1e-200) / kind.app.latency
            self.times[number] = np.concatenate([[0.0], scale * FIRST_TIMES])

    def price(self, prices: Floats) -> Price:
        """Find the cheapest ways at some prices, each at its best price of time."""
        count = len(self.classes)
        found = Price(np.full(count, -np.inf), np.zeros(count))
        traffic = self.network.traffic_price(prices)
        for stack in self.stacks:
            active = list(range(len(stack.kinds)))
            for _ in range(self.zooms):
                which, time = self._tried(stack, active)
                for start in range(0, len(which), stack.width):
                    part = slice(start, start + stack.width)
                    first, _ = stack.run_costs(which[part], time[part], prices)
                    least = to_go(stack, which[part], time[part], traffic, (first,), traced=True)
                    self._compare(found, stack, which[part], time[part], least)
                active = [place for place in active if self._zoom(found, stack.index[place])]
                if not active:
                    break
        self.zooms = ZOOMS
        return found

    def _tried(self, stack: Stack, active: list[int]) -> tuple[Ints, Floats]:
        """Some kinds of a stack at each price of time that is tried; a kind's stand together."""
        times = [self.times[stack.index[place]] for place in active]
        which = np.repeat(np.array(active), [len(each) for each in times])
        return which, np.concatenate(times)

    def _compare(self, found: Price, stack: Stack, which: Ints, time: Floats, least: ToGo) -> None:
        """Take over the best price of time of each class, and the ways around it."""
        heads = self.network.whole.heads
        for place in np.unique(which).tolist():
            number = stack.index[place]
            tried = np.flatnonzero(which == place)
            mine = np.flatnonzero(self.kind == number)
            values = least.free[0, tried, 0][:, self.source[mine]]
            values = values - time[tried, None] * self.deadline[number]
            best = values.argmax(axis=0)
            top = values.max(axis=0)
            better = top > found.value[mine]
            found.value[mine[better]] = top[better]
            found.time[mine[better]] = time[tried[best[better]]]
            for position, owner in enumerate(mine.tolist()):
                around = range(max(best[position] - 1, 0), min(best[position] + 2, len(tried)))
                for way in around:
                    walk = least.walk(heads, int(tried[way]), int(self.source[owner]))
                    measured = None if walk is None else self.ways.way(owner, walk)
                    if measured is not None:
                        found.ways.append(measured)

    def _zoom(self, found: Price, number: int) -> bool:
        """Choose the prices of time to try next for a kind; whether they are worth a look now.

        Around the best ones, closer where these lie inside of what was tried, else beside it.
        """
        tried = self.times[number]
        best = found.time[self.kind == number]
        above = best[best > 0]
        if len(above) == 0:
            self.times[number] = np.array([0.0, tried[1] / 16, tried[1] / 4])
            return False
        step = float(np.max(tried[2:] / tried[1:-1]))
        low, high = above.min(), above.max()
        inside = low > tried[1] and high < tried[-1]
        step = step if inside else max(step, 2.0) ** 2
        self.times[number] = np.concatenate([[0.0], _grid(low / step, high * step)])
        return step > CLOSE or not inside


def _grid(low: float, high: float) -> Floats:
    """Prices from ``low`` to ``high``: a few, and more where they are far apart."""
    wide = int(np.log2(high / low) / 4)
    return np.geomspace(low, high, STEPS + min(wide, STEPS))
