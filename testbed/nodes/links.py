"""Links between nodes as a topology has them: their bandwidth and round-trip time."""

import itertools
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import networkx as nx

from testbed.nodes.network import NodeNetwork, attach
from testbed.process import ProcessGroup, wait_for

_CARRIER = Path(__file__).with_name("carrier.py")
_PROCESS = "links"


@dataclass(frozen=True, slots=True)
class ShapedLink:
    """A directed link between nodes, with bandwidth in bit/s and round-trip time in seconds."""

    source: str
    target: str
    bandwidth: float
    rtt: float


class Links:
    """The network between pods of different nodes, over shaped links.

    Packets between two nodes take the way of least round-trip time. Where no links lead from one to
    the other, they take the unshaped cable. So does all traffic with the control plane.

    Parameters
    ----------
    nodes
        All nodes; their namespaces are there.
    links
        The links in force.
    processes
        Where the carrier of the packets runs.
    """

    def __init__(
        self, nodes: Sequence[NodeNetwork], links: Sequence[ShapedLink], processes: ProcessGroup
    ) -> None:
        self._nodes, self._links = tuple(nodes), tuple(links)
        self._config = processes.directory / "links.json"
        self._write()
        self._carrier = processes.start(
            _PROCESS, [sys.executable, "-I", "-S", str(_CARRIER), str(self._config)]
        )
        wait_for(lambda: all(_is_there(each) for each in nodes), 30, "the links' devices")
        ways = set(self._ways())
        for node in nodes:
            attach(node, [other for other in nodes if (node.name, other.name) in ways])

    def change(self, source: str, target: str, *, bandwidth: float, rtt: float) -> None:
        """Give a link, in both directions, another bandwidth and round-trip time from now on."""
        ends = {(source, target), (target, source)}
        self._links = tuple(
            replace(each, bandwidth=bandwidth, rtt=rtt)
            if (each.source, each.target) in ends
            else each
            for each in self._links
        )
        self._write()
        os.kill(self._carrier, signal.SIGHUP)

    def _write(self) -> None:
        index = {(each.source, each.target): at for at, each in enumerate(self._links)}
        config = {
            "nodes": {
                node.name: {"device": node.tunnel, "networks": [node.pods, f"{node.carried}/32"]}
                for node in self._nodes
            },
            "links": [{"bandwidth": each.bandwidth, "rtt": each.rtt} for each in self._links],
            "ways": [
                {"from": source, "to": target, "links": [index[ends] for ends in way]}
                for (source, target), way in self._ways().items()
            ],
        }
        draft = self._config.with_suffix(".new")
        draft.write_text(json.dumps(config))
        draft.replace(self._config)

    def _ways(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        graph: nx.DiGraph[str] = nx.DiGraph()
        for each in self._links:
            graph.add_edge(each.source, each.target, rtt=each.rtt)
        return dict(_least_ways(graph))


def _least_ways(
    graph: "nx.DiGraph[str]",
) -> Iterator[tuple[tuple[str, str], list[tuple[str, str]]]]:
    for source, ways in nx.all_pairs_dijkstra_path(graph, weight="rtt"):
        for target, way in ways.items():
            if target != source:
                yield (source, target), list(itertools.pairwise(way))


def _is_there(node: NodeNetwork) -> bool:
    return Path("/sys/class/net", node.tunnel).exists()
