"""What counts tell: rate, latency, exit shares and power."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, isfinite
from typing import Final

from fin.cluster.telemetry.counts import Counts
from fin.cluster.telemetry.pace import LEAST

_QUANTILE: Final = 0.99

_KEPT: Final = 2 * LEAST
"""Requests that do not fade, and for how many time constants."""
_LONGEST: Final = 60
_ANY: Final = 1e-6
"""Requests that are none: what has faded further than this has no ratios."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds that requests took at the entry."""

    mean: float
    p99: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What was observed of an app.

    Attributes
    ----------
    seconds, requests
        What it rests on: the time, and the requests that were served in it (both faded).
    batch
        Samples of a request.
    rate
        Inferences per second that clients ask for: as many samples are taken to be in those
        that were refused or failed as in the others.
    power
        Modelled watts of what ran.
    latency, shares
        Times, and the share of the samples that left at each exit; None of too few requests.
    """

    seconds: float
    requests: float
    batch: float
    rate: float
    power: float
    latency: Latency | None
    shares: Mapping[str, float] | None


def faded(counts: Counts, seconds: float, smoothing: float) -> Counts:
    """Let counts fade exponentially, but not below what a verdict needs.

    An app with few requests is observed over a longer time instead, up to a limit: what is long
    ago says little, and a rate that rises again after a silence has to be seen.

    Parameters
    ----------
    counts
        What was counted so far.
    seconds
        For how long it fades.
    smoothing
        The time constant, s.
    """
    factor = exp(-seconds / smoothing)
    if counts.seconds < _LONGEST * smoothing:
        factor = max(factor, min(1.0, _KEPT / max(counts.served, 1.0)))
    return counts.scaled(factor)


def seen(counts: Counts, exits: Iterable[str]) -> Seen:
    """Return what counts over more than 0 s tell.

    Parameters
    ----------
    counts
        Sums, faded or not.
    exits
        The exits that are deployed; others are not looked at.
    """
    samples = {name: counts.samples.get(name, 0.0) for name in exits}
    total = sum(samples.values())
    batch = total / counts.served if counts.served > _ANY and total > 0 else 1.0
    enough = counts.served >= LEAST
    return Seen(
        seconds=counts.seconds,
        requests=counts.served,
        batch=batch,
        rate=counts.asked * batch / counts.seconds,
        power=counts.joules / counts.seconds,
        latency=_latency(counts) if enough else None,
        shares={name: n / total for name, n in samples.items()} if enough and total > 0 else None,
    )


def _latency(counts: Counts) -> Latency | None:
    requests = sum(counts.buckets.values())
    if requests <= 0:
        return None
    return Latency(counts.latency / requests, quantile(counts.buckets, _QUANTILE))


def quantile(buckets: Mapping[float, float], share: float) -> float:
    """Return a quantile of what a histogram holds, as Prometheus does: linear in its bucket.

    Where it lies in the infinite bucket, that is the greatest finite bound.

    Parameters
    ----------
    buckets
        Counts by upper bound; at least one above 0.
    share
        From 0 to 1.
    """
    wanted, below, bottom = share * sum(buckets.values()), 0.0, 0.0
    for bound in sorted(buckets):
        inside = buckets[bound]
        if below + inside >= wanted and inside > 0 and isfinite(bound):
            return bottom + (bound - bottom) * (wanted - below) / inside
        if isfinite(bound):
            below, bottom = below + inside, bound
    return bottom
