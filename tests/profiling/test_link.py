"""Links, measured on loopback."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from fin.api.networktopology import NetworkTopology
from fin.api.parsing import InvalidObject, parse
from fin.profiling import link
from fin.profiling.errors import ProfileError
from fin.profiling.link import Link, Listener
from fin.profiling.topology import network_topology


@pytest.fixture
def port() -> Iterator[int]:
    listener = Listener("127.0.0.1", 0)
    thread = threading.Thread(target=listener.serve)
    thread.start()
    yield listener.port
    listener.close()
    thread.join(10)
    assert not thread.is_alive()


def test_loopback_is_fast_both_ways(port: int) -> None:
    told: list[str] = []
    found = link.measure("127.0.0.1", port, 0.3, lambda what, _: told.append(what))
    assert 1e-6 < found.rtt < 0.1
    assert 1e7 < found.there < 1e13
    assert 1e7 < found.back < 1e13
    assert set(told) == {"round-trip time", "bandwidth"}


def test_several_may_measure_one_after_the_other(port: int) -> None:
    for _ in range(2):
        assert link.measure("localhost", port, 0.1).there > 0


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack("!8scd", b"finlink1", b"X", 1.0),
        struct.pack("!8scd", b"finlink1", b"F", 1e9),
        struct.pack("!8scd", b"finlink1", b"F", float("nan")),
        b"fin",
    ],
)
def test_others_are_sent_away_and_the_listener_goes_on(port: int, request_: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request_)
        # The listener may have reset the connection before this end closes its half.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        assert _all_of(connection) == b""
    assert link.measure("127.0.0.1", port, 0.1).there > 0


def _all_of(connection: socket.socket) -> bytes:
    try:
        return connection.recv(100)
    except ConnectionResetError:
        return b""


def test_nobody_listening_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ProfileError, match=f"127.0.0.1:{port}: .*does `fin profile link --listen`"):
        link.measure("127.0.0.1", port, 0.1)


def test_a_name_that_is_no_machine_is_said() -> None:
    with pytest.raises(ProfileError, match=r"nowhere\.invalid:1: "):
        link.measure("nowhere.invalid", 1, 0.1)


def test_another_server_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].close()).start()
        with pytest.raises(ProfileError, match="does `fin profile link --listen` run there"):
            link.measure("127.0.0.1", server.getsockname()[1], 0.1)


def test_an_address_that_is_taken_is_said(port: int) -> None:
    with pytest.raises(ProfileError, match=f"can't listen at 127.0.0.1:{port}: Address already"):
        Listener("127.0.0.1", port)


def test_a_transfer_has_an_end() -> None:
    with pytest.raises(ProfileError, match="for 60 s at most"):
        link.measure("127.0.0.1", 1, 61)


def test_directions_that_are_alike_are_one_rule_of_the_slower() -> None:
    found = network_topology("cam-1", "edge-0", Link(4.2e-3, 95e6, 100e6), "50n")
    assert found["metadata"]["name"] == "cam-1-edge-0"
    (rule,) = parse(NetworkTopology, found).spec.links
    assert (rule.from_.node_name, rule.to.node_name) == ("cam-1", "edge-0")
    assert (float(rule.bandwidth), float(rule.rtt)) == (95e6, 4.2e-3)
    assert float(rule.energy_per_bit) == 50e-9
    assert not rule.directed


def test_directions_that_differ_are_two_rules() -> None:
    found = network_topology("a", "b", Link(1e-3, 10e6, 100e6), "0")
    up, down = parse(NetworkTopology, found).spec.links
    assert (up.from_.node_name, up.to.node_name, float(up.bandwidth)) == ("a", "b", 10e6)
    assert (down.from_.node_name, down.to.node_name, float(down.bandwidth)) == ("b", "a", 100e6)
    assert up.directed
    assert down.directed


@pytest.mark.parametrize(("name", "energy"), [("A_B", "50n"), ("a", "a lot")])
def test_what_no_topology_can_say_is_refused(name: str, energy: str) -> None:
    with pytest.raises(InvalidObject, match=r"spec\.links\[0\]"):
        network_topology(name, "b", Link(1e-3, 1e6, 1e6), energy)
