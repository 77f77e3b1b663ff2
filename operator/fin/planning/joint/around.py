"""The ways of the classes of one kind, by their Lagrangian costs around their prices of time."""

from collections.abc import Iterator, Sequence

import numpy as np

from fin.planning.joint.backward import PLAIN, Layers, ToGo
from fin.planning.joint.labels import Costs, enumerate_walks
from fin.planning.joint.pricing import Pricer
from fin.planning.joint.reentry import MORE, Reentry, remembering
from fin.planning.joint.returns import Returns
from fin.planning.joint.routes import Links
from fin.planning.joint.ways import Walk, Way
from fin.planning.system import Floats, Ints

BELOW, ABOVE = np.array([0.3]), np.array([3.0, 100.0])
"""Prices of time at which ways are looked at, by the least and by the greatest of a kind's."""

BETWEEN = 5
"""Prices of time from the least to the greatest at most."""


MAX_LABELS = 20_000
"""Labels from one source after which an enumeration gives up."""

SETS = 40
"""Sets of nodes to come back to for which walks are enumerated at most."""


def reentry(pricer: Pricer, prices: Floats, number: int, times: Floats) -> Reentry:
    """Ways of a kind that come back to a node, at some prices."""
    stack = next(each for each in pricer.stacks if number in each.index)
    return Reentry(stack, stack.index.index(number), times, prices)


class Around:
    """The ways of the classes of one kind at some prices.

    ``best`` (classes of the kind,) are their best prices of time, W/s.
    """

    def __init__(self, pricer: Pricer, prices: Floats, number: int, best: Floats) -> None:
        self.pricer, self.source = pricer, np.array(pricer.classes.source)
        self.reentry = reentry(pricer, prices, number, _times(best, pricer.times[number]))
        above = best[best > 0]
        few = np.unique([above.min(), above.max()]) if len(above) else np.zeros(1)
        self.quick = reentry(pricer, prices, number, few)
        self.links = self._links(prices)

    def _links(self, prices: Floats) -> Links:
        reentry, network = self.reentry, self.pricer.network
        stack, place = reentry.stack, reentry.place
        delay, weight = stack.delay[place], stack.weight[place]
        layout = network.whole.layout
        each = (slice(None), None, None)
        return Links(
            heads=network.whole.heads,
            costs=reentry.links(),
            watts=stack.traffic[place][each] * stack.link_power[place],
            seconds=delay[each] * layout.seconds_per_bit + weight[each] * layout.rtt,
            scarce=network.traffic_price(prices) > 0,
        )

    def ways(
        self, owners: Ints, thresholds: Floats, *, returning: bool = True
    ) -> tuple[list[list[Way] | None], Floats]:
        """The ways of some classes that cost at most their thresholds (classes,), watts.

        Maybe some more; None of a class that has too many. And what all others cost at
        least, (classes,), watts: less than the threshold where too many ways come
        back to a node. Unless ``returning``, those are left out.
        """
        source, limits = self.source[owners], thresholds.copy()
        costs = self._costs((self.reentry.first,), PLAIN, self.reentry.plain())
        walks = self._enumerated(costs, source, thresholds)
        for able, bounds, returned in self._returns(source, thresholds) if returning else ():
            found = (
                [None] * len(able)
                if returned is None
                else self._enumerated(returned, source[able], thresholds[able])
            )
            for place, bound, each in zip(able.tolist(), bounds.tolist(), found, strict=True):
                mine = walks[place]
                if each is None:
                    limits[place] = min(limits[place], bound)
                elif mine is not None:
                    mine += each
        ways = [
            None if mine is None else self._measured(owner, mine)
            for owner, mine in zip(owners.tolist(), walks, strict=True)
        ]
        return ways, limits

    def _enumerated(
        self, costs: Costs, source: Ints, thresholds: Floats
    ) -> list[list[Walk] | None]:
        limits = thresholds[:, None] + self.reentry.paid
        return enumerate_walks(costs, source.tolist(), limits, MAX_LABELS)

    def _measured(self, owner: int, walks: Sequence[Walk]) -> list[Way]:
        measured = (self.pricer.ways.way(owner, walk) for walk in dict.fromkeys(walks))
        return [way for way in measured if way is not None]

    def _returns(
        self, source: Ints, thresholds: Floats
    ) -> Iterator[tuple[Ints, Floats, Costs | None]]:
        """Enumerations of walks that come back to a node.

        Each with the classes that need it, and a bound for these, watts; without costs where
        there are too many.
        """
        reentry = self.reentry
        bounds = list(Returns(self.quick, source, thresholds).bounds())
        for nodes, each in bounds:
            able = np.flatnonzero(each <= thresholds)
            costs = None
            if nodes and len(bounds) <= SETS:
                runs = reentry.costs(nodes, reentry.exact)
                ahead = reentry.back_to([nodes], reentry.exact)
                costs = self._costs(runs, remembering(len(nodes)), ahead)
            yield able, each[able], costs
        loose = reentry.loose(3)[source]
        more = np.flatnonzero(loose <= thresholds)
        if len(more):
            both = (reentry.first, reentry.later)
            costs = self._costs(both, MORE, reentry.more()) if len(bounds) <= SETS else None
            yield more, loose[more], costs

    def reentrant(self, owners: Ints, thresholds: Floats) -> Floats:
        """What a way costs at least that comes back to a node, up to thresholds (classes,), W."""
        source = self.source[owners]
        least = np.minimum(thresholds, self.reentry.loose(3)[source])
        for _, bounds in Returns(self.quick, source, thresholds).bounds():
            least = np.minimum(least, bounds)
        return np.asarray(least)

    def _costs(self, runs: tuple[Floats, ...], layers: Layers, ahead: ToGo) -> Costs:
        return Costs(
            runs=runs,
            links=self.links,
            layers=layers,
            free=ahead.free,
            leave=ahead.leave,
            alike=~self.reentry.gains,
        )


def _times(best: Floats, tried: Floats) -> Floats:
    """Prices of time to look at, where the classes of a kind have some best ones."""
    above = best[best > 0]
    if len(above) == 0:
        return tried
    low, high = float(above.min()), float(above.max())
    between = np.geomspace(low, high, min(1 + int(np.ceil(np.log2(high / low))), BETWEEN))
    times = np.concatenate([low * BELOW, between, high * ABOVE])
    return np.unique(times if len(above) == len(best) else np.concatenate([[0.0], times]))
