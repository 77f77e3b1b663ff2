"""Transfers of many labels at once: the routes that are worth having between two runs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fin.planning.system import Floats, Ints


@dataclass(frozen=True, eq=False)
class Labels:
    """Partial ways, side by side: whose, at which block and node, and what they cost so far.

    ``cost`` has the shape (labels, times); ``visited`` (labels, nodes) are nodes with runs.
    """

    owner: Ints
    block: Ints
    node: Ints
    layer: Ints
    cost: Floats
    visited: NDArray[np.bool_]


def take(labels: Labels, which: Ints) -> Labels:
    """Some of the labels."""
    return Labels(
        labels.owner[which],
        labels.block[which],
        labels.node[which],
        labels.layer[which],
        labels.cost[which],
        labels.visited[which],
    )


@dataclass(frozen=True, eq=False)
class Links:
    """What transfers in front of each block cost and take, link by link.

    Attributes
    ----------
    heads
        Node at the end of each link, shape (nodes, degree).
    costs
        With the prices of what they take, shape (times, blocks, nodes, degree).
    watts, seconds
        Power and weighted latency alone, shape (blocks, nodes, degree).
    scarce
        Links with a price: to use one is not the same as to use another, (nodes, degree).
    """

    heads: Ints
    costs: Floats
    watts: Floats
    seconds: Floats
    scarce: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Crossed:
    """Labels after a transfer: from which label each came, and over which nodes.

    ``route`` has the shape (labels, hops + 1), -1 where a route has ended.
    """

    labels: Labels
    origin: Ints
    route: Ints


@dataclass(frozen=True, eq=False)
class _Front:
    """Routes that are growing, by the label from which they start."""

    origin: Ints
    node: Ints
    cost: Floats
    watts: Floats
    seconds: Floats
    scarce: NDArray[np.bool_]
    route: Ints

    def take(self, which: Ints) -> "_Front":
        return _Front(
            self.origin[which],
            self.node[which],
            self.cost[which],
            self.watts[which],
            self.seconds[which],
            self.scarce[which],
            self.route[which],
        )


def cross(links: Links, free: Floats, labels: Labels, thresholds: Floats, *, here: bool) -> Crossed:
    """Let every label's data cross links wherever this can still lead to its threshold.

    Of the routes of one label to one node only those are kept than which no other takes
    less power and time without using a link with a price. With ``here``, the data may also stay.
    """
    count = len(labels.owner)
    nothing = np.zeros(count)
    start = _Front(
        origin=np.arange(count),
        node=labels.node,
        cost=labels.cost,
        watts=nothing,
        seconds=nothing,
        scarce=nothing > 0,
        route=labels.node[:, None],
    )
    kept, growing = start, start
    while len(growing.origin):
        grown = _grow(links, free, labels, thresholds, growing)
        both = _joined(kept, grown)
        best = undominated(
            both.origin * free.shape[3] + both.node, both.watts, both.seconds, both.scarce
        )
        growing = both.take(np.flatnonzero(best & (np.arange(len(best)) >= len(kept.origin))))
        kept = both.take(np.flatnonzero(best))
    if not here:
        kept = kept.take(np.flatnonzero((kept.route[:, 1:] >= 0).any(axis=1)))
    moved = take(labels, kept.origin)
    after = Labels(moved.owner, moved.block, kept.node, moved.layer, kept.cost, moved.visited)
    return Crossed(after, kept.origin, kept.route)


def _grow(links: Links, free: Floats, labels: Labels, thresholds: Floats, front: _Front) -> _Front:
    """Every route longer by each link that leads to no node twice, and within the threshold."""
    block, layer = labels.block[front.origin], labels.layer[front.origin]
    heads = links.heads[front.node]
    within = np.ones(heads.shape, dtype=np.bool_)
    for crossed in front.route.T:
        within &= heads != crossed[:, None]
    limits = thresholds[labels.owner[front.origin]]
    for time in range(limits.shape[1]):
        cost = front.cost[:, time, None] + links.costs[time, block, front.node]
        ahead = free[layer[:, None], time, block[:, None], heads]
        within &= cost + ahead <= limits[:, time, None]
    parent, column = np.nonzero(within)
    at, tail = block[parent], front.node[parent]
    head = heads[parent, column]
    return _Front(
        origin=front.origin[parent],
        node=head,
        cost=front.cost[parent] + links.costs[:, at, tail, column].T,
        watts=front.watts[parent] + links.watts[at, tail, column],
        seconds=front.seconds[parent] + links.seconds[at, tail, column],
        scarce=front.scarce[parent] | links.scarce[tail, column],
        route=np.concatenate([front.route[parent], head[:, None]], axis=1),
    )


def _joined(kept: _Front, grown: _Front) -> _Front:
    ended = np.full((len(kept.origin), grown.route.shape[1] - kept.route.shape[1]), -1)
    return _Front(
        np.concatenate([kept.origin, grown.origin]),
        np.concatenate([kept.node, grown.node]),
        np.concatenate([kept.cost, grown.cost]),
        np.concatenate([kept.watts, grown.watts]),
        np.concatenate([kept.seconds, grown.seconds]),
        np.concatenate([kept.scarce, grown.scarce]),
        np.concatenate([np.concatenate([kept.route, ended], axis=1), grown.route]),
    )


def undominated(
    group: Ints, watts: Floats, seconds: Floats, scarce: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which entries no other of their group beats, in power and in time, shape (entries,).

    Of equals the first one is kept. An entry with ``scarce`` beats no other.
    """
    count = len(group)
    # Ranks, not seconds, so that no rounding creeps in where groups are told apart.
    rank = np.unique(seconds, return_inverse=True)[1].reshape(-1)
    place = np.unique(group, return_inverse=True)[1].reshape(-1)
    # Among equals in power, quick ones first, and those without scarce links.
    order = np.lexsort((np.arange(count), scarce, rank, watts, place))
    level = (place.max(initial=0) - place[order]) * (count + 1)
    offered = level + np.where(scarce[order], count, rank[order])
    least = np.minimum.accumulate(offered)
    beaten = np.zeros(count, dtype=np.bool_)
    beaten[order[1:]] = least[:-1] <= level[1:] + rank[order[1:]]
    return ~beaten
