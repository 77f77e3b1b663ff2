"""Applications that differ in nothing but their source: priced together, all in one pass."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fin.planning.graph import FITS
from fin.planning.joint.network import Network
from fin.planning.problem import App
from fin.planning.system import Floats, Ints

ROUNDING = 1e-12
"""Share of a sum of prices by which rounding may have changed it, with room to spare."""


@dataclass(frozen=True)
class Kind:
    """What one kind of application may do: runs of consecutive blocks, and transfers.

    A run is a first and a last block (from 0). Arrays of runs have the shape (runs,).
    """

    app: App
    blocks: int
    network: Network

    @cached_property
    def runs(self) -> tuple[Ints, Ints]:
        """First and last block of each run, ordered by the first, then by the last."""
        first, last = np.triu_indices(self.blocks)
        return first, last

    @cached_property
    def _shares(self) -> tuple[Floats, Floats]:
        """Q and u of each block that is deployed."""
        q = np.array([self.app.reach(block) for block in range(self.blocks)])
        u = np.array([self.app.latency_weight(block) for block in range(self.blocks)])
        return q, u

    def _over_runs(self, values: Floats) -> Floats:
        first, last = self.runs
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[last + 1] - total[first])

    @cached_property
    def work(self) -> Floats:
        """Latency work of each run, FLOP (a = sum of u W, times waiting)."""
        return self._over_runs(self.app.waiting * self._shares[1] * self._flops)

    @cached_property
    def load(self) -> Floats:
        """Load of each run, FLOP/s (R times sum of q W)."""
        return self._over_runs(self.app.rate * self._shares[0] * self._flops)

    @cached_property
    def memory(self) -> Floats:
        """Bytes of each run, without a segment's overhead."""
        chain = self.app.model.blocks[: self.blocks]
        return self._over_runs(np.array([block.resident for block in chain], dtype=np.float64))

    @cached_property
    def _flops(self) -> Floats:
        return np.array([block.work for block in self.app.model.blocks[: self.blocks]])

    @cached_property
    def traffic(self) -> Floats:
        """Load of the transfer in front of each block, bit/s, shape (blocks,)."""
        return np.asarray(self.app.rate * self._shares[0] * self._bits)

    @cached_property
    def delay(self) -> Floats:
        """Bits in front of each block, weighted by u, shape (blocks,)."""
        return np.asarray(self._shares[1] * self._bits)

    @cached_property
    def weight(self) -> Floats:
        """U of each block, shape (blocks,)."""
        return self._shares[1]

    @cached_property
    def _bits(self) -> Floats:
        model = self.app.model
        return np.array([8.0 * model.transfer_bytes(block) for block in range(self.blocks)])

    @cached_property
    def seconds(self) -> Floats:
        """Latency of each run on the whole of each node, shape (runs, nodes)."""
        speed = self.network.speed
        return np.divide(
            self.work[:, None], speed, out=np.zeros((len(self.work), len(speed))), where=speed > 0
        )

    @cached_property
    def least(self) -> Floats:
        """Share of each node that a run must reserve for its load, shape (runs, nodes)."""
        network = self.network
        rate = self.load[:, None] / network.whole.utilisation
        share = np.divide(
            rate, network.speed, out=np.full(self.seconds.shape, np.inf), where=network.speed > 0
        )
        return np.asarray(np.maximum(share, network.least_share(self.app.model.min_millicores)))

    @cached_property
    def power(self) -> Floats:
        """Watts of each run on each node; infinite where it may not run, shape (runs, nodes)."""
        watts = self.load[:, None] * self.network.whole.joules_per_flop
        return np.asarray(np.where(self._allowed, watts, np.inf))

    @cached_property
    def _allowed(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
        network, app = self.network, self.app
        first, last = self.runs
        nodes = network.whole.nodes
        # The first blocks run on the source, whichever it is: no run parts them.
        whole = (first == 0) & (last >= app.local_blocks - 1) | (first >= app.local_blocks)
        anywhere = replace(app, local_blocks=0)
        may = np.array([anywhere.may_run(0, node) for node in nodes], dtype=bool)
        may &= network.whole.pods >= 1
        need = app.model.memory_overhead + self.memory
        fits = (need[:, None] <= network.whole.memory * FITS) & (self.least <= FITS)
        return np.asarray(whole[:, None] & may & fits)

    @cached_property
    def link_power(self) -> Floats:
        """J/bit of links that may carry each transfer, else infinite, (blocks, nodes, degree)."""
        network = self.network
        joules = network.whole.joules_per_bit
        fits = self.traffic[:, None, None] <= network.carries()
        fits &= np.isfinite(joules) & (network.link >= 0)
        if self.app.local_blocks > 0:
            fits[0] = False  # the input stays on the source
        return np.asarray(np.where(fits, joules, np.inf))


@dataclass(frozen=True)
class Classes:
    """Applications alike in everything, in an order that depends on nothing but themselves.

    Attributes
    ----------
    kinds
        The kinds, by the number of blocks and then by what they ask for.
    kind, source, count
        Of each class: the index of its kind, of its source node, and how many
        applications it has.
    members
        The applications of each class.
    """

    kinds: tuple[Kind, ...]
    kind: tuple[int, ...]
    source: tuple[int, ...]
    members: tuple[tuple[App, ...], ...]

    @property
    def count(self) -> Ints:
        """How many applications each class has."""
        return np.array([len(each) for each in self.members], dtype=np.intp)

    def bound(self, least: Floats, prices: Floats) -> float:
        """What all classes need at least at some prices, less those of all room, watts.

        ``least`` is the least price of each class (classes,). What the sums may have been
        rounded by is taken off: where the prices are far above the power, it counts.
        """
        needed, room = float(self.count @ least), float(prices.sum())
        return needed - room - ROUNDING * (abs(needed) + room)

    def __len__(self) -> int:
        return len(self.members)


def classify(network: Network, apps: Iterable[App], apart: Iterable[App] = ()) -> Classes:
    """Group applications by what they ask for; each of ``apart`` is a class of its own."""
    shapes: dict[App, list[tuple[int, list[App]]]] = {}
    alone = {app.key for app in apart}
    groups: dict[tuple[App, object], list[App]] = {}
    for app in apps:
        shape = replace(app, namespace="", name="", created="", priority=0, hold=False)
        own = app.key if app.key in alone else None
        groups.setdefault((shape, own), []).append(app)
    index = network.whole.index
    for (shape, _), members in groups.items():
        kind = replace(shape, source="")
        shapes.setdefault(kind, []).append((index[shape.source], members))
    kinds, kind_of, source, grouped = [], [], [], []
    ordered = sorted(shapes, key=_by_blocks)
    for number, kind in enumerate(ordered):
        blocks = kind.model.cut(kind.min_accuracy)
        assert blocks is not None
        kinds.append(Kind(kind, blocks, network))
        for at, members in shapes[kind]:
            kind_of.append(number)
            source.append(at)
            grouped.append(tuple(members))
    return Classes(tuple(kinds), tuple(kind_of), tuple(source), tuple(grouped))


def _by_blocks(kind: App) -> int:
    return kind.model.cut(kind.min_accuracy) or 0
