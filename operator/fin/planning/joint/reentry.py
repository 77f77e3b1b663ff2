"""What ways cost at least that come back to a node: no bound holds without them.

A later visit of a node pays no price of its own for pods and overhead, and less for
compute (model.md, "A node entered again"). Which nodes a walk has visited is relaxed in
steps: first any third or later run may be a later visit; where that is too weak, the walk
remembers the one node, or the two, that it comes back to.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product

import numpy as np

from fin.planning.joint.backward import PLAIN, Layers, ToGo, to_go
from fin.planning.joint.stack import Stack
from fin.planning.system import Floats, Ints

LARGEST = 2_000_000
"""Elements of the arrays of one pass over sets of nodes at most."""

ANY = Layers(
    (((0, 1),), ((0, 2),), ((0, 2), (1, 3)), ((0, 3), (1, 3))),
    ends=frozenset({3}),
    later=frozenset({1}),
)
"""Two first visits, and then at least one later visit, wherever."""

MORE = Layers(
    (
        ((0, 1),),
        ((0, 2),),
        ((0, 3),),
        ((0, 3), (1, 4)),
        ((0, 4), (1, 5)),
        ((0, 5), (1, 6)),
        ((0, 6), (1, 6)),
    ),
    ends=frozenset({6}),
    later=frozenset({1}),
)
"""Three first visits, and then at least three later visits, wherever."""

RUNS = 11
"""Runs that are counted at most."""

COUNTED = Layers(
    tuple(((0, min(count + 1, RUNS)),) for count in range(RUNS + 1)), ends=frozenset({RUNS})
)
"""Walks with at least so many runs; who begins in a later layer needs fewer."""

FEWEST = (
    (2.0, (3, 4, 6)),
    (3.0, (5, 5, 7)),
    (4.0, (7, 7, 8)),
    (5.0, (9, 9, 9)),
    (math.inf, (11, 11, 11)),
)
"""Visits of a node at most, and the fewest runs that it takes to come back to one node, to
two, and to three, where some node has as many; more than five visits count as any number."""

_NEVER, _JUST, _ONCE, _BACK, _SINCE = range(5)
"""What a walk has done with a node that it remembers: never been there, just run there, run
elsewhere since; come back just now, run elsewhere since."""

_ELSEWHERE = {_NEVER: _NEVER, _JUST: _ONCE, _ONCE: _ONCE, _BACK: _SINCE, _SINCE: _SINCE}
_THERE = {_NEVER: _JUST, _ONCE: _BACK, _SINCE: _BACK}


@cache
def remembering(count: int, more: bool = False) -> Layers:
    """Walks that remember ``count`` nodes and come back to each of them.

    Costs: runs on other nodes, then for each remembered node its first visit and its later
    ones. No two runs in a row are on the same remembered node. With ``more``, the last
    costs are those of later visits of other nodes, of which there has to be one.
    """
    states = [*product(*([range(5)] * count), range(3 if more else 1))]
    number = {state: index for index, state in enumerate(states)}
    steps = []
    for *been, others in states:
        elsewhere = [_ELSEWHERE[each] for each in been]
        options = [(0, number[*elsewhere, max(others, 1) if more else 0])]
        for index, each in enumerate(been):
            if each in _THERE:
                after = [*elsewhere[:index], _THERE[each], *elsewhere[index + 1 :]]
                options.append((1 + 2 * index + (each != _NEVER), number[*after, others]))
        if others > 0:
            options.append((1 + 2 * count, number[*elsewhere, 2]))
        steps.append(tuple(options))
    ends = frozenset(
        index
        for index, (*been, others) in enumerate(states)
        if others == (2 if more else 0) and all(each >= _BACK for each in been)
    )
    later = frozenset(range(2, 2 * count + 1, 2)) | frozenset({1 + 2 * count} if more else ())
    return Layers(tuple(steps), ends, later)


@dataclass(frozen=True, eq=False)
class Visits:
    """What runs cost on the nodes that a walk comes back to, and elsewhere.

    The first visit of a node may bear the whole price, or all visits their shares of it:
    each is a bound. All have the shape (times, runs, nodes).
    """

    elsewhere: Floats
    first: Floats
    later: Floats


class Reentry:
    """Ways of one kind that come back to a node, at some prices.

    All bounds are Lagrangian, at several prices of time ``times`` (W/s) side by side.
    """

    def __init__(self, stack: Stack, place: int, times: Floats, prices: Floats) -> None:
        self.stack, self.place, self.times, self.prices = stack, place, times, prices
        self.traffic = stack.network.traffic_price(prices)
        self.paid = times * stack.kinds[place].app.latency
        which = np.full(len(times), place)
        self.first, later = stack.run_costs(which, times, prices)
        # Where no later visit is cheaper, each is as good as a first one.
        self.gains = np.asarray((later < self.first * (1 - 1e-12)).any(axis=(0, 1)))
        self.later = np.where(self.gains, later, np.inf)
        self.nodes: tuple[int, ...] = tuple(np.flatnonzero(self.gains).tolist())

    def plain(self) -> ToGo:
        """Least costs to go where every visit counts as a first one; a way a price of time."""
        return self._least((self.first,), PLAIN)

    def loose(self, nodes: int = 1) -> Floats:
        """A quick bound of what ways cost that come back to so many nodes or more (up to 3).

        Watts, shape (nodes,) by source.
        """
        if len(self.nodes) < nodes:
            return np.full(self.first.shape[2], np.inf)
        shared = [
            self._at_least(ahead, fewest[nodes - 1])
            for ahead, (_, fewest) in zip(self._shared, FEWEST, strict=True)
        ]
        bound = np.min(shared, axis=0)
        if nodes == 1:
            both = (self.first, self.later)
            bound = np.maximum(bound, self.best(self._least(both, ANY).free[0, :, 0]))
        if nodes == 3:
            bound = np.maximum(bound, self.best(self.more().free[0, :, 0]))
        return np.asarray(bound)

    @cached_property
    def _shared(self) -> list[ToGo]:
        """Least costs to go where all visits of a node share its price, by `FEWEST`."""
        which = np.full(len(self.times), self.place)
        return [
            self._least(self.stack.run_costs(which, self.times, self.prices, visits)[:1], COUNTED)
            for visits, _ in FEWEST
        ]

    def more(self) -> ToGo:
        """Least costs to go of ways that come back to three nodes or more, loosely."""
        return self._least((self.first, self.later), MORE)

    def best(self, least: Floats) -> Floats:
        """The best bound of some least costs, shape (times, nodes), over the prices of time."""
        return np.asarray((least - self.paid[:, None]).max(axis=0))

    def often(self) -> Floats:
        """What ways cost at least that visit a node three times or more, watts, (nodes,)."""
        each = zip(self._shared[1:], FEWEST[1:], strict=True)
        bounds = [self._at_least(ahead, fewest[0]) for ahead, (_, fewest) in each]
        return np.asarray(np.min(bounds, axis=0))

    def _at_least(self, ahead: ToGo, runs: int) -> Floats:
        return self.best(ahead.free[RUNS - runs, :, 0])

    @cached_property
    def exact(self) -> Visits:
        """For ways that come back to no other nodes."""
        return Visits(self.first, self.first, self.later)

    @cached_property
    def anyhow(self) -> Visits:
        """For ways that may come back to any other node."""
        return Visits(np.minimum(self.first, self.later), self.first, self.later)

    @cached_property
    def halves(self) -> tuple[Visits, Visits]:
        """For ways that may come back to any other node, but to none more than once."""
        which = np.full(len(self.times), self.place)
        half, _ = self.stack.run_costs(which, self.times, self.prices, visits=2.0)
        return Visits(half, self.first, self.later), Visits(half, half, half)

    def width(self, sets: Sequence[tuple[int, ...]], *, more: bool = False) -> int:
        """Sets that one pass may look at side by side."""
        layers = len(remembering(len(sets[0]), more).steps) if sets else 1
        times, runs, nodes = self.first.shape
        return max(LARGEST // int(times * nodes * (runs + 2 * layers)), 1)

    def bounds_of(self, ahead: ToGo, sources: Ints) -> Floats:
        """What each set's ways cost at least from some sources, watts, shape (sets, sources)."""
        least = ahead.free[0, :, 0][:, sources].reshape(-1, len(self.times), len(sources))
        return np.asarray((least - self.paid[:, None]).max(axis=1))

    def back_to(
        self, sets: Sequence[tuple[int, ...]], visits: Visits, *, more: bool = False
    ) -> ToGo:
        """Least costs to go of ways that come back to the nodes of each set.

        A way for each set and price of time.
        """
        each = [self.costs(nodes, visits, more=more) for nodes in sets]
        costs = [np.concatenate(parts) for parts in zip(*each, strict=True)]
        return self._least(costs, remembering(len(sets[0]), more))

    def costs(
        self, nodes: tuple[int, ...], visits: Visits, *, more: bool = False
    ) -> tuple[Floats, ...]:
        """Costs of runs for `remembering` some nodes, each of shape (times, runs, nodes)."""
        among = np.isin(np.arange(self.first.shape[2]), nodes)
        costs = [np.where(among, np.inf, visits.elsewhere)]
        for node in nodes:
            here = np.arange(self.first.shape[2]) == node
            costs += [np.where(here, each, np.inf) for each in (visits.first, visits.later)]
        if more:
            costs.append(np.where(among, np.inf, visits.later))
        return tuple(costs)

    def links(self) -> Floats:
        """Costs of transfers, shape (times, blocks, nodes, degree)."""
        which = np.full(len(self.times), self.place)
        blocks = range(self.stack.blocks)
        each = [self.stack.link_costs(which, self.times, at, self.traffic) for at in blocks]
        return np.stack(each, axis=1)

    def _least(self, costs: Sequence[Floats], layers: Layers) -> ToGo:
        ways = len(costs[0])
        times = np.tile(self.times, ways // len(self.times))
        which = np.full(ways, self.place)
        return to_go(self.stack, which, times, self.traffic, costs, layers)
