"""Which nodes it could be worth to come back to: bounds that rule out all others."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from fin.planning.joint.reentry import Reentry, Visits
from fin.planning.system import Floats, Ints

Nodes = tuple[int, ...]

PAIRS = 150
"""Pairs of nodes that are looked at one by one at most."""


class Returns:
    """Nodes to which ways from some sources may come back that cost at most their thresholds.

    Parameters
    ----------
    sources, thresholds
        Shape (sources,); thresholds in watts.
    """

    def __init__(self, reentry: Reentry, sources: Ints, thresholds: Floats) -> None:
        self.reentry, self.sources, self.thresholds = reentry, sources, thresholds
        often = self._within(reentry.often())
        self.often, self.seldom = np.flatnonzero(often), np.flatnonzero(~often)

    def bounds(self) -> Iterator[tuple[Nodes, Floats]]:
        """What ways cost at least that come back to just one node, or two, (sources,) each.

        Only sets of nodes are there with which some way may be within its threshold. Where
        there are too many pairs, an empty set stands for all of them.
        """
        once = self._once()
        yield from self._near(once, _ones(once))
        twice = self._twice(once)
        pairs = _pairs(twice)
        if len(pairs) > PAIRS:
            yield (), np.sort(twice, axis=1)[:, 1]
        else:
            yield from self._near(twice, pairs)

    def _near(self, floors: Floats, sets: list[Nodes]) -> Iterator[tuple[Nodes, Floats]]:
        reentry, seldom = self.reentry, self.seldom
        step = reentry.width(sets)
        for start in range(0, len(sets), step):
            part = sets[start : start + step]
            bounds = reentry.bounds_of(reentry.back_to(part, reentry.exact), self.sources)
            if len(seldom):
                shared = Visits(reentry.first, reentry.halves[1].first, reentry.halves[1].later)
                shares = reentry.bounds_of(reentry.back_to(part, shared), self.sources[seldom])
                bounds[:, seldom] = np.maximum(bounds[:, seldom], shares)
            for nodes, each in zip(part, bounds, strict=True):
                mine = np.maximum(each, floors[:, nodes].max(axis=1))
                if (mine <= self.thresholds).any():
                    yield nodes, mine

    def _within(self, bounds: Floats) -> NDArray[np.bool_]:
        return np.asarray(bounds[self.sources] <= self.thresholds)

    def _once(self) -> Floats:
        """What ways cost at least that come back to a node, by node, shape (sources, nodes).

        Infinite where that is more than the threshold.
        """
        floors = np.full((len(self.sources), len(self.reentry.gains)), np.inf)
        loose = self.reentry.loose()[self.sources]
        floors[:, self.reentry.nodes] = np.where(loose <= self.thresholds, loose, np.inf)[:, None]
        self._narrow(floors, self.often, self.reentry.anyhow)
        for visits in self.reentry.halves:
            self._narrow(floors, self.seldom, visits)
        return floors

    def _twice(self, once: Floats) -> Floats:
        """What ways cost at least that come back to a node and another, as `_once`."""
        able = self._within(self.reentry.loose(2))
        floors = np.where(able[:, None], once, np.inf)
        self._narrow(floors, np.arange(len(self.sources)), self.reentry.exact, more=True)
        self._narrow(floors, self.seldom, self.reentry.halves[1], more=True)
        return floors

    def _narrow(self, floors: Floats, rows: Ints, visits: Visits, *, more: bool = False) -> None:
        """Raise the bounds of some of the sources."""
        nodes = np.flatnonzero(np.isfinite(floors[rows]).any(axis=0))
        sets = [(node,) for node in nodes.tolist()]
        step = self.reentry.width(sets, more=more)
        for start in range(0, len(sets), step):
            ahead = self.reentry.back_to(sets[start : start + step], visits, more=more)
            bounds = self.reentry.bounds_of(ahead, self.sources[rows]).T
            part = np.ix_(rows, nodes[start : start + step])
            raised = np.maximum(floors[part], bounds)
            floors[part] = np.where(raised <= self.thresholds[rows, None], raised, np.inf)


def _ones(floors: Floats) -> list[Nodes]:
    return [(node,) for node in np.flatnonzero(np.isfinite(floors).any(axis=0)).tolist()]


def _pairs(floors: Floats) -> list[Nodes]:
    """Pairs of nodes to both of which a way from the same source may come back."""
    able = np.isfinite(floors).astype(np.intp)
    together = able.T @ able
    nodes = np.flatnonzero(together.diagonal()).tolist()
    return [pair for pair in combinations(nodes, 2) if together[pair]]
