"""What each application could do alone: the choices that the mixed-integer programme is about.

Everything is a share of its limit, so that the programme's numbers are near 1 whatever
the units. A choice that breaks a constraint by itself is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from fin.planning.evaluation import LinkKey
from fin.planning.problem import App, Problem

LOOSE = 1e-8
"""Relative slack of every limit in the programme: what it admits too much, ``check`` refuses."""


@dataclass(frozen=True, slots=True)
class Run:
    """Running one block on one node.

    Attributes
    ----------
    power
        Watts (R q W e).
    time
        Latency at all of the node's compute, as a share of the target.
    load
        Share of the node's compute that its load fills, at the target utilisation.
    memory
        Bytes.
    """

    block: int
    node: str
    power: float
    time: float
    load: float
    memory: int


@dataclass(frozen=True, slots=True)
class Move:
    """Moving the input of one block over one link: watts, share of the target, bit/s."""

    block: int
    ends: LinkKey
    power: float
    time: float
    traffic: float


@dataclass(frozen=True)
class Choices:
    """All choices of one application that is cut after ``blocks`` blocks."""

    problem: Problem
    app: App
    blocks: int

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Runs, by block and by the node's name."""
        return tuple(self._runs())

    @cached_property
    def moves(self) -> tuple[Move, ...]:
        """Moves, by block and by the link's ends."""
        return tuple(self._moves())

    @cached_property
    def nodes(self) -> frozenset[str]:
        """Nodes on which it may run something."""
        return frozenset(run.node for run in self.runs)

    def _runs(self) -> Iterator[Run]:
        app, most = self.app, 1 + LOOSE
        nodes = [
            node
            for node in sorted(self.problem.nodes, key=lambda node: node.name)
            if node.millicores >= app.model.min_millicores and node.pods >= 1
        ]
        for index, block in enumerate(app.model.blocks[: self.blocks]):
            share, weight = app.reach(index), app.compute_weight(index)
            for node in nodes:
                run = Run(
                    block=index,
                    node=node.name,
                    power=app.rate * share * block.work * node.joules_per_flop,
                    time=weight * block.work / node.capacity / app.latency,
                    load=app.rate * share * block.work / node.capacity / self.problem.utilisation,
                    memory=block.resident,
                )
                fits = app.model.memory_overhead + block.resident <= node.memory
                if app.may_run(index, node) and fits and run.time <= most and run.load <= most:
                    yield run

    def _moves(self) -> Iterator[Move]:
        app, problem, most = self.app, self.problem, 1 + LOOSE
        links = sorted(problem.links, key=lambda link: (link.source, link.target))
        for index in range(self.blocks):
            bits = 8.0 * app.model.transfer_bytes(index)
            share, weight = app.reach(index), app.latency_weight(index)
            traffic = app.rate * share * bits
            for link in links:
                rates = (
                    link.bandwidth,
                    problem.node[link.source].egress,
                    problem.node[link.target].ingress,
                )
                least = min(rate for rate in rates if rate is not None)
                time = weight * (bits / link.bandwidth + link.rtt) / app.latency
                if time <= most and traffic <= problem.utilisation * least * most:
                    power = traffic * link.joules_per_bit
                    yield Move(index, (link.source, link.target), power, time, traffic)
