"""Stage 1 of FIN: the system graph, nodes and links with what is left of their capacities."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from fin.planning.evaluation import Usage, usage
from fin.planning.plan import Footprint
from fin.planning.problem import MIN_MILLICORES, Link, Node, Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Layout:
    """The part of a system that does not change with its load.

    Vertices of ``graph`` are node names in the order of their index, with the attribute
    ``node``; its edges have the attribute ``link``. Arrays of links have the shape of
    ``heads``.
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
    def flops_per_millicore(self) -> Floats:
        """Speed of a millicore of each node, FLOP/s."""
        return np.array([node.flops_per_millicore for node in self.nodes], dtype=np.float64)

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
            degree = len(self.graph[name])
            columns[tail, self.heads[tail, :degree]] = np.arange(degree)
        return columns

    @cached_property
    def bandwidth(self) -> Floats:
        """B_l, bit/s; 0 in the padding."""
        return self._of_links("bandwidth", 0.0)

    @cached_property
    def seconds_per_bit(self) -> Floats:
        """1 / B_l; infinite in the padding."""
        with np.errstate(divide="ignore", over="ignore"):
            return 1.0 / self.bandwidth

    @cached_property
    def rtt(self) -> Floats:
        """Round-trip times, seconds; infinite in the padding."""
        return self._of_links("rtt", np.inf)

    @cached_property
    def joules_per_bit(self) -> Floats:
        """g_l; infinite in the padding."""
        return self._of_links("joules_per_bit", np.inf)

    def _of_links(self, attribute: str, padding: float) -> Floats:
        values = np.full(self.heads.shape, padding)
        for tail, name in enumerate(self.graph):
            links = [edge["link"] for edge in self.graph[name].values()]
            values[tail, : len(links)] = [getattr(link, attribute) for link in links]
        return values


@dataclass(frozen=True, eq=False)
class System:
    """What is left of a system, as arrays over its nodes and, shaped as ``heads``, its links.

    Attributes
    ----------
    unreserved
        Millicores that nothing has reserved, shape (nodes,).
    memory, pods
        Bytes and pods that each node still takes, shape (nodes,).
    egress, ingress
        Bit/s that each node's interfaces still send and receive; infinite where there is
        no limit, shape (nodes,).
    link_load
        Bit/s of load that each link itself still takes; 0 in the padding.
    """

    layout: Layout
    unreserved: Floats
    memory: Floats
    pods: Floats
    egress: Floats
    ingress: Floats
    link_load: Floats

    @property
    def graph(self) -> "nx.DiGraph[str]":
        """The system graph: nodes and links."""
        return self.layout.graph

    @property
    def utilisation(self) -> float:
        """The share of a reservation, and of a link, that load may fill (rho)."""
        return self.layout.utilisation

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Nodes by index."""
        return self.layout.nodes

    @property
    def index(self) -> dict[str, int]:
        """Index of each node."""
        return self.layout.index

    @property
    def joules_per_flop(self) -> Floats:
        """Energy per operation of each node (e_n)."""
        return self.layout.joules_per_flop

    @property
    def heads(self) -> Ints:
        """Out-neighbours of each node, padded with the node itself."""
        return self.layout.heads

    @property
    def columns(self) -> Ints:
        """Column of ``heads`` with the link of each pair of nodes; -1 where there is none."""
        return self.layout.columns

    @property
    def seconds_per_bit(self) -> Floats:
        """1 / B_l; infinite in the padding."""
        return self.layout.seconds_per_bit

    @property
    def rtt(self) -> Floats:
        """Round-trip times, seconds; infinite in the padding."""
        return self.layout.rtt

    @property
    def joules_per_bit(self) -> Floats:
        """g_l; infinite in the padding."""
        return self.layout.joules_per_bit

    @cached_property
    def millicores(self) -> Floats:
        """Millicores left of each node; 0 where fewer than the least reservation are left."""
        return np.asarray(np.where(self.unreserved >= MIN_MILLICORES, self.unreserved, 0.0))

    @cached_property
    def speed(self) -> Floats:
        """FLOP/s left of each node."""
        return np.asarray(self.millicores * self.layout.flops_per_millicore)

    @cached_property
    def load(self) -> Floats:
        """Bit/s that each link still takes, its ends' interfaces included, shaped as ``heads``."""
        ends = np.minimum(self.egress[:, None], self.ingress[self.heads])
        return np.asarray(np.minimum(self.link_load, ends))

    def column(self, tail: int, head: int) -> int:
        """Column of ``heads`` in which the link from ``tail`` to ``head`` stands."""
        return int(self.columns[tail, head])

    def load_of(self, tail: int, head: int) -> float:
        """Bit/s of load that one link itself still takes."""
        return float(self.link_load[tail, self.column(tail, head)])

    def less(self, used: Usage, sign: int = 1) -> "System":
        """What is left when ``used`` is taken away; with ``sign`` -1, when it is given back."""
        link_load = self.link_load.copy()
        for (tail, head), load in used.traffic.items():
            if self.graph.has_edge(tail, head):
                at = self.index[tail], self.index[head]
                link_load[at[0], self.column(*at)] -= sign * load
        return System(
            self.layout,
            self.unreserved - sign * self._of_nodes(used.millicores),
            self.memory - sign * self._of_nodes(used.memory),
            self.pods - sign * self._of_nodes(used.segments),
            self.egress - sign * self._of_nodes(used.egress),
            self.ingress - sign * self._of_nodes(used.ingress),
            link_load,
        )

    def _of_nodes(self, amounts: Mapping[str, float]) -> Floats:
        values = np.zeros(len(self.nodes))
        for name, amount in amounts.items():
            if name in self.index:
                values[self.index[name]] = amount
        return values


def empty_system(problem: Problem) -> System:
    """Build the system graph of ``problem``, with nothing deployed."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    nodes = sorted(problem.nodes, key=_by_name)
    for node in nodes:
        graph.add_node(node.name, node=node)
    for link in sorted(problem.links, key=_by_ends):
        graph.add_edge(link.source, link.target, link=link)
    rho = problem.utilisation
    layout = Layout(graph, rho)
    return System(
        layout,
        unreserved=np.array([node.millicores for node in nodes], dtype=np.float64),
        memory=np.array([node.memory for node in nodes], dtype=np.float64),
        pods=np.array([node.pods for node in nodes], dtype=np.float64),
        egress=np.array([_limit(node.egress, rho) for node in nodes], dtype=np.float64),
        ingress=np.array([_limit(node.ingress, rho) for node in nodes], dtype=np.float64),
        link_load=rho * layout.bandwidth,
    )


def system_left(problem: Problem, taken: Iterable[Footprint] = ()) -> System:
    """Build the system of ``problem`` less what deployments have ``taken``."""
    return empty_system(problem).less(usage(taken))


def _limit(rate: float | None, rho: float) -> float:
    return float("inf") if rate is None else rho * rate


def _by_name(node: Node) -> str:
    return node.name


def _by_ends(link: Link) -> tuple[str, str]:
    return link.source, link.target
