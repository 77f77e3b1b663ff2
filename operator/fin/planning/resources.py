"""What adds up along a path: memory and load of nodes, load of links and interfaces."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from fin.planning.graph import FITS, ExtendedGraph
from fin.planning.system import Floats

Step = tuple[int, int]
"""A vertex (i, n) of the extended graph, n by index."""

Resource = tuple[str, int, int]
"""Kind ("memory", "load", "link", "egress" or "ingress"), node, and the link's other end."""


class Resources:
    """The resources of a graph that a path can overfill, and what its edges take of them.

    A segment's overhead is taken off the memory of every node beforehand: a path either
    uses a node, and pays the overhead once, or takes nothing there at all.
    """

    def __init__(self, graph: ExtendedGraph) -> None:
        self.graph = graph
        system = graph.system
        self.memory = (system.memory - graph.app.model.memory_overhead) * FITS
        self.load = system.utilisation * system.speed * FITS

    def limit(self, resource: Resource) -> float:
        """How much of ``resource`` there is: bytes, FLOP/s of load, or bit/s of load."""
        kind, node, other = resource
        system = self.graph.system
        match kind:
            case "memory":
                return float(self.memory[node])
            case "load":
                return float(self.load[node])
            case "egress":
                return float(system.egress[node]) * FITS
            case "ingress":
                return float(system.ingress[node]) * FITS
            case _:
                return system.load_of(node, other) * FITS

    def still_needed(self, resource: Resource) -> Floats:
        """The most that the rest of a path can take of ``resource``, from each block on.

        Shape (blocks + 1,).
        """
        amounts = {"memory": self.graph.resident, "load": self.graph.work}
        each = amounts.get(resource[0], self.graph.traffic)
        return np.concatenate([np.cumsum(each[::-1])[::-1], [0.0]])

    def processing(self, block: int, node: int) -> Iterator[tuple[Resource, float]]:
        """What running ``block`` on ``node`` takes."""
        yield ("memory", node, 0), float(self.graph.resident[block])
        yield ("load", node, 0), float(self.graph.work[block])

    def moving(self, block: int, node: int, other: int) -> Iterator[tuple[Resource, float]]:
        """What moving the input of ``block`` from ``node`` to ``other`` takes."""
        traffic = float(self.graph.traffic[block])
        yield ("link", node, other), traffic
        yield ("egress", node, 0), traffic
        yield ("ingress", other, 0), traffic

    def taken(self, path: Sequence[Step]) -> dict[Resource, float]:
        """What ``path`` takes of each resource."""
        taken: dict[Resource, float] = {}
        for (block, node), (after, other) in pairwise(path):
            edge = (
                self.processing(block, node) if after > block else self.moving(block, node, other)
            )
            for resource, amount in edge:
                taken[resource] = taken.get(resource, 0.0) + amount
        return taken

    def overfilled(self, path: Sequence[Step]) -> set[Resource]:
        """Resources of which ``path`` takes more than there is."""
        taken = self.taken(path)
        return {resource for resource, amount in taken.items() if amount > self.limit(resource)}
