"""Whether a segment's memory grows with the requests that it has served."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

from fin.segment.exits import ExitRule
from tests.helpers.networks import network
from tests.helpers.segments import LOOPBACK, MODEL, Fleet, Segment, request

REQUESTS, CLIENTS, LOOKS = 100_000, 4, 10


def lines() -> Iterator[str]:
    """Send requests to the first of two segments; one line, with the memory of both (MB)."""
    model = network([ExitRule(0.7), ExitRule()])
    body = request(model.batch(4))
    with (
        tempfile.TemporaryDirectory() as place,
        Fleet(model, Path(place), [(0, [0]), (1, [1])]) as fleet,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        seen = [_memory(fleet)]
        for _ in range(LOOKS):
            each = REQUESTS // LOOKS // CLIENTS
            for done in [pool.submit(_ask, fleet.entry, body, each) for _ in range(CLIENTS)]:
                done.result()
            seen.append(_memory(fleet))
    yield f"| {REQUESTS} | {'; '.join(' + '.join(map(str, each)) for each in seen)} |"


def _ask(segment: Segment, body: bytes, times: int) -> None:
    connection = HTTPConnection(LOOPBACK, segment.http)
    for _ in range(times):
        connection.request("POST", f"/v2/models/{MODEL}/infer", body)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()


def _memory(fleet: Fleet) -> list[int]:
    return [round(s.metric("process_resident_memory_bytes") / 1e6) for s in fleet.segments]
