"""Energy, latency and loads of a deployment: the one place where they are computed.

Source: model.md, "What is decided"; Singhal et al., IEEE Transactions on Networking 2025.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from fin.planning.plan import AppPlan, Footprint, Placement
from fin.planning.problem import App, Problem

LinkKey = tuple[str, str]
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a placement costs, whatever it reserves.

    Attributes
    ----------
    accuracy
        Accuracy of the model at its cut.
    compute_energy, network_energy
        Joules per inference, by node and by link.
    network_latency
        Seconds on the links (weighted by u).
    work
        Latency work of each node, FLOP (a_n = sum of u W).
    load
        Load of each node, FLOP/s (R times sum of q W).
    memory
        Bytes of each segment, by node.
    traffic
        Load of each link, bit/s.
    """

    accuracy: float
    compute_energy: Mapping[str, float]
    network_energy: Mapping[LinkKey, float]
    network_latency: float
    work: Mapping[str, float]
    load: Mapping[str, float]
    memory: Mapping[str, int]
    traffic: Mapping[LinkKey, float]

    @property
    def energy(self) -> float:
        """Joules per inference (E_h)."""
        return sum(self.compute_energy.values()) + sum(self.network_energy.values())

    def latency(self, speeds: Mapping[str, float]) -> float:
        """Seconds on an idle server (T_h) where node n runs at ``speeds[n]`` FLOP/s."""
        compute = sum(
            work / speeds[node] if speeds[node] > 0 else float("inf")
            for node, work in self.work.items()
            if work > 0
        )
        return compute + self.network_latency


def evaluate(problem: Problem, app: App, placement: Placement) -> Evaluation:
    """Measure a placement of ``app``.

    Raises
    ------
    KeyError
        Where the placement names a node or crosses a link that the problem lacks.
    """
    model, nodes, links = app.model, problem.node, problem.link
    compute_energy: dict[str, float] = {}
    network_energy: dict[LinkKey, float] = {}
    work: dict[str, float] = {}
    load: dict[str, float] = {}
    memory: dict[str, int] = {}
    traffic: dict[LinkKey, float] = {}
    network_latency = 0.0
    for index, name in enumerate(placement.nodes):
        block, share, weight = model.blocks[index], app.reach(index), app.latency_weight(index)
        bits = 8.0 * model.transfer_bytes(index)
        route = placement.routes[index]
        for ends in pairwise(route):
            link = links[ends]
            _add(network_energy, ends, share * bits * link.joules_per_bit)
            _add(traffic, ends, app.rate * share * bits)
            network_latency += weight * (bits / link.bandwidth + link.rtt)
        _add(compute_energy, name, share * block.work * nodes[name].joules_per_flop)
        _add(work, name, app.compute_weight(index) * block.work)
        _add(load, name, app.rate * share * block.work)
        memory[name] = memory.get(name, model.memory_overhead) + block.resident
    final = model.blocks[len(placement.nodes) - 1].exit
    return Evaluation(
        accuracy=final.accuracy if final else 0.0,
        compute_energy=compute_energy,
        network_energy=network_energy,
        network_latency=network_latency,
        work=work,
        load=load,
        memory=memory,
        traffic=traffic,
    )


def speeds(problem: Problem, plan: AppPlan) -> dict[str, float]:
    """Speed that ``plan`` reserves on each of its nodes, FLOP/s (f_{h,n})."""
    return {
        name: millicores * problem.node[name].flops_per_millicore
        for name, millicores in plan.millicores
    }


def footprint(problem: Problem, plan: AppPlan) -> Footprint:
    """What ``plan`` takes of the system."""
    found = evaluate(problem, problem.app[plan.key], plan.placement)
    return Footprint(plan.millicores, tuple(found.memory.items()), tuple(found.traffic.items()))


@dataclass(frozen=True, slots=True)
class Usage:
    """What deployments take together: of nodes (millicores, bytes, segments) and links (bit/s)."""

    millicores: Mapping[str, int]
    memory: Mapping[str, int]
    segments: Mapping[str, int]
    traffic: Mapping[LinkKey, float]
    egress: Mapping[str, float]
    ingress: Mapping[str, float]


def usage(footprints: Iterable[Footprint]) -> Usage:
    """Add up what deployments take."""
    millicores: dict[str, int] = {}
    memory: dict[str, int] = {}
    segments: dict[str, int] = {}
    traffic: dict[LinkKey, float] = {}
    egress: dict[str, float] = {}
    ingress: dict[str, float] = {}
    for each in footprints:
        for node, reserved in each.millicores:
            millicores[node] = millicores.get(node, 0) + reserved
        for node, resident in each.memory:
            memory[node] = memory.get(node, 0) + resident
            segments[node] = segments.get(node, 0) + 1
        for ends, load in each.traffic:
            _add(traffic, ends, load)
            _add(egress, ends[0], load)
            _add(ingress, ends[1], load)
    return Usage(millicores, memory, segments, traffic, egress, ingress)


def _add(totals: dict[K, float], key: K, amount: float) -> None:
    totals[key] = totals.get(key, 0.0) + amount
