import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from fin.segment.exits import ExitRule, confidence, entropy

LOGITS = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(-50, 50, width=32),
)
RULES = st.builds(ExitRule, st.none() | st.floats(0, 1), st.sampled_from(["Confidence", "Entropy"]))


@given(LOGITS)
def test_both_measures_are_those_of_the_softmax(logits: NDArray[np.float32]) -> None:
    exponentials = np.exp(logits.astype(np.float64))
    softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(confidence(logits), softmax.max(axis=1), rtol=1e-9)
    classes = logits.shape[1]
    expected = -(softmax * np.log(softmax)).sum(axis=1) / (np.log(classes) or 1)
    np.testing.assert_allclose(entropy(logits), expected, atol=1e-9)
    assert ((entropy(logits) >= 0) & (entropy(logits) <= 1 + 1e-12)).all()


@given(LOGITS, RULES)
def test_a_sample_leaves_whatever_else_is_in_its_batch(
    logits: NDArray[np.float32], rule: ExitRule
) -> None:
    together = rule.leaves(logits)
    alone = [rule.leaves(logits[row : row + 1])[0] for row in range(len(logits))]
    assert together.tolist() == alone


@given(LOGITS, st.sampled_from(["Confidence", "Entropy"]), st.floats(0, 1), st.floats(0, 1))
def test_fewer_leave_where_the_threshold_is_stricter(
    logits: NDArray[np.float32], criterion: str, one: float, other: float
) -> None:
    loose, strict = sorted((one, other), reverse=criterion == "Entropy")
    leave = {
        threshold: ExitRule(threshold, criterion).leaves(logits)  # type: ignore[arg-type]
        for threshold in (loose, strict)
    }
    assert (leave[loose] >= leave[strict]).all()


def test_the_threshold_itself_lets_leave() -> None:
    even = np.zeros((1, 4), np.float32)
    assert ExitRule(0.25).leaves(even).tolist() == [True]
    assert ExitRule(0.2500001).leaves(even).tolist() == [False]
    assert ExitRule(1.0, "Entropy").leaves(even).tolist() == [True]
    sure = np.array([[1000.0, 0.0, 0.0]], np.float32)
    assert ExitRule(1.0).leaves(sure).tolist() == [True]
    assert ExitRule(0.0, "Entropy").leaves(sure).tolist() == [True]


def test_without_a_threshold_no_sample_leaves() -> None:
    assert not ExitRule().leaves(np.array([[1000.0, 0.0]])).any()


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("rule", [ExitRule(0.0), ExitRule(1.0, "Entropy")])
def test_a_sample_of_which_nothing_is_known_goes_on(broken: float, rule: ExitRule) -> None:
    logits = np.array([[broken, 0.0], [3.0, 0.0]])
    assert rule.leaves(logits).tolist() == [False, True]
    assert rule.leaves(logits[:, :1]).tolist() == [False, True]


def test_a_class_may_be_impossible() -> None:
    logits = np.array([[0.0, -np.inf], [0.0, 0.0]])
    np.testing.assert_allclose(entropy(logits), [0, 1])
    np.testing.assert_allclose(confidence(logits), [1, 0.5])


def test_an_empty_batch_is_no_trouble() -> None:
    assert ExitRule(0.5).leaves(np.empty((0, 3))).shape == (0,)
    assert ExitRule(0.5, "Entropy").leaves(np.empty((0, 3))).shape == (0,)
