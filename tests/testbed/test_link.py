"""A link between nodes takes its time, and changes nothing."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

import testbed.link
from testbed.components import ADDRESS
from testbed.ports import free_ports
from testbed.process import ProcessGroup, wait_for

RTT = 0.05
RATE = 8e6  # bit/s: a megabyte takes a second


@pytest.fixture
def target() -> Iterator[socket.socket]:
    with socket.create_server((ADDRESS, 0)) as server:
        yield server


@pytest.fixture
def ends(target: socket.socket) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection over a link: where it begins, and where it ends."""
    (port,) = free_ports(ADDRESS, 1)
    argv = (port, target.getsockname()[1], RTT, RATE)
    with closing(ProcessGroup("fin-test-")) as group:
        group.start("link", [sys.executable, "-I", "-S", testbed.link.__file__, *map(str, argv)])
        found: list[socket.socket] = []
        wait_for(lambda: connected(port, found), 20, "the link")
        far, _ = target.accept()
        with found[0] as near, far:
            near.settimeout(20)
            far.settimeout(20)
            yield near, far


def connected(port: int, found: list[socket.socket]) -> bool:
    try:
        found.append(socket.create_connection((ADDRESS, port)))
    except OSError:
        return False
    return True


def received(end: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = end.recv(1 << 16)
        assert piece, "ended early"
        data += piece
    return data


def test_there_and_back_takes_a_round_trip(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    begin = time.monotonic()
    near.sendall(b"question")
    assert received(far, 8) == b"question"
    there = time.monotonic() - begin
    assert there >= RTT / 2
    far.sendall(b"answer")
    assert received(near, 6) == b"answer"
    assert time.monotonic() - begin >= RTT


def test_bytes_keep_their_order_and_come_no_faster_than_the_rate(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    near, far = ends
    sent = bytes(range(256)) * 800
    begin = time.monotonic()
    near.sendall(sent)
    near.shutdown(socket.SHUT_WR)
    assert received(far, len(sent)) == sent
    assert time.monotonic() - begin >= 8 * len(sent) / RATE + RTT / 2
    assert far.recv(1) == b""  # the end goes through as well
    far.sendall(b"and the way back is open")
    assert received(near, 24) == b"and the way back is open"


def test_where_nothing_listens_the_connection_ends(target: socket.socket) -> None:
    (port, nowhere) = free_ports(ADDRESS, 2)
    argv = (port, nowhere, RTT, RATE)
    with closing(ProcessGroup("fin-test-")) as group:
        group.start("link", [sys.executable, "-I", "-S", testbed.link.__file__, *map(str, argv)])
        found: list[socket.socket] = []
        wait_for(lambda: connected(port, found), 20, "the link")
        with found[0] as near:
            near.settimeout(20)
            assert near.recv(1) == b""
