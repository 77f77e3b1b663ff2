"""The digits of scikit-learn, split the same way each time: to train, to calibrate, to test."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 2025


@dataclass(frozen=True)
class Samples:
    """Images and what they show.

    Attributes
    ----------
    inputs
        float32, samples by 1 by 8 by 8, from 0 to 1 in sixteenths.
    labels
        int64, one digit for each sample.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]


def split() -> tuple[Samples, Samples, Samples]:
    """Return 60 % of the digits to train, 20 % to calibrate and 20 % held out, stratified."""
    digits = load_digits()
    everything = np.arange(len(digits.target))
    train, rest = train_test_split(
        everything, train_size=0.6, stratify=digits.target, random_state=SEED
    )
    calibration, heldout = train_test_split(
        rest, train_size=0.5, stratify=digits.target[rest], random_state=SEED
    )
    inputs = (digits.images[:, np.newaxis] / 16).astype(np.float32)
    labels = digits.target.astype(np.int64)
    return tuple(Samples(inputs[each], labels[each]) for each in (train, calibration, heldout))
