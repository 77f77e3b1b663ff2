"""Bandwidth and round-trip time between two machines, over TCP.

One side listens, the other connects once for each test: a byte says which one. Whoever receives
counts, and leaves out the beginning, in which TCP is still finding its speed.
"""

import contextlib
import socket
import statistics
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from fin.profiling.errors import ProfileError
from fin.profiling.progress import Progress, silent

_ECHO, _TO_LISTENER, _FROM_LISTENER = b"E", b"T", b"F"
_HELLO = b"finlink1"
"""What a connection begins with: another protocol's client is sent away."""

_REQUEST = struct.Struct("!8scd")
_RESULT = struct.Struct("!Qd")
_CHUNK = 1 << 17
_PINGS, _WARM_UP_PINGS = 100, 5
_WARM_UP = 0.25
"""Share of the time that is left out at the beginning of a transfer."""

LONGEST = 60.0
"""Seconds that a transfer may take, whatever the other side asks for."""

_PATIENCE = 10.0
"""Seconds without any byte after which the other side is given up."""


@dataclass(frozen=True, slots=True)
class Link:
    """What was measured between this side and the other.

    Attributes
    ----------
    rtt
        Round-trip time, in seconds: the median of many.
    there, back
        Bandwidth to the other side and from it, in bit/s.
    """

    rtt: float
    there: float
    back: float


def measure(host: str, port: int, seconds: float, progress: Progress = silent) -> Link:
    """Measure the way to a machine that listens, and the way back.

    Parameters
    ----------
    host, port
        Where it listens.
    seconds
        How long each direction is measured; at most ``LONGEST``.
    progress
        Told how far it is.

    Raises
    ------
    ProfileError
        If nobody listens there, it is not this program, or it would take too long.
    """
    if seconds > LONGEST:
        raise ProfileError(f"a direction can be measured for {LONGEST:g} s at most")
    try:
        progress("round-trip time", 0)
        with _connection(host, port, _ECHO, 0) as connection:
            times = [_ping(connection) for _ in range(_WARM_UP_PINGS + _PINGS)]
        progress("round-trip time", 1)
        progress("bandwidth", 0)
        with _connection(host, port, _TO_LISTENER, seconds) as connection:
            _send(connection, seconds)
            there = _rate(*_RESULT.unpack(_exactly(connection, _RESULT.size)))
        progress("bandwidth", 0.5)
        with _connection(host, port, _FROM_LISTENER, seconds) as connection:
            back = _rate(*_receive(connection, seconds))
        progress("bandwidth", 1)
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise ProfileError(
            f"{host}:{port}: {reason}: does `fin profile link --listen` run there?"
        ) from error
    return Link(statistics.median(times[_WARM_UP_PINGS:]), there, back)


class Listener:
    """The side that waits for the other; a context manager that stops listening at its end.

    Parameters
    ----------
    host, port
        Where to listen; port 0 takes a free one.
    """

    def __init__(self, host: str, port: int) -> None:
        """Begin to listen.

        Raises
        ------
        ProfileError
            If that address can't be listened at.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            raise ProfileError(f"can't listen at {host}:{port}: {error.strerror}") from error
        self.port: int = self._socket.getsockname()[1]

    def serve(self) -> None:
        """Answer whoever connects, each in a thread of its own, until it is closed."""
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=_answer, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _answer(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(_PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello, what, seconds = _REQUEST.unpack(_exactly(connection, _REQUEST.size))
        if hello != _HELLO or not 0 <= seconds <= LONGEST:
            return
        if what == _ECHO:
            for _ in range(_WARM_UP_PINGS + _PINGS):
                connection.sendall(_exactly(connection, 1))
        elif what == _TO_LISTENER:
            connection.sendall(_RESULT.pack(*_receive(connection, seconds)))
        elif what == _FROM_LISTENER:
            _send(connection, seconds)


@contextlib.contextmanager
def _connection(host: str, port: int, what: bytes, seconds: float) -> Iterator[socket.socket]:
    with socket.create_connection((host, port), timeout=_PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(_REQUEST.pack(_HELLO, what, seconds))
        yield connection


def _ping(connection: socket.socket) -> float:
    begin = time.perf_counter()
    connection.sendall(b".")
    _exactly(connection, 1)
    return time.perf_counter() - begin


def _send(connection: socket.socket, seconds: float) -> None:
    """Send as fast as it goes for so long, then no more."""
    chunk = bytes(_CHUNK)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        connection.sendall(chunk)
    connection.shutdown(socket.SHUT_WR)


def _receive(connection: socket.socket, seconds: float) -> tuple[int, float]:
    """Receive all that comes; return the bytes after the beginning, and how long they took."""
    buffer = bytearray(_CHUNK)
    begin = time.perf_counter()
    counted, since, last = 0, begin, begin
    while (size := connection.recv_into(buffer)) and last - begin <= 2 * LONGEST:
        last = time.perf_counter()
        if last - begin < _WARM_UP * seconds:
            since = last
        else:
            counted += size
    return counted, last - since


def _rate(count: int, seconds: float) -> float:
    if count <= 0 or seconds <= 0:
        raise ProfileError("too little came through to tell a bandwidth: measure longer")
    return 8 * count / seconds


def _exactly(connection: socket.socket, count: int) -> bytes:
    """Receive so many bytes."""
    found = b""
    while len(found) < count:
        part = connection.recv(count - len(found))
        if not part:
            raise ConnectionError("the other side hung up")
        found += part
    return found
