"""What ways cost at least that come back to a node: no bound holds without them.

A later visit of a node pays no price of its own for pods and overhead, and less for
compute (model.md, "A node entered again"). Which nodes a walk has visited is relaxed in
steps: first any third or later run may be a later visit; where that is too weak, the walk
remembers the one node, or the two, that it comes back to.
"""

from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np

from fin.planning.joint.backward import PLAIN, Layers, ToGo, to_go
from fin.planning.joint.stack import Stack
from fin.planning.system import Floats

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


class Reentry:
    """Ways of one kind that come back to a node, at some prices.

    All bounds are Lagrangian, at several prices of time ``times`` (W/s) side by side.
    """

    def __init__(self, stack: Stack, place: int, times: Floats, prices: Floats) -> None:
        self.stack, self.place, self.times = stack, place, times
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

    def loose(self) -> Floats:
        """A quick bound of what ways cost that come back, watts, shape (nodes,) by source."""
        if not self.nodes:
            return np.full(self.first.shape[2], np.inf)
        return self.best(self._least((self.first, self.later), ANY).free[0, :, 0])

    def more(self) -> ToGo:
        """Least costs to go of ways that come back to three nodes or more, loosely."""
        return self._least((self.first, self.later), MORE)

    def best(self, least: Floats) -> Floats:
        """The best bound of some least costs, shape (times, nodes), over the prices of time."""
        return np.asarray((least - self.paid[:, None]).max(axis=0))

    def hopeful(self, source: int, threshold: float) -> tuple[int, ...]:
        """The nodes to which a way that costs at most ``threshold`` may come back."""
        if not self.nodes or self.loose()[source] > threshold:
            return ()
        nodes = [(node,) for node in self.nodes]
        bounds = self.bounds_of(self.back_to(nodes, anywhere=True), source)
        return tuple(self.nodes[index] for index in np.flatnonzero(bounds <= threshold).tolist())

    def bounds_of(self, ahead: ToGo, source: int) -> Floats:
        """What each set's ways cost at least from a source, watts, shape (sets,)."""
        least = ahead.free[0, :, 0, source].reshape(-1, len(self.times))
        return np.asarray((least - self.paid).max(axis=1))

    def back_to(
        self, sets: Sequence[tuple[int, ...]], *, more: bool = False, anywhere: bool = False
    ) -> ToGo:
        """Least costs to go of ways that come back to the nodes of each set.

        A way for each set and price of time. With ``anywhere``, runs on other nodes may be
        later visits.
        """
        each = [self.costs(nodes, more=more, anywhere=anywhere) for nodes in sets]
        costs = [np.concatenate(parts) for parts in zip(*each, strict=True)]
        return self._least(costs, remembering(len(sets[0]), more))

    def costs(
        self, nodes: tuple[int, ...], *, more: bool = False, anywhere: bool = False
    ) -> tuple[Floats, ...]:
        """Costs of runs for `remembering` some nodes, each of shape (times, runs, nodes)."""
        among = np.isin(np.arange(self.first.shape[2]), nodes)
        least = np.minimum(self.first, self.later) if anywhere else self.first
        costs = [np.where(among, np.inf, least)]
        for node in nodes:
            here = np.arange(self.first.shape[2]) == node
            costs += [np.where(here, each, np.inf) for each in (self.first, self.later)]
        if more:
            costs.append(np.where(among, np.inf, self.later))
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
