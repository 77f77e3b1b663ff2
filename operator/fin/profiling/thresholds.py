"""Thresholds of the exits: the least expected work that meets an accuracy.

A sample that leaves at an exit has cost the work up to there. Thresholds are sought by work + price
x errors: one exit at a time, all its thresholds tried at once by sums over the samples in the order
of how sure the exit is of them, until no exit improves. A sweep of prices gives the range from the
fastest to the most accurate. Those that meet the accuracy are then improved further for as long as
they meet it, one exit at a time and then one together with the others. What is found is good, and
for more than one early exit not proven to be the best.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fin.profiling.progress import Progress
from fin.segment.exits import Criterion, ExitRule, confidence, entropy

Floats: TypeAlias = NDArray[np.float64]
_Cost: TypeAlias = Callable[[Floats, Floats], Floats]
"""From work and errors of all samples together, for several choices, to what is least at best."""

_PRICES = 2.0 ** np.arange(-10, 21)
"""Prices of an error, in units of the whole network's work."""

_ROUNDS = 50
"""Rounds over the exits, at most; they end by themselves after a few."""

_IMPROVED = 12
"""How many of the cheapest thresholds that meet the accuracy are improved further."""

_TRIALS = 400
"""Bounds that are tried together with the other exits': of one exit, or divided among several."""

_DIGITS = 6
"""Decimals of a threshold, where so many tell two samples apart."""


@dataclass(frozen=True, slots=True)
class Point:
    """Thresholds, and what they lead to.

    Attributes
    ----------
    rules
        When samples leave, at each exit but the last.
    work
        Expected operations of a sample.
    correct
        How many samples are classified correctly.
    """

    rules: tuple[ExitRule, ...]
    work: float
    correct: int


