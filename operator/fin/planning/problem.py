"""The planning problem: nodes, links, models and applications, in base units and immutable."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

MIN_MILLICORES = 10
"""The smallest reservation: the kubelet enforces no CPU quota below 10 millicores."""

Statistic = Literal["Mean", "Max"]
AppKey = tuple[str, str]
"""Namespace and name of an application."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that may run segments, with what inference may use of it.

    Attributes
    ----------
    millicores
        Whole millicores of CPU that inference may use.
    flops_per_millicore
        Sustained speed of one millicore, FLOP/s; C_n is ``capacity``.
    memory
        Memory that inference may use, bytes (M_n).
    pods
        Pods that the node may still take (S_n).
    joules_per_flop
        Energy per operation, J/FLOP (e_n).
    egress, ingress
        Bit rate out of and into the node over all its links, bit/s (O_n, I_n); None: no limit.
    """

    name: str
    tier: str
    millicores: int
    flops_per_millicore: float
    memory: int
    pods: int
    joules_per_flop: float
    egress: float | None = None
    ingress: float | None = None

    @property
    def capacity(self) -> float:
        """Compute capacity that inference may use, FLOP/s (C_n)."""
        return self.millicores * self.flops_per_millicore


@dataclass(frozen=True, slots=True)
class Link:
    """A directed link between two nodes: bit/s (B_l), seconds (r_l) and J/bit (g_l)."""

    source: str
    target: str
    bandwidth: float
    rtt: float
    joules_per_bit: float


@dataclass(frozen=True, slots=True)
class Exit:
    """A classifier after a block: x_i FLOP, v_i bytes, share p_i of all samples, accuracy A_i."""

    name: str
    flops: float
    memory: int
    rate: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a model: o_i FLOP, w_i bytes resident, d_i bytes of output."""

    name: str
    flops: float
    memory: int
    output_bytes: float
    exit: Exit | None = None

    @property
    def work(self) -> float:
        """FLOP of the block and of the exit after it (W_i)."""
        return self.flops + (self.exit.flops if self.exit else 0.0)

    @property
    def resident(self) -> int:
        """Bytes of the block and of the exit after it (w_i + v_i)."""
        return self.memory + (self.exit.memory if self.exit else 0)


@dataclass(frozen=True)
class Model:
    """A dynamic DNN: a chain of blocks, some with an exit; the last block always has one.

    ``memory_overhead`` is a segment's memory before any block is loaded, bytes (m0);
    ``min_millicores`` is the least that a segment reserves.
    """

    name: str
    input_bytes: float
    blocks: tuple[Block, ...]
    memory_overhead: int = 0
    min_millicores: int = MIN_MILLICORES

    @cached_property
    def reach(self) -> tuple[float, ...]:
        """Share of the samples that reaches each block (q_1 .. q_L)."""
        shares = []
        left = 1.0
        for block in self.blocks:
            shares.append(max(left, 0.0))
            left -= block.exit.rate if block.exit else 0.0
        return tuple(shares)

    def transfer_bytes(self, block: int) -> float:
        """Bytes that move in front of block ``block`` (from 0): d_i, the input for the first."""
        return self.blocks[block - 1].output_bytes if block else self.input_bytes

    def cut(self, min_accuracy: float) -> int | None:
        """Blocks to deploy: up to the first exit that is accurate enough; None where none is.

        No later exit can be better: what runs up to the first such exit is a prefix of
        what any deployment with a later one runs, so it needs no more energy, time or room.
        """
        for count, block in enumerate(self.blocks, start=1):
            if block.exit and block.exit.accuracy >= min_accuracy:
                return count
        return None

    @property
    def best_accuracy(self) -> float:
        """The highest accuracy of any exit."""
        return max(block.exit.accuracy for block in self.blocks if block.exit)


@dataclass(frozen=True, slots=True)
class App:
    """An application: a model, where its inputs arise, how often, and what it asks for.

    Attributes
    ----------
    rate
        Inferences per second, above 0 (R_h).
    latency
        Latency target on ``statistic`` over the samples, seconds (D_h).
    waiting
        Time in a segment, over its time on an idle server: 1, or more where requests may have to
        wait for each other.
    local_blocks
        The first blocks that stay on the source.
    tiers
        Tiers that may run its blocks; None: all.
    barred
        Nodes that may take no new segment of it (cordoned, or tainted and not tolerated);
        what runs there may stay, and data may cross them.
    created
        Creation time in a form that sorts (older apps come first among equals).
    hold
        The running plan stays as it is while it can run.
    """

    namespace: str
    name: str
    model: Model
    source: str
    rate: float
    latency: float
    min_accuracy: float
    statistic: Statistic = "Mean"
    waiting: float = 1.0
    priority: int = 0
    local_blocks: int = 0
    tiers: frozenset[str] | None = None
    barred: frozenset[str] = frozenset()
    created: str = ""
    hold: bool = False

    @property
    def key(self) -> AppKey:
        """Namespace and name."""
        return self.namespace, self.name

    def reach(self, block: int) -> float:
        """Share of the samples that reaches block ``block`` (from 0): q."""
        return self.model.reach[block]

    def latency_weight(self, block: int) -> float:
        """Weight of a block (from 0) in the latency (u): q on the mean, 1 on the maximum."""
        return self.model.reach[block] if self.statistic == "Mean" else 1.0

    def compute_weight(self, block: int) -> float:
        """Weight of a block's work (from 0) in the latency: u, times what waiting adds."""
        return self.waiting * self.latency_weight(block)

    def may_run(self, block: int, node: Node) -> bool:
        """Whether a new segment with block ``block`` (from 0) may be placed on ``node``."""
        if self.tiers is not None and node.tier not in self.tiers:
            return False
        if block < self.local_blocks and node.name != self.source:
            return False
        return node.name not in self.barred


@dataclass(frozen=True)
class Problem:
    """All that a plan depends on.

    ``utilisation`` (rho) is the share of a reservation, and of a link, that load may fill.
    """

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    apps: tuple[App, ...]
    utilisation: float = 0.8

    @cached_property
    def node(self) -> Mapping[str, Node]:
        """Nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def link(self) -> Mapping[tuple[str, str], Link]:
        """Links by their two ends."""
        return {(link.source, link.target): link for link in self.links}

    @cached_property
    def app(self) -> Mapping[AppKey, App]:
        """Applications by namespace and name."""
        return {app.key: app for app in self.apps}
