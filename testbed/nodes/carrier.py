"""A program that carries packets between nodes as slowly as the links of a topology would.

Each node has a TUN device whose other end is here. A packet waits its turn on each link of its
way, takes its size over the link's bandwidth, then half the link's round-trip time. The kernel's
own delay (netem) is missing on many machines, and a queue for each pair of nodes could not be
shared by pairs whose ways have a link in common.

Run as ``python carrier.py CONFIG``; on SIGHUP it reads CONFIG again, and packets that arrive from
then on are carried as it says.
"""

import fcntl
import heapq
import ipaddress
import itertools
import json
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_DESTINATION = slice(16, 20)
"""Where IPv4 has the destination's address."""
_LARGEST, _BURST = 65536, 64
_QUEUE = 1.0
"""Seconds that a packet waits for a link at most; one that would have to wait longer is lost."""


@dataclass(slots=True)
class _Link:
    """A directed link; ``free`` is when the last packet on it has left."""

    bandwidth: float
    rtt: float
    free: float = 0.0


class _Carrier:
    def __init__(self, path: Path) -> None:
        self._path = path
        config = json.loads(path.read_text())
        self._devices = {name: _open(each["device"]) for name, each in config["nodes"].items()}
        self._networks = [
            (ipaddress.ip_network(network), name)
            for name, each in config["nodes"].items()
            for network in each["networks"]
        ]
        self._target: dict[bytes, str | None] = {}
        self._held: list[tuple[float, int, int, bytes]] = []
        self._count = itertools.count()
        self._use(config)

    def _use(self, config: dict[str, Any]) -> None:
        links = [_Link(each["bandwidth"], each["rtt"]) for each in config["links"]]
        self._ways = {
            (each["from"], each["to"]): [links[index] for index in each["links"]]
            for each in config["ways"]
        }

    def read_again(self) -> None:
        self._use(json.loads(self._path.read_text()))

    def run(self) -> None:
        names = {device: name for name, device in self._devices.items()}
        while True:
            wait = self._held[0][0] - time.monotonic() if self._held else None
            ready = select.select(names, (), (), wait if wait is None else max(wait, 0.0))[0]
            now = time.monotonic()
            for device in ready:
                for packet in _waiting(device):
                    self._take(names[device], packet, now)
            self._deliver(now)

    def _take(self, source: str, packet: bytes, now: float) -> None:
        """Find out when a packet arrives; it is lost where no way leads to its destination."""
        target = self._node_of(packet[_DESTINATION])
        way = self._ways.get((source, target)) if target else None
        if target is None or way is None:
            return
        at = now
        for link in way:
            if link.free - at > _QUEUE:
                return
            link.free = max(link.free, at) + 8 * len(packet) / link.bandwidth
            at = link.free + link.rtt / 2
        heapq.heappush(self._held, (at, next(self._count), self._devices[target], packet))

    def _node_of(self, address: bytes) -> str | None:
        if address not in self._target:
            found = ipaddress.ip_address(address)
            names = (name for network, name in self._networks if found in network)
            self._target[address] = next(names, None)
        return self._target[address]

    def _deliver(self, now: float) -> None:
        while self._held and self._held[0][0] <= now:
            _, _, device, packet = heapq.heappop(self._held)
            try:
                os.write(device, packet)
            except OSError:
                continue  # The node's end is down: the packet is lost, as on a cable that is cut.


def _waiting(device: int) -> Iterator[bytes]:
    """Read what waits, but not for ever while others wait too."""
    for _ in range(_BURST):
        try:
            yield os.read(device, _LARGEST)
        except BlockingIOError:
            return


def _open(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return device


def main(path: str) -> None:
    """Carry packets until killed."""
    carrier = _Carrier(Path(path))
    signal.signal(signal.SIGHUP, lambda *_: carrier.read_again())
    carrier.run()


if __name__ == "__main__":
    main(sys.argv[1])