class Calibration:
    """What every exit says of every sample.

    Parameters
    ----------
    logits
        For each exit, samples by classes.
    labels
        The class of each sample.
    work
        Operations of a sample that leaves at each exit.
    criterion
        What thresholds are compared with.
    """

    def __init__(
        self,
        logits: Sequence[NDArray[Any]],
        labels: NDArray[np.int64],
        work: Sequence[float],
        criterion: Criterion,
    ) -> None:
        self.samples = len(labels)
        self._criterion = criterion
        self._wrong = np.stack([each.argmax(axis=1) != labels for each in logits])
        self._work = np.asarray(work, dtype=np.float64)
        early = [_sureness(each, criterion) for each in logits[:-1]]
        self._sure = np.stack(early) if early else np.empty((0, len(labels)))

    def sweep(self, progress: Progress) -> tuple[Point, ...]:
        """Return thresholds from the fastest to the most accurate, none beaten by another."""
        # The exits' bounds: how sure they must be. Infinity is never reached.
        never = np.full(len(self._sure), np.inf)
        prices = _PRICES * self._work[-1]
        found = [never]
        for step, price in enumerate(prices):
            progress("thresholds", step / len(prices))
            found.append(self._improve(never, _priced(price)))
            found.append(self._improve(found[-2], _priced(price)))
        for price in prices[::-1]:
            found.append(self._improve(found[-1], _priced(price)))
        progress("thresholds", 1)
        return undominated(self._point(each) for each in found)

    def best(self, points: Sequence[Point], accuracy: float) -> Point | None:
        """Return the least work found that meets an accuracy; None where none was found.

        Parameters
        ----------
        points
            Where the search begins.
        accuracy
            The least share of samples that must be classified correctly.
        """
        allowed = int(np.floor((1 - accuracy) * self.samples + 1e-9))
        cost = _limited(allowed)
        good = [each for each in points if self.samples - each.correct <= allowed]
        found = [
            self._improve(self._bounds(each), cost) for each in sorted(good, key=_order)[:_IMPROVED]
        ]
        if not found:
            return None
        return self._point(
            self._exchange(min(found, key=lambda each: self._cost(each, cost)), cost)
        )

    def _exchange(self, bounds: Floats, cost: _Cost) -> Floats:
        """Set one exit's bound to each of many, and the others' to suit, until none is cheaper."""
        least = self._cost(bounds, cost)
        for _ in range(_ROUNDS):
            before = least
            for position in range(len(bounds)):
                for bound in self._spread(position):
                    trial = bounds.copy()
                    trial[position] = bound
                    for other in range(len(bounds)):
                        if other != position:
                            trial[other] = self._cheapest(trial, other, cost)
                    if (now := self._cost(trial, cost)) < least:
                        bounds, least = trial, now
            if least >= before:
                break
        return bounds

    def _spread(self, position: int) -> Floats:
        """Return bounds of an exit from one end to the other: fewer where there are many exits."""
        sure = self._sure[position, np.isfinite(self._sure[position])]
        count = min(len(sure), max(4, _TRIALS // len(self._sure) ** 2))
        return np.unique(np.quantile(sure, np.linspace(0, 1, count), method="nearest"))

    def _improve(self, bounds: Floats, cost: _Cost) -> Floats:
        """Set one exit's bound after the other to the cheapest, until none becomes cheaper."""
        bounds = bounds.copy()
        least = self._cost(bounds, cost)
        for _ in range(_ROUNDS):
            before = least
            for position in range(len(bounds)):
                kept = bounds[position]
                bounds[position] = self._cheapest(bounds, position, cost)
                now = self._cost(bounds, cost)
                if now < least:
                    least = now
                else:
                    bounds[position] = kept
            if least >= before:
                break
        return bounds

    def _cheapest(self, bounds: Floats, position: int, cost: _Cost) -> float:
        """Return one exit's cheapest bound, where the other exits' bounds stay."""
        leaves = self._leaves(bounds)
        reaching = ~leaves[:position].any(axis=0)
        passing = position + 1 + leaves[position + 1 :].argmax(axis=0)
        ends = np.where(reaching, passing, leaves.argmax(axis=0))
        errors = np.take_along_axis(self._wrong, ends[np.newaxis], axis=0)[0]
        here = np.flatnonzero(reaching & np.isfinite(self._sure[position]))
        here = here[np.argsort(-self._sure[position, here], kind="stable")]
        sure = self._sure[position, here]
        # How work and errors change when the surest so many leave here.
        work = self._work[ends].sum() + _sums(self._work[position] - self._work[ends[here]])
        wrong = errors.sum() + _sums(self._wrong[position, here] * 1.0 - errors[here])
        costs = cost(work, wrong)
        costs[1:-1][sure[1:] == sure[:-1]] = np.inf  # no bound parts equals
        return _bound(sure, int(costs.argmin()))

    def _leaves(self, bounds: Floats) -> NDArray[np.bool_]:
        """Tell for each exit and sample whether the sample would leave there; at the last, all."""
        last = np.ones((1, self.samples), dtype=np.bool_)
        return np.concatenate([self._sure >= bounds[:, np.newaxis], last])

    def _cost(self, bounds: Floats, cost: _Cost) -> float:
        ends = self._leaves(bounds).argmax(axis=0)
        wrong = np.take_along_axis(self._wrong, ends[np.newaxis], axis=0).sum()
        return float(cost(np.array([self._work[ends].sum()]), np.array([float(wrong)]))[0])

    def _point(self, bounds: Floats) -> Point:
        ends = self._leaves(bounds).argmax(axis=0)
        wrong = np.take_along_axis(self._wrong, ends[np.newaxis], axis=0).sum()
        sign = 1 if self._criterion == "Confidence" else -1
        rules = tuple(
            ExitRule(abs(float(sign * each)) if np.isfinite(each) else None, self._criterion)
            for each in bounds
        )
        return Point(rules, float(self._work[ends].mean()), self.samples - int(wrong))

    def _bounds(self, point: Point) -> Floats:
        sign = 1 if self._criterion == "Confidence" else -1
        return np.array(
            [np.inf if rule.threshold is None else sign * rule.threshold for rule in point.rules]
        )


def _sureness(logits: NDArray[Any], criterion: Criterion) -> Floats:
    """Return what is at least the bound where a sample leaves; minus infinity where none does."""
    sure = confidence(logits) if criterion == "Confidence" else -entropy(logits)
    return np.where(np.isnan(sure), -np.inf, sure)


def _bound(sure: Floats, leaving: int) -> float:
    """Return a bound that the first so many of falling numbers reach: one with few digits."""
    if leaving == 0:
        return float(np.inf)
    last = float(sure[leaving - 1])
    following = float(sure[leaving]) if leaving < len(sure) else -np.inf
    between = round((last + following) / 2 if np.isfinite(following) else last, _DIGITS)
    return between if following < between <= last else last


def _sums(changes: Floats) -> Floats:
    """Return the sums of the first 0, 1, 2, ... changes."""
    return np.concatenate([[0.0], np.cumsum(changes)])


def _priced(price: float) -> _Cost:
    return lambda work, wrong: work + price * wrong


def _limited(allowed: int) -> _Cost:
    # Sums of differences may be off by a rounding.
    return lambda work, wrong: np.where(wrong <= allowed + 0.5, work, np.inf)


def _order(point: Point) -> tuple[float, int]:
    return point.work, -point.correct


def undominated(points: Iterable[Point]) -> tuple[Point, ...]:
    """Return the points that no other beats in work and accuracy, by work."""
    kept: list[Point] = []
    for point in sorted(points, key=_order):
        if not kept or point.correct > kept[-1].correct:
            kept.append(point)
    return tuple(kept)
