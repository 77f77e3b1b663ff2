"""Free ports for servers that must be told theirs."""

import random
import socket

from testbed.errors import TestbedError

# Below the ports that Linux gives to outgoing connections and those of NodePort services: a
# client that keeps asking for a stopped API server may otherwise be given its very port.
_PORTS = range(10_000, 30_000)


def free_ports(address: str, count: int) -> list[int]:
    """Give ports that are free at the moment, in random order: others look for some as well.

    Raises
    ------
    TestbedError
        There are fewer than `count`.
    """
    ports: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise TestbedError(f"{count} free ports between {_PORTS.start} and {_PORTS.stop} are needed")
