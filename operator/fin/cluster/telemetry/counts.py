"""What segments counted, and how much of it fell between two readings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

K = TypeVar("K", str, float)


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums over the segments of an app, over some time.

    Attributes
    ----------
    seconds
        How long it was counted.
    samples
        Samples that left, by exit.
    asked, served
        Requests of clients: all but those that were a client's mistake, and those answered.
    latency
        Sum of the times that the served requests took, s.
    buckets
        Served requests by the upper bound of the time that they took, s; the last is infinite.
    joules
        Modelled energy.
    """

    seconds: float = 0.0
    samples: Mapping[str, float] = field(default_factory=dict)
    asked: float = 0.0
    served: float = 0.0
    latency: float = 0.0
    buckets: Mapping[float, float] = field(default_factory=dict)
    joules: float = 0.0

    def scaled(self, factor: float) -> "Counts":
        """Return all of it times ``factor``."""
        return Counts(
            self.seconds * factor,
            {name: factor * count for name, count in self.samples.items()},
            self.asked * factor,
            self.served * factor,
            self.latency * factor,
            {bound: factor * count for bound, count in self.buckets.items()},
            self.joules * factor,
        )

    def plus(self, other: "Counts") -> "Counts":
        """Return both together."""
        return Counts(
            self.seconds + other.seconds,
            _added(self.samples, other.samples),
            self.asked + other.asked,
            self.served + other.served,
            self.latency + other.latency,
            _added(self.buckets, other.buckets),
            self.joules + other.joules,
        )

    def values(self) -> Iterator[float]:
        """Yield every number but the time."""
        yield from (self.asked, self.served, self.latency, self.joules)
        yield from self.samples.values()
        yield from self.buckets.values()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a pod had counted since it started (``seconds`` is 0), and when it was read, s.

    ``revision`` is the one that requests follow which enter there; empty where none do.
    """

    pod: str
    at: float
    counts: Counts
    revision: str = ""


Readings = Mapping[str, Reading]
"""One reading of each segment of a revision, by the segment's name."""


def counted(before: Readings, after: Readings, entry: str) -> Counts | None:
    """Return what the segments counted between two readings of all of them.

    None where a pod is another than before, or its clock stood still: it can't be known when it
    counted what it has. A container that started again has counted from 0.

    Parameters
    ----------
    before, after
        Of the same segments.
    entry
        The segment whose readings tell how long it was.
    """
    if before.keys() != after.keys() or any(
        before[name].pod != each.pod or before[name].at >= each.at for name, each in after.items()
    ):
        return None
    total = Counts(seconds=after[entry].at - before[entry].at)
    for name, each in after.items():
        total = total.plus(_between(before[name].counts, each.counts))
    return total


def _between(before: Counts, after: Counts) -> Counts:
    difference = after.plus(before.scaled(-1.0))
    return after if any(value < 0 for value in difference.values()) else difference


def _added(one: Mapping[K, float], other: Mapping[K, float]) -> dict[K, float]:
    return {key: one.get(key, 0.0) + other.get(key, 0.0) for key in {**one, **other}}
