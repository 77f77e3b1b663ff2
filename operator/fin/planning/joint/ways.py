"""Ways: where one application of a class could run, and what it takes of every limit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from fin.planning.graph import FITS, IN_TIME
from fin.planning.joint.backward import Hop
from fin.planning.joint.kinds import Classes, Kind
from fin.planning.joint.network import EGRESS, INGRESS, MEMORY, PODS, Network
from fin.planning.plan import Placement
from fin.planning.system import Floats, Ints

Walk = tuple[tuple[Hop, int], ...]
"""For each run of blocks the nodes that its input crosses, and its last block."""

HALVINGS = 48
"""Steps of the bisection of the price of time; shares are then exact to nine digits."""

FREE = 1e-7
"""A node without a price counts as if it had this share of the highest, so that no way
reserves more of it than it needs."""


@dataclass(frozen=True, eq=False)
class Way:
    """A placement of the applications of one class, measured.

    Attributes
    ----------
    number
        Number of the way, in the order in which ways are found.
    owner
        Number of the class.
    power
        Watts (R times E).
    nodes, seconds, least
        Of each segment: its node, its latency on the whole node as a share of what the
        target leaves for computing, and the least share of the node for its load.
    rows, amounts
        Rows of memory, pods and bandwidth, and the share of their limits that it takes.
    """

    number: int
    owner: int
    walk: Walk
    power: float
    nodes: Ints
    seconds: Floats
    least: Floats
    rows: Ints
    amounts: Floats

    @cached_property
    def fewest(self) -> Floats:
        """Shares below which no reservation of this way can be, all others at their most."""
        left = 1.0 - (float(self.seconds.sum()) - self.seconds)
        in_time = np.divide(self.seconds, left, out=np.ones(len(left)), where=left > self.seconds)
        return np.asarray(np.clip(in_time, self.least, 1.0))

    @cached_property
    def fixed(self) -> bool:
        """Whether its fewest reservations are in time: nothing is to be traded."""
        return float((self.seconds / self.fewest).sum()) <= IN_TIME

    def fixed_price(self, prices: Floats) -> float:
        """What its memory, pods and bandwidth cost, watts."""
        return float(prices[self.rows] @ self.amounts)


class Ways:
    """All ways found so far; each is measured once."""

    def __init__(self, network: Network, classes: Classes) -> None:
        self.network, self.classes = network, classes
        self.found: list[Way] = []
        self._known: dict[tuple[int, Walk], Way | None] = {}
        self._longer: dict[tuple[int, int], Kind] = {}

    def way(self, owner: int, walk: Iterable[tuple[Hop, int]]) -> Way | None:
        """Measure a walk of a class; None where it can't serve the class even alone."""
        key = (owner, tuple(walk))
        if key not in self._known:
            way = self._measure(*key)
            self._known[key] = way
            if way is not None:
                self.found.append(way)
        return self._known[key]

    def way_of(self, owner: int, placement: Placement) -> Way | None:
        """The way of a placement."""
        index = self.network.whole.index
        walk: list[tuple[Hop, int]] = []
        for block, (name, route) in enumerate(zip(placement.nodes, placement.routes, strict=True)):
            if walk and len(route) == 1 and walk[-1][0][-1] == index[name]:
                walk[-1] = (walk[-1][0], block)
            else:
                walk.append((tuple(index[each] for each in route), block))
        return self.way(owner, walk)

    def placement(self, way: Way) -> Placement:
        """The placement of a way."""
        names = [node.name for node in self.network.whole.nodes]
        nodes: list[str] = []
        routes: list[tuple[str, ...]] = []
        for route, last in way.walk:
            name = names[route[-1]]
            routes.append(tuple(names[each] for each in route))
            routes += [(name,)] * (last - len(nodes))
            nodes += [name] * (last + 1 - len(nodes))
        return Placement(tuple(nodes), tuple(routes))

    def _kind(self, owner: int, blocks: int) -> Kind:
        """The kind of a class, cut after so many blocks: what runs may be cut at a later exit."""
        kind = self.classes.kinds[self.classes.kind[owner]]
        if kind.blocks == blocks:
            return kind
        key = (self.classes.kind[owner], blocks)
        if key not in self._longer:
            self._longer[key] = Kind(kind.app, blocks, self.network)
        return self._longer[key]

    def _measure(self, owner: int, walk: Walk) -> Way | None:
        network = self.network
        kind = self._kind(owner, blocks=walk[-1][1] + 1)
        system, size = network.whole, network.size
        first_of, _ = kind.runs
        starts = np.searchsorted(first_of, np.arange(kind.blocks))
        work: dict[int, float] = {}
        load: dict[int, float] = {}
        memory: dict[int, float] = {}
        rows: dict[int, float] = {}
        power = latency = 0.0
        block = 0
        for route, last in walk:
            node = route[-1]
            for tail, head in pairwise(route):
                column = int(system.columns[tail, head])
                joules = float(kind.link_power[block, tail, column]) if column >= 0 else np.inf
                traffic, delay = float(kind.traffic[block]), float(kind.delay[block])
                power += traffic * joules
                latency += delay * float(system.seconds_per_bit[tail, column])
                latency += float(kind.weight[block]) * float(system.rtt[tail, column])
                link = 5 * size + int(network.link[tail, column])
                for row in (EGRESS * size + tail, INGRESS * size + head, link):
                    rows[row] = rows.get(row, 0.0) + traffic
            run = int(starts[block]) + last - block
            power += float(kind.power[run, node])
            work[node] = work.get(node, 0.0) + float(kind.work[run])
            load[node] = load.get(node, 0.0) + float(kind.load[run])
            overhead = float(kind.app.model.memory_overhead)
            memory[node] = memory.get(node, overhead) + float(kind.memory[run])
            block = last + 1
        nodes = np.array(sorted(work), dtype=np.intp)
        spare = kind.app.latency - latency
        if not np.isfinite(power) or spare < 0:
            return None
        for node in nodes.tolist():
            rows[MEMORY * size + node] = memory[node]
            rows[PODS * size + node] = 1.0
        speed = network.speed[nodes]
        works = np.array([work[node] for node in nodes.tolist()])
        loads = np.array([load[node] for node in nodes.tolist()])
        seconds = np.where(works > 0, works / speed / max(spare, 1e-300), 0.0)
        least = np.maximum(
            loads / system.utilisation / speed,
            network.least_share(kind.app.model.min_millicores)[nodes],
        )
        taken = np.array(sorted(rows), dtype=np.intp)
        limits = network.limits[taken]
        amounts = np.array([rows[row] for row in taken.tolist()])
        bounded = np.isfinite(limits) & (limits > 0)
        fits = (least <= FITS).all() and seconds.sum() <= IN_TIME
        if not fits or (amounts > limits * FITS).any():
            return None
        return Way(
            number=len(self.found),
            owner=owner,
            walk=walk,
            power=power,
            nodes=nodes,
            seconds=seconds,
            least=np.minimum(least, 1.0),
            rows=taken[bounded],
            amounts=amounts[bounded] / limits[bounded],
        )


