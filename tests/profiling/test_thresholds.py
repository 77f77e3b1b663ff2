"""Thresholds: what is found is true, meets the accuracy, and is not beaten by trying them all."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fin.profiling.profile import outcome
from fin.profiling.progress import silent
from fin.profiling.thresholds import Calibration, Point, undominated
from fin.segment.exits import Criterion, ExitRule, confidence, entropy

Logits = list[NDArray[np.float32]]
CRITERIA: tuple[Criterion, ...] = ("Confidence", "Entropy")
SEEDS = st.integers(0, 2**32 - 1)


def random_exits(seed: int, samples: int, exits: int) -> tuple[Logits, NDArray[np.int64]]:
    """Return exits that are surer, and more often right, the later they are."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, samples)
    truth = np.eye(4)[labels]
    hard = random.uniform(0.3, 2.0, (samples, 1))
    logits = [
        ((k + 1) * truth + hard * random.normal(size=(samples, 4))).astype(np.float32)
        for k in range(exits)
    ]
    return logits, labels


def measured(
    rules: tuple[ExitRule, ...], logits: Logits, labels: NDArray[np.int64], work: list[float]
) -> tuple[float, int]:
    """Return expected work and correct samples by the rule that serving uses."""
    exits = outcome((*rules, ExitRule()), logits, labels)
    expected = sum(leaving.rate * cost for leaving, cost in zip(exits, work, strict=True))
    return expected, round(exits[-1].accuracy * len(labels))


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 4), st.integers(1, 60), st.sampled_from(CRITERIA))
def test_what_is_found_is_what_the_rule_of_serving_does(
    seed: int, exits: int, samples: int, criterion: Criterion
) -> None:
    logits, labels = random_exits(seed, samples, exits)
    work = [float(10 * (k + 1)) for k in range(exits)]
    points = Calibration(logits, labels, work, criterion).sweep(silent)
    for point in points:
        expected, correct = measured(point.rules, logits, labels, work)
        assert point.work == pytest.approx(expected)
        assert point.correct == correct
        for rule in point.rules:
            assert rule.threshold is None or 0 <= rule.threshold <= 1
    works, corrects = [p.work for p in points], [p.correct for p in points]
    assert works == sorted(set(works))
    assert corrects == sorted(set(corrects))


def all_rules(logits: NDArray[Any], criterion: Criterion) -> list[ExitRule]:
    sure = confidence(logits) if criterion == "Confidence" else entropy(logits)
    return [ExitRule(None, criterion), *(ExitRule(float(each), criterion) for each in sure)]


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("seed", range(6))
def test_trying_all_thresholds_of_two_exits_finds_no_less_work(
    seed: int, criterion: Criterion
) -> None:
    logits, labels = random_exits(seed, 25, 3)
    work = [10.0, 25.0, 60.0]
    tried = [
        measured(rules, logits, labels, work)
        for rules in itertools.product(*(all_rules(each, criterion) for each in logits[:-1]))
    ]
    calibration = Calibration(logits, labels, work, criterion)
    points = calibration.sweep(silent)
    for accuracy in {correct / 25 for _, correct in tried}:
        least = min(each for each, correct in tried if correct >= 25 * accuracy - 1e-9)
        best = calibration.best(points, accuracy)
        if best is None:
            assert accuracy > points[-1].correct / 25
            assert accuracy - points[-1].correct / 25 < 0.05
        else:
            assert best.correct >= 25 * accuracy - 1e-9
            assert best.work == pytest.approx(least)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_more_accuracy_never_takes_less_work(criterion: Criterion) -> None:
    logits, labels = random_exits(3, 400, 4)
    calibration = Calibration(logits, labels, [1, 2, 4, 8], criterion)
    points = calibration.sweep(silent)
    least = points[0].correct / 400
    works = []
    for accuracy in np.linspace(least, points[-1].correct / 400, 12):
        best = calibration.best(points, float(accuracy))
        assert best is not None
        works.append(best.work)
    assert works[0] < works[-1]
    assert all(later >= 0.98 * earlier for earlier, later in itertools.pairwise(works))


def test_samples_that_the_first_exit_settles_all_leave_there() -> None:
    labels = np.arange(4)
    sure = (20 * np.eye(4)).astype(np.float32)
    calibration = Calibration([sure, sure], labels, [1, 10], "Confidence")
    best = calibration.best(calibration.sweep(silent), 1)
    assert best is not None
    assert (best.work, best.correct) == (1, 4)


def test_an_exit_that_is_never_right_is_never_taken() -> None:
    labels = np.arange(4)
    right = (20 * np.eye(4)).astype(np.float32)
    calibration = Calibration([np.roll(right, 1, axis=1), right], labels, [1, 10], "Entropy")
    best = calibration.best(calibration.sweep(silent), 1)
    assert best == Point((ExitRule(None, "Entropy"),), 10, 4)


def test_logits_that_are_no_numbers_do_not_leave() -> None:
    labels = np.zeros(3, dtype=np.int64)
    broken = np.array([[np.nan, 0], [9, 0], [8, 0]], dtype=np.float32)
    whole = np.array([[1, 0], [1, 0], [1, 0]], dtype=np.float32)
    calibration = Calibration([broken, whole], labels, [1, 10], "Confidence")
    best = calibration.best(calibration.sweep(silent), 1)
    assert best is not None
    assert best.work == pytest.approx((1 + 1 + 10) / 3)
    assert measured(best.rules, [broken, whole], labels, [1, 10]) == (best.work, 3)


def test_no_thresholds_reach_more_than_the_exits_can() -> None:
    logits, labels = random_exits(1, 30, 2)
    calibration = Calibration(
        [each - 9 * np.eye(4)[labels] for each in logits], labels, [1, 2], "Confidence"
    )
    assert calibration.best(calibration.sweep(silent), 1) is None


def test_points_that_are_beaten_are_left_out() -> None:
    def point(work: float, correct: int) -> Point:
        return Point((), work, correct)

    kept = undominated([point(3, 5), point(2, 5), point(1, 2), point(4, 4), point(5, 9)])
    assert [(each.work, each.correct) for each in kept] == [(1, 2), (2, 5), (5, 9)]


def test_accuracies_are_of_the_model_that_ends_there() -> None:
    labels = np.array([0, 0, 0, 0])
    first = np.array([[9, 0], [0, 9], [1, 0], [0, 1]], dtype=np.float32)
    last = np.array([[0, 9], [9, 0], [9, 0], [9, 0]], dtype=np.float32)
    exits = outcome((ExitRule(0.99), ExitRule()), [first, last], labels)
    # The sure ones leave: one right, one wrong. The others would be half right here, and all later.
    assert [each.rate for each in exits] == [0.5, 0.5]
    assert [each.accuracy for each in exits] == [0.5, 0.75]
