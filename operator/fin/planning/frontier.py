"""The labels of one vertex that no other label dominates."""

import numpy as np

from fin.planning.system import Floats

FIRST = 8
"""Rows that a frontier has room for at first; it doubles as it fills."""


class Frontier:
    """Weights of the labels at one vertex, a row each: the smaller in all, the better.

    A label dominates another if none of its weights is larger: then whatever the other
    can still become, the first can too, for no more energy, time or resources.
    """

    def __init__(self, weights: int) -> None:
        self._rows: Floats = np.empty((FIRST, weights))
        self._labels = np.empty(FIRST, dtype=np.intp)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def dominates(self, weights: Floats) -> bool:
        """Whether a label here dominates one with these weights."""
        return bool((self._rows[: self._count] <= weights).all(axis=1).any())

    def add(self, label: int, weights: Floats) -> list[int]:
        """Add a label that none here dominates; return those that it dominates, now removed."""
        count = self._count
        worse = (self._rows[:count] >= weights).all(axis=1)
        removed: list[int] = self._labels[:count][worse].tolist()
        if removed:
            kept = count - len(removed)
            self._rows[:kept] = self._rows[:count][~worse]
            self._labels[:kept] = self._labels[:count][~worse]
            self._count = kept
        if self._count == len(self._labels):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
            self._labels = np.concatenate([self._labels, np.empty_like(self._labels)])
        self._rows[self._count] = weights
        self._labels[self._count] = label
        self._count += 1
        return removed