@dataclass(frozen=True, eq=False)
class Column:
    """A way with its reservations: shares of each segment's node."""

    way: Way
    shares: Floats

    def price(self, prices: Floats) -> float:
        """Watts, with what it takes at these prices."""
        compute = float(prices[self.way.nodes] @ self.shares)
        return self.way.power + compute + self.way.fixed_price(prices)

    @property
    def rows(self) -> Ints:
        """Rows that it takes of; those of compute, the first ones, are the nodes themselves."""
        return np.concatenate([self.way.nodes, self.way.rows])

    @property
    def amounts(self) -> Floats:
        """Shares of the limits of ``rows``."""
        return np.concatenate([self.shares, self.way.amounts])


def reserve_at(ways: Sequence[Way], prices: Floats) -> list[Column]:
    """Each way with the reservations that cost least at these prices, in time.

    Source: model.md, "Reserving": clip(sqrt(theta a / y), least, 1) at the least theta that
    is in time.
    """
    if not ways:
        return []
    width = max(len(way.nodes) for way in ways)
    seconds, least, price = (np.zeros((len(ways), width)) for _ in range(3))
    least += 1.0
    price += 1.0
    floor = FREE * max(float(prices.max(initial=0.0)), 1e-290)
    for row, way in enumerate(ways):
        count = len(way.nodes)
        seconds[row, :count] = way.seconds
        least[row, :count] = way.least
        price[row, :count] = np.maximum(prices[way.nodes], floor)
    ratio = seconds / price
    with np.errstate(divide="ignore"):
        low = np.log(np.where(ratio > 0, least**2 / ratio, np.inf).min(axis=1))
        high = np.log(np.where(ratio > 0, 1 / ratio, 0.0).max(axis=1))
    low = np.where(np.isfinite(low), low, 0.0)
    high = np.where(np.isfinite(high), high, 0.0)

    def at(theta: Floats) -> Floats:
        return np.clip(np.sqrt(np.exp(theta)[:, None] * ratio), least, 1.0)

    for _ in range(HALVINGS):
        middle = (low + high) / 2
        in_time = (seconds / at(middle)).sum(axis=1) <= 1.0
        high = np.where(in_time, middle, high)
        low = np.where(in_time, low, middle)
    shares = at(high)
    return [Column(way, shares[row, : len(way.nodes)]) for row, way in enumerate(ways)]
