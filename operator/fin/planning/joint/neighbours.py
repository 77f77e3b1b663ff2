"""Better plans by choosing anew for a few applications at a time, the others staying.

A large neighbourhood search (Shaw, Using constraint programming and local search methods to
solve vehicle routing problems, CP 1998): applications that pay most above the least price of their
class, with those that share their nodes, are chosen for anew by a small integer programme.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fin.planning.joint.choice import Candidate, Chooser, Within
from fin.planning.joint.kinds import Classes
from fin.planning.joint.network import Network
from fin.planning.joint.ways import Column
from fin.planning.system import Floats

TOGETHER = 30
"""Applications that are chosen for together."""

OFFERED = 6
"""Candidates of each of them at most."""

ROUNDS = 3
"""Times that each application may be the first of a neighbourhood."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """One application's deployment: what was chosen, and its shares."""

    candidate: Candidate
    shares: Floats


class Neighbours:
    """A plan that is improved part by part.

    Parameters
    ----------
    offers
        Candidates of each class, nearest first.
    least, prices
        Least price of each class, watts, and the prices of all limits.
    """

    def __init__(
        self,
        network: Network,
        classes: Classes,
        plan: Sequence[Chosen],
        offers: Mapping[int, Sequence[Candidate]],
        least: Floats,
        prices: Floats,
        unit: float,
    ) -> None:
        self.network, self.classes, self.plan = network, classes, list(plan)
        self.offers, self.least, self.prices, self.unit = offers, least, prices, unit

    @property
    def watts(self) -> float:
        """What the plan costs the objective."""
        return sum(each.candidate.watts for each in self.plan)

    def improve(
        self, enough: float, tolerance: float, time_left: Callable[[], float | None]
    ) -> None:
        """Improve until the plan costs at most ``enough`` watts, or nothing gets better."""
        for _ in range(ROUNDS):
            before = self.watts
            order = sorted(range(len(self.plan)), key=self._excess, reverse=True)
            for first in order:
                if self.watts <= enough or time_left() == 0:
                    return
                if self._excess(first) > tolerance * self.unit:
                    self._anew(self._around(first), tolerance, time_left)
            if self.watts > before * (1 - tolerance / 10):
                return

    def _excess(self, index: int) -> float:
        """By how much an application's deployment costs more than the least of its class."""
        each = self.plan[index]
        column = Column(each.candidate.way, each.shares)
        extra = each.candidate.watts - each.candidate.way.power
        return column.price(self.prices) + extra - float(self.least[each.candidate.way.owner])

    def _around(self, first: int) -> list[int]:
        """An application and those in its way: on the nodes of what it could be better at."""
        owner = self.plan[first].candidate.way.owner
        wanted = {
            int(node)
            for candidate in self.offers[owner][:3]
            for node in candidate.way.nodes
            if self.prices[node] > 0
        }
        others = [
            (-self._excess(index), index)
            for index, each in enumerate(self.plan)
            if index != first and wanted.intersection(each.candidate.way.nodes.tolist())
        ]
        return [first, *(index for _, index in sorted(others)[: TOGETHER - 1])]

    def _anew(
        self, indices: Sequence[int], tolerance: float, time_left: Callable[[], float | None]
    ) -> None:
        """Choose for some applications anew, and keep it where it is better."""
        free = set(indices)
        room = self.network.room.copy()
        for index, each in enumerate(self.plan):
            if index not in free:
                column = Column(each.candidate.way, self._whole(each))
                room[column.rows] -= column.amounts
        mine = [self.plan[index] for index in indices]
        owners = [each.candidate.way.owner for each in mine]
        count = np.bincount(owners, minlength=len(self.classes))
        candidates = [
            Candidate(each.candidate.way, each.candidate.watts, each.shares, each.candidate.runs)
            for each in mine
        ]
        for owner in dict.fromkeys(owners):
            candidates += self.offers[owner][:OFFERED]
        within = Within(count, np.maximum(room, 0.0))
        chooser = Chooser(self.network, self.classes, candidates, self.unit, 1, within=within)
        choice = chooser.choose(tolerance, time_left)
        if choice.chosen is None:
            return
        watts = sum(candidate.watts * times for candidate, times, _ in choice.chosen)
        if watts >= sum(each.candidate.watts for each in mine) * (1 - 1e-9):
            return
        fresh: dict[int, list[Chosen]] = {}
        for candidate, times, shares in choice.chosen:
            fresh.setdefault(candidate.way.owner, []).extend([Chosen(candidate, shares)] * times)
        for index, owner in zip(indices, owners, strict=True):
            self.plan[index] = fresh[owner].pop(0)

    def _whole(self, each: Chosen) -> Floats:
        """The shares that a deployment takes in whole millicores."""
        one = self.network.millicore_share[each.candidate.way.nodes]
        return np.asarray(np.ceil(each.shares / one - 1e-6) * one)
