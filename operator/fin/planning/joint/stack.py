"""Kinds with as many blocks as each other, stacked into arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fin.planning.joint.kinds import Kind
from fin.planning.joint.network import COMPUTE, MEMORY, PODS, Network
from fin.planning.system import Floats, Ints

LARGEST = 60_000
"""Elements of the largest array that a pass over some ways may make."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Kinds with the same number of blocks; ``index`` has their numbers among all kinds."""

    kinds: tuple[Kind, ...]
    index: tuple[int, ...]

    @property
    def network(self) -> Network:
        """The system."""
        return self.kinds[0].network

    @property
    def blocks(self) -> int:
        """Blocks of each kind."""
        return self.kinds[0].blocks

    @cached_property
    def runs(self) -> tuple[Ints, Ints]:
        """First and last block of each run."""
        return self.kinds[0].runs

    def _stacked(self, name: str) -> Floats:
        return np.stack([getattr(kind, name) for kind in self.kinds])

    @cached_property
    def seconds(self) -> Floats:
        """Latency of runs on whole nodes, shape (kinds, runs, nodes)."""
        return self._stacked("seconds")

    @cached_property
    def least(self) -> Floats:
        """Least shares of runs, shape (kinds, runs, nodes)."""
        return self._stacked("least")

    @cached_property
    def power(self) -> Floats:
        """Watts of runs, shape (kinds, runs, nodes)."""
        return self._stacked("power")

    @cached_property
    def memory(self) -> Floats:
        """Bytes of runs, shape (kinds, runs)."""
        return self._stacked("memory")

    @cached_property
    def overhead(self) -> Floats:
        """Bytes of a segment before any block, shape (kinds,)."""
        return np.array([float(kind.app.model.memory_overhead) for kind in self.kinds])

    @cached_property
    def traffic(self) -> Floats:
        """Load of transfers, bit/s, shape (kinds, blocks)."""
        return self._stacked("traffic")

    @cached_property
    def delay(self) -> Floats:
        """Weighted bits of transfers, shape (kinds, blocks)."""
        return self._stacked("delay")

    @cached_property
    def weight(self) -> Floats:
        """Weights of blocks in the latency, shape (kinds, blocks)."""
        return self._stacked("weight")

    @cached_property
    def link_power(self) -> Floats:
        """J/bit of links, shape (kinds, blocks, nodes, degree)."""
        return self._stacked("link_power")

    @cached_property
    def width(self) -> int:
        """Ways that one pass may follow side by side."""
        nodes, degree = self.network.whole.heads.shape
        each = nodes * max(degree, len(self.runs[0]))
        return max(LARGEST // max(int(each), 1), 1)

    def run_costs(
        self, which: Ints, time: Floats, prices: Floats, visits: float = 1.0
    ) -> tuple[Floats, Floats]:
        """What runs cost at some prices: as a node's first and as a later visit.

        ``which`` (ways,) are kinds by their place here, ``time`` (ways,) prices of time in
        W/s. The first visit of a node reserves the best share of it; a later one costs at
        least what it would with the whole node, and no price of compute, pods or overhead
        (model.md, "A node entered again"). Shapes (ways, runs, nodes).

        With ``visits``, a first visit costs what each of so many visits of one node costs at
        least: all reserve the same share, and each is charged its part of the price.
        """
        network = self.network
        compute = network.block(prices, COMPUTE) / visits
        memory = network.block(network.per_unit(prices), MEMORY)
        seconds = time[:, None, None] * self.seconds[which]
        bytes_price = self.memory[which][:, :, None] * memory
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.sqrt(seconds / compute)
        share = np.where(compute > 0, share, 1.0)
        share = np.clip(share, self.least[which], 1.0)
        once = self.overhead[which][:, None, None] * memory
        once = (once + network.block(network.per_unit(prices), PODS)) / visits
        power = self.power[which] + bytes_price
        return power + seconds / share + compute * share + once, power + seconds

    def link_costs(self, which: Ints, time: Floats, block: int, traffic_price: Floats) -> Floats:
        """What a transfer in front of ``block`` costs on each link, (ways, nodes, degree)."""
        layout = self.network.whole.layout
        joules = self.link_power[:, block][which]
        costs = (joules + traffic_price) * self.traffic[which, block][:, None, None]
        costs += layout.seconds_per_bit * (time * self.delay[which, block])[:, None, None]
        costs += layout.rtt * (time * self.weight[which, block])[:, None, None]
        # Not so by themselves: infinity times nothing is no number.
        costs[np.isinf(joules)] = np.inf
        return np.asarray(costs)


def stacks(kinds: tuple[Kind, ...]) -> tuple[Stack, ...]:
    """Group kinds by their number of blocks."""
    groups: dict[int, list[int]] = {}
    for number, kind in enumerate(kinds):
        groups.setdefault(kind.blocks, []).append(number)
    return tuple(
        Stack(tuple(kinds[number] for number in numbers), tuple(numbers))
        for _, numbers in sorted(groups.items())
    )
