"""A measured link as a NetworkTopology."""

from typing import Any

from fin.api import names
from fin.api.duration import Duration
from fin.api.networktopology import NetworkTopology
from fin.api.parsing import parse
from fin.api.quantity import Quantity
from fin.profiling.link import Link

_ALIKE = 0.1
"""Share by which two directions may differ and still be one rule."""


def network_topology(first: str, second: str, link: Link, energy_per_bit: str) -> dict[str, Any]:
    """Return a NetworkTopology with the links between two nodes.

    Parameters
    ----------
    first, second
        The nodes' names: this side, and the other.
    link
        What was measured. Where both directions are much alike, the slower stands for both.
    energy_per_bit
        Joules to move a bit, a quantity.

    Raises
    ------
    InvalidObject
        If a node can't have that name, or the energy is no quantity.
    """
    slower, faster = sorted((link.there, link.back))
    if faster - slower <= _ALIKE * faster:
        links = [_rule(first, second, slower, link.rtt, energy_per_bit)]
    else:
        links = [
            {**_rule(first, second, link.there, link.rtt, energy_per_bit), "directed": True},
            {**_rule(second, first, link.back, link.rtt, energy_per_bit), "directed": True},
        ]
    found = {
        "apiVersion": names.API_VERSION,
        "kind": names.NETWORK_TOPOLOGY,
        "metadata": {"name": f"{first}-{second}"[:253].rstrip("-.")},
        "spec": {"links": links},
    }
    parse(NetworkTopology, found)
    return found


def _rule(source: str, target: str, bandwidth: float, rtt: float, energy: str) -> dict[str, Any]:
    return {
        "from": {"nodeName": source},
        "to": {"nodeName": target},
        "bandwidth": str(Quantity.of(bandwidth)),
        "rtt": str(Duration.of(rtt)),
        "energyPerBit": energy,
    }
