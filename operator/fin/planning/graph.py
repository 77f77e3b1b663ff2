"""Stages 2 and 3 of FIN: the extended graph of one application, and its feasible graph.

Source: Singhal et al., "Distributing Inference Tasks Over Interconnected Systems Through
Dynamic DNNs", IEEE Transactions on Networking 2025; model.md, "FIN's three stages".
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fin.planning.problem import App
from fin.planning.system import Floats, System

ROUNDING = 1e-9
"""Slots by which a latency may miss a whole slot and still count as it, in floating point."""

IN_TIME = 1 + 1e-10
"""Slack of the deadline in floating point, well inside what ``check`` allows."""

FITS = 1 + 1e-12
"""Slack of the capacity tests on sums, well inside what ``check`` allows."""


@dataclass(frozen=True, eq=False)
class ExtendedGraph:
    """Vertices (i, n), "the output of block i is at node n", and the edges between them.

    Process edges lead from (i, n) to (i + 1, n), transfer edges from (i, n) to (i, m) over
    one link. An edge that no capacity allows, or that the placement forbids, is infinite.

    Attributes
    ----------
    source
        Index of the node where the inputs arise.
    deadline
        What the latencies of a path may add up to: seconds, or slots in a feasible graph.
    process_energy, process_latency
        Shape (blocks, nodes).
    transfer_energy, transfer_latency
        Shape (blocks, nodes, out-degree); of the transfers in front of each block.
    work, resident
        Load (FLOP/s) and bytes of each block, shape (blocks,).
    traffic
        Load of a transfer in front of each block, bit/s, shape (blocks,).
    """

    system: System
    app: App
    source: int
    deadline: float
    process_energy: Floats
    process_latency: Floats
    transfer_energy: Floats
    transfer_latency: Floats
    work: Floats
    resident: Floats
    traffic: Floats

    @property
    def blocks(self) -> int:
        """Number of blocks that are deployed (K)."""
        return len(self.work)


def extended_graph(system: System, app: App, blocks: int) -> ExtendedGraph:
    """Build the extended graph of the first ``blocks`` blocks of ``app``, latencies in seconds.

    Each node may use all the compute that is left on it: energy does not depend on the
    reservation, so the least latency decides what is feasible.
    """
    model = app.model
    chain = model.blocks[:blocks]
    share = np.array(model.reach[:blocks])
    weight = np.array([app.latency_weight(block) for block in range(blocks)])
    flops = np.array([block.work for block in chain])
    resident = np.array([block.resident for block in chain], dtype=np.float64)
    bits = np.array([8.0 * model.transfer_bytes(block) for block in range(blocks)])
    work = app.rate * share * flops
    traffic = app.rate * share * bits

    allowed = _allowed(system, app, blocks)
    allowed &= model.memory_overhead + resident[:, None] <= system.memory
    allowed &= work[:, None] <= system.utilisation * system.speed * FITS
    with np.errstate(divide="ignore", invalid="ignore"):
        seconds = (app.waiting * weight * flops)[:, None] / system.speed
    energy = (share * flops)[:, None] * system.joules_per_flop

    fits = traffic[:, None, None] <= system.load * FITS
    with np.errstate(invalid="ignore"):
        moving = (weight * bits)[:, None, None] * system.seconds_per_bit
        moving += weight[:, None, None] * system.rtt
        moved = (share * bits)[:, None, None] * system.joules_per_bit
    fits &= np.isfinite(system.joules_per_bit)
    return ExtendedGraph(
        system=system,
        app=app,
        source=system.index[app.source],
        deadline=app.latency,
        process_energy=np.where(allowed, energy, np.inf),
        process_latency=np.where(allowed, seconds, np.inf),
        transfer_energy=np.where(fits, moved, np.inf),
        transfer_latency=np.where(fits, moving, np.inf),
        work=work,
        resident=resident,
        traffic=traffic,
    )


def feasible_graph(
    graph: ExtendedGraph, gamma: int, rounding: Literal["up", "down"]
) -> ExtendedGraph:
    """Count latencies in slots of deadline / gamma: the replicas of the feasible graph.

    Rounded up, every path from the source to an end within gamma slots is feasible in
    latency; rounded down, every feasible path is one, so the least of them is a bound.
    The replicas of a vertex are the slots that the labels of a search carry: they are
    made only where a path leads.
    """

    def slots(latency: Floats) -> Floats:
        exact = latency * (gamma / graph.deadline)
        if rounding == "up":
            return np.ceil(exact - ROUNDING)
        return np.floor(exact + ROUNDING)

    return replace(
        graph,
        deadline=float(gamma),
        process_latency=slots(graph.process_latency),
        transfer_latency=slots(graph.transfer_latency),
    )


def _allowed(system: System, app: App, blocks: int) -> NDArray[np.bool_]:
    """Which block may start on which node, shape (blocks, nodes)."""
    usable = (system.pods >= 1) & (system.millicores >= app.model.min_millicores)

    def may_run(block: int) -> NDArray[np.bool_]:
        return np.array([app.may_run(block, node) for node in system.nodes], dtype=bool)

    pinned = np.arange(blocks) < app.local_blocks
    return np.where(pinned[:, None], may_run(0), may_run(app.local_blocks)) & usable
