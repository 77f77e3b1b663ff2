"""A chain of two segments that the tests of the protocol share."""

from collections.abc import Iterator

import pytest

from fin.segment.exits import ExitRule
from tests.helpers.networks import network
from tests.helpers.segments import Fleet


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two segments: one exit in the first, two in the second."""
    rules = [ExitRule(0.7), None, ExitRule(0.7), ExitRule()]
    with Fleet(
        network(rules), tmp_path_factory.mktemp("pair"), [(0, [0, 1]), (1, [2, 3])],
        {"requestBytes": 100_000, "drainSeconds": 60},
    ) as fleet:  # fmt: skip
        yield fleet
