"""What a hop adds: chains of one, two and three segments that run the same small network."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import orjson

from fin.segment.exits import ExitRule
from fin.segment.rest import HEADER_LENGTH
from tests.helpers.networks import network
from tests.helpers.segments import LOOPBACK, MODEL, Fleet, Segment

CHAINS = {
    1: [(0, [0, 1, 2])],
    2: [(0, [0, 1]), (1, [2])],
    3: [(0, [0]), (1, [1]), (2, [2])],
}
"""Which segment runs which blocks, by the number of segments."""

ROUNDS, EACH, WARM = 6, 500, 300


def lines() -> Iterator[str]:
    """Ask each chain in turn, one request after the other; a line for each."""
    model = network([None, None, ExitRule()])
    batch = model.batch(1)
    tensor = {
        "name": "x", "datatype": "FP32", "shape": batch.shape,
        "parameters": {"binary_data_size": batch.nbytes},
    }  # fmt: skip
    header = orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    body, headers = header + batch.tobytes(), {HEADER_LENGTH: str(len(header))}
    taken: dict[int, list[float]] = {count: [] for count in CHAINS}
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        fleets = {
            count: stack.enter_context(Fleet(model, Path(place) / str(count), stages))
            for count, stages in CHAINS.items()
        }
        for fleet in fleets.values():
            _ask(fleet.entry, body, headers, WARM)
        for _ in range(ROUNDS):
            for count, fleet in fleets.items():
                taken[count] += _ask(fleet.entry, body, headers, EACH)
    for count, seconds in taken.items():
        median, late = np.percentile(seconds, [50, 99])
        added = median - float(np.median(taken[count - 1])) if count > 1 else None
        hop = "" if added is None else f"{1e3 * added:.2f} ms"
        yield f"| {count} | {1e3 * median:.2f} ms | {1e3 * late:.2f} ms | {hop} |"


def _ask(segment: Segment, body: bytes, headers: dict[str, str], times: int) -> list[float]:
    connection = HTTPConnection(LOOPBACK, segment.http)
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        connection.request("POST", f"/v2/models/{MODEL}/infer", body, headers)
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - start)
        assert answer.status == 200
    connection.close()
    return seconds
