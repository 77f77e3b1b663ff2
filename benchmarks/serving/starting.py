"""How long a segment takes from its start until it is ready."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fin.segment.exits import ExitRule
from tests.helpers.networks import network
from tests.helpers.segments import Fleet

TIMES = 7


def lines() -> Iterator[str]:
    """Start a segment several times, one after the other; one line."""
    seconds = []
    for _ in range(TIMES):
        with tempfile.TemporaryDirectory() as place:
            fleet = Fleet(network([ExitRule()]), Path(place), [(0, [0])])
            start = time.perf_counter()
            with fleet:
                seconds.append(time.perf_counter() - start)
    yield f"| {statistics.median(seconds):.2f} s | {max(seconds):.2f} s |"
