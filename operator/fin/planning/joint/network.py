"""The system as the joint planner sees it: every shared limit is a row with its price.

Rows in order: compute, memory and pods of each node, its egress and ingress, then each
link. Everything is counted in shares of the whole limit, so that numbers are near 1.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fin.planning.graph import FITS
from fin.planning.system import Floats, Ints, System

COMPUTE, MEMORY, PODS, EGRESS, INGRESS = range(5)
"""Blocks of rows, each with a row for every node; the links' rows come after them."""


@dataclass(frozen=True, eq=False)
class Network:
    """A whole system and what is left of it, as arrays.

    ``whole`` has nothing deployed; ``left`` is what the applications that are planned
    may use. Bounds are about ``whole``.
    """

    whole: System
    left: System

    @property
    def size(self) -> int:
        """Number of nodes."""
        return len(self.whole.nodes)

    @cached_property
    def tails(self) -> Ints:
        """Tail of each link, shape (links,)."""
        return np.asarray(self._edges[0])

    @cached_property
    def heads(self) -> Ints:
        """Head of each link, shape (links,)."""
        return np.asarray(self.whole.heads[self._edges])

    @cached_property
    def link(self) -> Ints:
        """Index of each link, shaped as the system's ``heads``; -1 in the padding."""
        index = np.full(self.whole.heads.shape, -1, dtype=np.intp)
        index[self._edges] = np.arange(len(self._edges[0]))
        return index

    @cached_property
    def _edges(self) -> tuple[Ints, Ints]:
        tails, columns = np.nonzero(self.whole.layout.bandwidth > 0)
        return tails, columns

    @cached_property
    def speed(self) -> Floats:
        """C_n, FLOP/s; 0 where not even the least reservation fits."""
        return np.asarray(self.whole.speed)

    def least_share(self, millicores: int) -> Floats:
        """Millicores as a share of each node, shape (nodes,)."""
        return millicores * self.millicore_share

    @cached_property
    def millicore_share(self) -> Floats:
        """One millicore as a share of each node, infinite where there are none: (nodes,)."""
        millicores = self.whole.millicores
        never = np.full(self.size, np.inf)
        return np.asarray(np.divide(1, millicores, out=never, where=millicores > 0))

    @cached_property
    def limits(self) -> Floats:
        """The whole of each row's resource: FLOP/s, bytes, pods or bit/s."""
        return self._rows(self.whole, self.speed)

    @cached_property
    def room(self) -> Floats:
        """What is left of each row, as a share of its limit; 1 where there is no limit.

        Nothing where what runs takes more than there is by now.
        """
        left = self._rows(self.left, self.left.unreserved * self.whole.layout.flops_per_millicore)
        shares = np.ones(len(left))
        bounded = np.isfinite(self.limits) & (self.limits > 0)
        shares[bounded] = left[bounded] / self.limits[bounded]
        shares[self.limits <= 0] = 0.0
        return np.maximum(shares, 0.0)

    def _rows(self, system: System, speed: Floats) -> Floats:
        links = system.link_load[self._edges]
        ends = (speed, system.memory, system.pods, system.egress, system.ingress)
        return np.concatenate([*ends, links])

    def per_unit(self, prices: Floats) -> Floats:
        """Prices of rows by byte, pod or bit/s instead of by share; 0 where there is no limit."""
        bounded = np.isfinite(self.limits) & (self.limits > 0)
        return np.divide(prices, self.limits, out=np.zeros(len(prices)), where=bounded)

    def block(self, rows: Floats, block: int) -> Floats:
        """The part of ``rows`` of one block, shape (nodes,)."""
        return rows[block * self.size : (block + 1) * self.size]

    def traffic_price(self, prices: Floats) -> Floats:
        """What a bit/s costs on each link, interfaces included, shaped as the ``heads``."""
        per_unit = self.per_unit(prices)
        links = per_unit[5 * self.size :]
        egress, ingress = self.block(per_unit, EGRESS), self.block(per_unit, INGRESS)
        costs = np.zeros(self.whole.heads.shape)
        costs[self._edges] = links + egress[self.tails] + ingress[self.heads]
        return costs

    def carries(self) -> Floats:
        """Bit/s that each link may carry at all, ends included, shaped as the ``heads``."""
        return np.asarray(self.whole.load * FITS)
