"""Reads what a segment shows at ``/metrics``; nothing about its content is certain."""

from collections import defaultdict
from collections.abc import Iterable
from math import inf, isfinite
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from fin.cluster.telemetry.counts import Counts
from fin.segment.definitions import (
    ENERGY,
    ENTRY_REVISION,
    REQUEST_SECONDS,
    REQUESTS,
    ROUTES_LOADED,
    SAMPLES,
)

_CLIENTS: Final = frozenset({"rest", "grpc"})
_USED: Final = tuple(
    each.name for each in (ENERGY, REQUEST_SECONDS, REQUESTS, ROUTES_LOADED, SAMPLES)
)

_MOST: Final = 1e15
"""No counter of a segment comes to more: what does is no count."""


class UnreadableError(ValueError):
    """What a segment shows is not what a segment shows."""


def read_counts(text: str) -> Counts:
    """Return what a segment has counted since it started.

    Raises
    ------
    UnreadableError
        Where it can't be read, or a count is none.
    """
    # A parser of everything would take most of its time for what is not used.
    lines = [line for line in text.splitlines() if line.startswith(_USED)]
    # Every segment shows it from the start; another image may have nothing to do with us.
    if not any(line.startswith(ROUTES_LOADED.name) for line in lines):
        raise UnreadableError(f"not the metrics of a segment: no {ROUTES_LOADED.name}")
    try:
        samples = [
            sample
            for family in text_string_to_metric_families("\n".join(lines))
            for sample in family.samples
        ]
        return _counts(samples)
    except (ValueError, KeyError, IndexError) as error:
        raise UnreadableError(f"not the metrics of a segment: {error}") from error


def read_revision(text: str) -> str:
    """Return the revision that requests follow which enter at a segment; empty where none do.

    Raises
    ------
    UnreadableError
        Where it can't be read.
    """
    lines = [line for line in text.splitlines() if line.startswith(ENTRY_REVISION.name)]
    try:
        for family in text_string_to_metric_families("\n".join(lines)):
            for sample in family.samples:
                return sample.labels["revision"]
    except (ValueError, KeyError, IndexError) as error:
        raise UnreadableError(f"not the metrics of a segment: {error}") from error
    return ""


def _counts(samples: Iterable[Sample]) -> Counts:
    exits: dict[str, float] = defaultdict(float)
    cumulated: dict[float, float] = defaultdict(float)
    asked = served = latency = joules = 0.0
    for sample in samples:
        name, labels, value = sample.name, sample.labels, sample.value
        if not 0 <= value <= _MOST:
            raise UnreadableError(f"{name} is {value}")
        if name == SAMPLES.name:
            exits[labels["exit"]] += value
        elif name == ENERGY.name:
            joules += value
        elif name == REQUESTS.name and labels["protocol"] in _CLIENTS:
            asked += value if _is_load(labels["code"]) else 0.0
            served += value if labels["code"] == "200" else 0.0
        elif labels.get("origin") == "client" and name == f"{REQUEST_SECONDS.name}_sum":
            latency += value
        elif labels.get("origin") == "client" and name == f"{REQUEST_SECONDS.name}_bucket":
            cumulated[float(labels["le"])] += value
    return Counts(0.0, dict(exits), asked, served, latency, _each(cumulated), joules)


def _is_load(code: str) -> bool:
    """Whether a request counts as load: not one that was the client's mistake."""
    return not code.startswith("4") or code == "429"


def _each(cumulated: dict[float, float]) -> dict[float, float]:
    """Turn a histogram's cumulated counts into those of each bucket."""
    found, below = {}, 0.0
    for bound in sorted(cumulated):
        if bound < 0 or not (isfinite(bound) or bound == inf):
            raise UnreadableError(f"a bucket up to {bound} s")
        found[bound] = max(cumulated[bound] - below, 0.0)
        below = cumulated[bound]
    return found
