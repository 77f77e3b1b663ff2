"""The one rule by which samples leave at an exit: profiling and serving share it.

A sample leaves where the classifier is sure enough of it. How sure it is, either its *confidence*
tells, the largest of its softmax probabilities, or its *entropy*, that of those probabilities
(BranchyNet: S. Teerapittayanon, B. McDanel, H. T. Kung, ICPR 2016, section III). The entropy is
divided by its largest value, the logarithm of the number of classes, so that both lie in [0, 1].
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Criterion = Literal["Confidence", "Entropy"]


@dataclass(frozen=True, slots=True)
class ExitRule:
    """When samples leave at an exit.

    Attributes
    ----------
    threshold
        From 0 to 1: the least confidence, or the greatest entropy, at which a sample leaves.
        None: no sample leaves.
    criterion
        What is compared with the threshold.
    """

    threshold: float | None = None
    criterion: Criterion = "Confidence"

    def leaves(self, logits: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell for each sample of a batch whether it leaves.

        A sample with a logit that is not a number goes on: nothing is known of it.

        Parameters
        ----------
        logits
            The classifier's output before softmax, samples by classes.

        Returns
        -------
        NDArray[np.bool_]
            One value for each sample.
        """
        if self.threshold is None:
            return np.zeros(len(logits), dtype=np.bool_)
        if self.criterion == "Confidence":
            return confidence(logits) >= self.threshold
        return entropy(logits) <= self.threshold


def confidence(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return the largest softmax probability of each sample (``logits``: samples by classes)."""
    exponentials = _exponentials(logits)
    return np.asarray(1 / exponentials.sum(axis=1))


def entropy(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return the entropy of each sample's softmax, divided by ln(classes); 0 for one class.

    Parameters
    ----------
    logits
        The classifier's output before softmax, samples by classes.
    """
    classes = logits.shape[1]
    if classes == 1:
        return np.where(np.isfinite(logits[:, 0]), 0.0, np.nan)
    exponentials = _exponentials(logits)
    total = exponentials.sum(axis=1)
    # The entropy is ln(sum) - sum(x exp(x)) / sum of shifted logits x; where exp(x) is 0, so is
    # x exp(x), though x may be minus infinity.
    logarithms = np.log(exponentials, out=np.zeros_like(exponentials), where=exponentials > 0)
    products = (exponentials * logarithms).sum(axis=1)
    # What rounding leaves below 0 is 0.
    return np.asarray(np.maximum(np.log(total) - products / total, 0.0) / np.log(classes))


def _exponentials(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Exponentials of logits less each sample's largest, which becomes exactly 1."""
    wide = np.ascontiguousarray(logits, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # infinity less infinity is not a number: meant
        return np.asarray(np.exp(wide - wide.max(axis=1, keepdims=True)))
