"""What of the observed has left the plan's tolerance, and by how much."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from math import sqrt
from typing import Final, Literal

from fin.api.duration import Duration
from fin.api.quantity import Quantity
from fin.cluster.telemetry.seen import Seen
from fin.planning.problem import Statistic

Aspect = Literal["rate", "latency", "exits"]
ASPECTS: Final[tuple[Aspect, ...]] = ("rate", "latency", "exits")

RATE_TOLERANCE: Final = 0.2
"""Share of the planned rate by which the observed one may differ."""

SHARE_TOLERANCE: Final = 0.05
"""By how much an exit's share may differ from the planned one."""

BACK: Final = 0.75
"""Share of the tolerance within which what has left it counts as back."""

LATENCY_BACK: Final = 0.95
"""Share of the target within which latency that was above it counts as back."""

_DEVIATIONS: Final = 3.0
"""Standard deviations of chance that are borne besides."""

_LEAST_EXPECTED: Final = 10.0
"""Requests that the plan has to expect in the time observed, before the rate is judged."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What a plan was made for, and what it promises.

    Attributes
    ----------
    rate
        Inferences per second.
    shares
        Share of the samples that leave at each exit that is deployed, in order.
    target
        Latency on ``statistic``, s.
    from_source
        Planned time from the source to the entry, s.
    """

    rate: float
    shares: Mapping[str, float]
    target: float
    statistic: Statistic
    from_source: float


@dataclass(frozen=True, slots=True)
class Deviation:
    """Something that is off plan: a CamelCase reason, and words for people."""

    aspect: Aspect
    reason: str
    message: str


def off_plan(seen: Seen, promise: Promise, before: Set[Aspect]) -> tuple[Deviation, ...]:
    """Return what has left the plan's tolerance, the worst kind first.

    The tolerance is wider where little was observed: it includes what chance alone does to a plan
    that is right (requests at random, samples that leave at random).

    Parameters
    ----------
    seen
        What was observed.
    promise
        What was planned.
    before
        What was off plan the last time: it has to come nearer before it counts as back.
    """
    found = (
        _late(seen, promise, LATENCY_BACK if "latency" in before else 1.0),
        _rate(seen, promise, BACK if "rate" in before else 1.0),
        _exits(seen, promise, BACK if "exits" in before else 1.0),
    )
    return tuple(each for each in found if each is not None)


def _late(seen: Seen, promise: Promise, narrowed: float) -> Deviation | None:
    """The plan's room in latency goes up to the target; what is below is no harm."""
    if seen.latency is None:
        return None
    mean = promise.statistic == "Mean"
    measured = (seen.latency.mean if mean else seen.latency.p99) + promise.from_source
    if measured <= narrowed * promise.target:
        return None
    what = "mean" if mean else "99th percentile of the"
    return Deviation(
        "latency",
        "LatencyAboveTarget",
        f"{what} latency {Duration.of(measured)}, target {Duration.of(promise.target)}",
    )


def _rate(seen: Seen, promise: Promise, narrowed: float) -> Deviation | None:
    expected = promise.rate * seen.seconds / seen.batch
    if expected < _LEAST_EXPECTED:
        return None
    borne = RATE_TOLERANCE + _DEVIATIONS / sqrt(expected)
    if abs(seen.rate - promise.rate) <= narrowed * borne * promise.rate:
        return None
    above = seen.rate > promise.rate
    return Deviation(
        "rate",
        "RateAbovePlan" if above else "RateBelowPlan",
        f"{Quantity.of(seen.rate)} inferences/s, planned for {Quantity.of(promise.rate)}",
    )


def _exits(seen: Seen, promise: Promise, narrowed: float) -> Deviation | None:
    off = [
        f"{name} {seen.shares[name]:.1%} (planned {planned:.1%})"
        for name, planned in promise.shares.items()
        if seen.shares is not None
        and abs(seen.shares[name] - planned) > narrowed * _borne(planned, seen.requests)
    ]
    if not off:
        return None
    return Deviation("exits", "ExitsOffPlan", f"leaving at {', '.join(off)}")


def _borne(planned: float, requests: float) -> float:
    variance = max(planned * (1 - planned), 0.0)  # rounding may leave a share above 1
    return SHARE_TOLERANCE + _DEVIATIONS * sqrt(variance / requests)
