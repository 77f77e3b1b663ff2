"""The network of the nodes: a bridge, a namespace for each node, and routes to their pods."""

import ipaddress
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from testbed.errors import CommandError

BRIDGE = "fin-nodes"
"""The bridge's name: a machine has one such network at a time."""

GATEWAY = "10.88.0.1"
"""The bridge's address, where the API server listens."""

PODS = "10.244.0.0/16"
"""All pods' addresses; each node has a /24 of them."""

DEVICE = "links"
"""In a node's namespace, the device of its links to other nodes, where these are shaped."""

PREFIX = "fin-"
"""How the names of everything begin that belongs to nodes."""

_FIRST = 11


@dataclass(frozen=True, slots=True)
class NodeNetwork:
    """One node's place in the network; ``index`` counts from 0."""

    name: str
    index: int

    @property
    def address(self) -> str:
        """The node's own address."""
        return f"10.88.0.{_FIRST + self.index}"

    @property
    def carried(self) -> str:
        """The node's own address on its links to other nodes, where these are shaped."""
        return f"10.87.0.{_FIRST + self.index}"

    @property
    def pods(self) -> str:
        """The addresses of the node's pods."""
        return f"10.244.{self.index + 1}.0/24"

    @property
    def namespace(self) -> str:
        """The network namespace, as `ip netns` calls it."""
        return f"{PREFIX}{self.name}"

    @property
    def link(self) -> str:
        """The bridge's end of the node's cable."""
        return f"{PREFIX}{self.index}"

    @property
    def tunnel(self) -> str:
        """What the device of its shaped links is called until it is the node's."""
        return f"{PREFIX}links-{self.index}"


def set_up(nodes: Sequence[NodeNetwork]) -> None:
    """Make the bridge and the nodes' namespaces; what an earlier one left goes first.

    Raises
    ------
    CommandError
        The kernel or its configuration does not allow it.
    """
    tear_down()
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("address", "add", f"{GATEWAY}/24", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")
    for node in nodes:
        _plug_in(node)
    for node in nodes:
        _ip("route", "add", node.pods, "via", node.address, "dev", BRIDGE)
        for other in nodes:
            if other is not node:
                _inside(node, "route", "add", other.pods, "via", other.address)


def _plug_in(node: NodeNetwork) -> None:
    _ip("netns", "add", node.namespace)
    peer = f"{node.link}-peer"
    _ip("link", "add", node.link, "type", "veth", "peer", "name", peer)
    _ip("link", "set", node.link, "master", BRIDGE, "up")
    _ip("link", "set", peer, "netns", node.namespace, "name", "eth0")
    _inside(node, "link", "set", "lo", "up")
    _inside(node, "address", "add", f"{node.address}/24", "dev", "eth0")
    _inside(node, "link", "set", "eth0", "up")
    _inside(node, "route", "add", "default", "via", GATEWAY)
    _sysctl(node, "net.ipv4.ip_forward=1")


def attach(node: NodeNetwork, others: Sequence[NodeNetwork]) -> None:
    """Give a node the device of its shaped links, and send by it what is for other nodes' pods."""
    _ip("link", "set", node.tunnel, "netns", node.namespace, "name", DEVICE)
    _inside(node, "address", "add", f"{node.carried}/32", "dev", DEVICE)
    _inside(node, "link", "set", DEVICE, "up")
    for other in others:
        for network in (other.pods, f"{other.carried}/32"):
            _inside(node, "route", "replace", network, "dev", DEVICE)


def cut(node: NodeNetwork) -> None:
    """Take a node off the network, as if its cable were pulled."""
    _ip("link", "set", node.link, "down")


def mend(node: NodeNetwork) -> None:
    """Put a node back on the network."""
    _ip("link", "set", node.link, "up")


def tear_down() -> None:
    """Remove the bridge, the namespaces and all links, as far as there are any."""
    for line in _run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        if name.startswith(PREFIX):
            _run("ip", "netns", "delete", name)
    for line in _run("ip", "-oneline", "link", "show").splitlines():
        name = line.split(": ")[1].partition("@")[0]
        if name.startswith(PREFIX):
            subprocess.run(["ip", "link", "delete", name], capture_output=True, check=False)


def bytes_sent(node: NodeNetwork) -> int:
    """How many bytes a node has sent to others so far, over its cable and its shaped links."""
    counters = f"/sys/class/net/{{eth0,{DEVICE}}}/statistics/tx_bytes"
    told = _run(
        "ip", "netns", "exec", node.namespace, "bash", "-c", f"cat {counters} 2>/dev/null || true"
    )
    return sum(map(int, told.split()))


def first_address(network: str) -> str:
    """The first address of a network: the bridge's, where a node's pods are attached."""
    return str(next(ipaddress.ip_network(network).hosts()))


def _sysctl(node: NodeNetwork, setting: str) -> None:
    _run("ip", "netns", "exec", node.namespace, "sysctl", "--quiet", "--write", setting)


def _inside(node: NodeNetwork, *arguments: str) -> None:
    _run("ip", "-netns", node.namespace, *arguments)


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*argv: str) -> str:
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    if result.returncode:
        raise CommandError(result)
    return result.stdout
