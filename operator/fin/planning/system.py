"""Stage 1 of FIN: the system graph, nodes and links with what is left of their capacities."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from fin.planning.evaluation import usage
from fin.planning.plan import Footprint
from fin.planning.problem import MIN_MILLICORES, Link, Node, Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class System:
    """What is left of a system, as a directed graph (networkx) and as arrays.

    Vertices of ``graph`` are node names in the order of their index, with the attributes
    ``node`` and what is left of it: ``millicores``, ``memory`` (bytes), ``pods``,
    ``egress`` and ``ingress`` (bit/s of load). Its edges have ``link`` and ``load`` (bit/s
    that further load may take).
    """

    graph: "nx.DiGraph[str]"
    utilisation: float

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Nodes by index."""
        return tuple(attributes["node"] for attributes in self.graph.nodes.values())

    @cached_property
    def index(self) -> dict[str, int]:
        """Index of each node."""
        return {name: index for index, name in enumerate(self.graph)}

    @cached_property
    def millicores(self) -> Floats:
        """Millicores left of each node; 0 where fewer than the least reservation are left."""
        left = self._of_nodes("millicores")
        return np.asarray(np.where(left >= MIN_MILLICORES, left, 0.0))

    @cached_property
    def speed(self) -> Floats:
        """FLOP/s left of each node."""
        each = np.array([node.flops_per_millicore for node in self.nodes], dtype=np.float64)
        return np.asarray(self.millicores * each)

    @cached_property
    def memory(self) -> Floats:
        """Bytes left of each node."""
        return self._of_nodes("memory")

    @cached_property
    def pods(self) -> Floats:
        """Pods that each node still takes."""
        return self._of_nodes("pods")

    @cached_property
    def joules_per_flop(self) -> Floats:
        """Energy per operation of each node (e_n)."""
        return np.array([node.joules_per_flop for node in self.nodes], dtype=np.float64)

    @cached_property
    def heads(self) -> Ints:
        """Out-neighbours of each node, shape (nodes, largest out-degree), padded with the node."""
        width = max((len(self.graph[name]) for name in self.graph), default=0)
        heads = np.repeat(np.arange(len(self.nodes), dtype=np.intp)[:, None], width, axis=1)
        for tail, name in enumerate(self.graph):
            for column, head in enumerate(self.graph[name]):
                heads[tail, column] = self.index[head]
        return heads

    @cached_property
    def columns(self) -> Ints:
        """Column of ``heads`` with the link of each pair of nodes; -1 where there is none."""
        columns = np.full((len(self.nodes), len(self.nodes)), -1, dtype=np.intp)
        for tail, name in enumerate(self.graph):
            for column in range(len(self.graph[name])):
                columns[tail, self.heads[tail, column]] = column
        return columns

    def column(self, tail: int, head: int) -> int:
        """Column of ``heads`` in which the link from ``tail`` to ``head`` stands."""
        return int(self.columns[tail, head])

    def link_load(self, tail: int, head: int) -> float:
        """Bit/s of load that the link itself still takes."""
        return float(self.graph[self.nodes[tail].name][self.nodes[head].name]["load"])

    @cached_property
    def seconds_per_bit(self) -> Floats:
        """1 / B_l, shaped as ``heads``; infinite in the padding."""
        return self._of_links(lambda link, _: 1.0 / link.bandwidth, np.inf)

    @cached_property
    def rtt(self) -> Floats:
        """Round-trip times, seconds, shaped as ``heads``; infinite in the padding."""
        return self._of_links(lambda link, _: link.rtt, np.inf)

    @cached_property
    def joules_per_bit(self) -> Floats:
        """g_l, shaped as ``heads``; infinite in the padding."""
        return self._of_links(lambda link, _: link.joules_per_bit, np.inf)

    @cached_property
    def load(self) -> Floats:
        """Bit/s that each link still takes, its ends' interfaces included, shaped as ``heads``."""
        own = self._of_links(lambda _, load: load, 0.0)
        return np.minimum(np.minimum(own, self.egress[:, None]), self.ingress[self.heads])

    @cached_property
    def egress(self) -> Floats:
        """Bit/s that each node's interfaces still send; infinite where there is no limit."""
        return self._of_nodes("egress")

    @cached_property
    def ingress(self) -> Floats:
        """Bit/s that each node's interfaces still receive; infinite where there is no limit."""
        return self._of_nodes("ingress")

    def _of_nodes(self, attribute: str) -> Floats:
        values = [attributes[attribute] for attributes in self.graph.nodes.values()]
        return np.array(values, dtype=np.float64)

    def _of_links(self, value: Callable[[Link, float], float], padding: float) -> Floats:
        values = np.full(self.heads.shape, padding)
        for tail, name in enumerate(self.graph):
            for column, edge in enumerate(self.graph[name].values()):
                values[tail, column] = value(edge["link"], edge["load"])
        return values


def system_left(problem: Problem, taken: Iterable[Footprint] = ()) -> System:
    """Build the system graph of ``problem`` less what deployments have ``taken``."""
    used, rho = usage(taken), problem.utilisation
    graph: nx.DiGraph[str] = nx.DiGraph()
    for node in sorted(problem.nodes, key=_by_name):
        name = node.name
        graph.add_node(
            name,
            node=node,
            millicores=node.millicores - used.millicores.get(name, 0),
            memory=node.memory - used.memory.get(name, 0),
            pods=node.pods - used.segments.get(name, 0),
            egress=_left(node.egress, rho, used.egress.get(name, 0.0)),
            ingress=_left(node.ingress, rho, used.ingress.get(name, 0.0)),
        )
    for link in sorted(problem.links, key=_by_ends):
        ends = (link.source, link.target)
        load = _left(link.bandwidth, rho, used.traffic.get(ends, 0.0))
        graph.add_edge(*ends, link=link, load=load)
    return System(graph, rho)


def _left(rate: float | None, rho: float, used: float) -> float:
    return float("inf") if rate is None else rho * rate - used


def _by_name(node: Node) -> str:
    return node.name


def _by_ends(link: Link) -> tuple[str, str]:
    return link.source, link.target
