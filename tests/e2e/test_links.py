"""Links between nodes: as slow as a topology says, shared by the ways that cross them.

These make networks of their own, of which a machine has one at a time: see conftest.py for their
place before the tests of the session's cluster, which keeps its network until the end.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from testbed import cache
from testbed.nodes import network
from testbed.nodes.links import Links, ShapedLink
from testbed.nodes.network import NodeNetwork, bytes_sent
from testbed.process import ProcessGroup
from tests.e2e.conftest import skip_unless_nodes_run

A, B, C = (NodeNetwork(name, index) for index, name in enumerate(("a", "b", "c")))

SERVER = """
import socket
with socket.create_server(("0.0.0.0", 7000)) as server:
    print("listening", flush=True)
    while True:
        connection, _ = server.accept()
        with connection:
            while connection.recv(1 << 16):
                pass
            connection.sendall(b"!")
"""

CLIENT = """
import socket, sys, time
begin = time.monotonic()
with socket.create_connection((sys.argv[1], 7000), timeout=30) as connection:
    connected = time.monotonic()
    connection.sendall(bytes(int(sys.argv[2])))
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(1) == b"!"
    print(connected - begin, time.monotonic() - connected)
"""


def both(one: NodeNetwork, other: NodeNetwork, bandwidth: float, rtt: float) -> list[ShapedLink]:
    ends = (one.name, other.name), (other.name, one.name)
    return [ShapedLink(source, target, bandwidth, rtt) for source, target in ends]


@contextmanager
def shaped(*links: ShapedLink) -> Iterator[Links]:
    """A network of three nodes with these links, for as long as it lasts."""
    skip_unless_nodes_run()
    processes = ProcessGroup("fin-links-")
    with cache.only_one("nodes"):
        try:
            network.set_up((A, B, C))
            yield Links((A, B, C), links, processes)
        finally:
            processes.close()
            network.tear_down()


@pytest.fixture(autouse=True)
def _here(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--kubeconfig", None):
        pytest.skip("links are the testbed's, and so is the network that they are made in")


@pytest.fixture
def links() -> Iterator[Links]:
    """A line: a - b - c."""
    with shaped(*both(A, B, 20e6, 0.04), *both(B, C, 1e9, 0.01)) as made:
        yield made


@contextmanager
def listening(node: NodeNetwork) -> Iterator[None]:
    command = ["ip", "netns", "exec", node.namespace, sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stdout.readline() == "listening\n"
        try:
            yield
        finally:
            server.kill()


def send(source: NodeNetwork, address: str, size: int) -> tuple[float, float]:
    """Seconds to connect, and to send so many bytes and be answered."""
    command = ["ip", "netns", "exec", source.namespace, sys.executable, "-c", CLIENT]
    done = subprocess.run(
        [*command, address, str(size)], capture_output=True, text=True, check=True, env=os.environ
    )
    connecting, sending = map(float, done.stdout.split())
    return connecting, sending


def test_packets_take_the_links_time(links: Links) -> None:
    with listening(B):
        before = bytes_sent(A)
        connecting, sending = send(A, B.carried, 2_000_000)
    assert 0.04 <= connecting < 0.08
    # 16 Mbit over 20 Mbit/s.
    assert 0.8 < sending < 1.3
    assert bytes_sent(A) - before > 2_000_000


def test_a_way_over_two_links_takes_the_time_of_both(links: Links) -> None:
    with listening(C):
        connecting, _ = send(A, C.carried, 1)
        assert 0.05 <= connecting < 0.09
        connecting, _ = send(B, C.carried, 1)
        assert 0.01 <= connecting < 0.04


def test_a_link_may_become_slower(links: Links) -> None:
    with listening(B):
        assert send(A, B.carried, 1)[0] < 0.12
        links.change("b", "a", bandwidth=20e6, rtt=0.2)
        assert 0.2 <= send(A, B.carried, 1)[0] < 0.3


def test_what_has_no_way_takes_the_cable() -> None:
    """Other pairs are not held up."""
    with shaped(*both(A, B, 20e6, 0.04)), listening(C):
        assert send(A, C.address, 1)[0] < 0.04
