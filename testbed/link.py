"""A link between two nodes that are one machine in truth: TCP, with its time and its rate.

Run as a program, on its own: `python -I -S link.py PORT TARGET RTT RATE` forwards a port of the
loopback to another one. What is sent arrives half a round trip later (RTT in seconds), and no
faster than RATE bits per second; each connection has the whole rate.
"""

import contextlib
import socket
import sys
import threading
import time
from queue import SimpleQueue
from typing import NoReturn

_ADDRESS = "127.0.0.1"
_CHUNK = 1 << 16
_BITS = 8


def serve(port: int, target: int, rtt: float, rate: float) -> NoReturn:
    """Forward connections for as long as the process lives."""
    listener = socket.create_server((_ADDRESS, port))
    while True:
        near, _ = listener.accept()
        threading.Thread(target=_join, args=(near, target, rtt / 2, rate), daemon=True).start()


def _join(near: socket.socket, target: int, delay: float, rate: float) -> None:
    """Carry both directions of a connection until both have ended."""
    with near, contextlib.suppress(OSError), socket.create_connection((_ADDRESS, target)) as far:
        carriers = []
        for source, sink in ((near, far), (far, near)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            under_way: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
            carriers += [
                threading.Thread(target=_take, args=(source, under_way, delay, rate), daemon=True),
                threading.Thread(target=_deliver, args=(sink, under_way), daemon=True),
            ]
        for carrier in carriers:
            carrier.start()
        for carrier in carriers:
            carrier.join()


def _take(
    source: socket.socket, under_way: SimpleQueue[tuple[float, bytes]], delay: float, rate: float
) -> None:
    """Note of each piece when it has arrived; an empty one is the end."""
    free = 0.0
    data = b" "
    while data:
        data = b""
        with contextlib.suppress(OSError):
            data = source.recv(_CHUNK)
        free = max(free, time.monotonic()) + _BITS * len(data) / rate
        under_way.put((free + delay, data))


def _deliver(sink: socket.socket, under_way: SimpleQueue[tuple[float, bytes]]) -> None:
    with contextlib.suppress(OSError):
        while True:
            due, data = under_way.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            sink.sendall(data)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
