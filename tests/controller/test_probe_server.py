"""The probes, over HTTP."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from fin.controller.probes import ProbeServer, parse_address


@pytest.fixture
def wrong() -> list[str]:
    return []


@pytest.fixture
def server(wrong: list[str]) -> Iterator[ProbeServer]:
    server = ProbeServer("127.0.0.1:0", {"/livez": list, "/readyz": lambda: wrong})
    yield server
    server.close()


def get(server: ProbeServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_all_is_well(server: ProbeServer) -> None:
    assert get(server, "/livez") == (200, "ok\n")
    assert get(server, "/readyz?verbose") == (200, "ok\n")


def test_what_is_wrong_is_told(server: ProbeServer, wrong: list[str]) -> None:
    wrong += ["the first round is not done", "the watches are dead"]
    assert get(server, "/readyz") == (503, "the first round is not done\nthe watches are dead\n")
    assert get(server, "/livez") == (200, "ok\n")
    wrong.clear()
    assert get(server, "/readyz") == (200, "ok\n")


def test_other_paths_are_not_there(server: ProbeServer) -> None:
    assert get(server, "/metrics") == (404, "not found: try /livez, /readyz\n")


@pytest.mark.parametrize(
    ("address", "parsed"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        (":8081", ("0.0.0.0", 8081)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_addresses(address: str, parsed: tuple[str, int]) -> None:
    assert parse_address(address) == parsed


@pytest.mark.parametrize("address", ["", "8080", "host:", "host:http", "host:65536", "host:-1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        parse_address(address)
