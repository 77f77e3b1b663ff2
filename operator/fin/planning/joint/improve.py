"""From one valid plan to the best one, and the proof of how near it is.

First the relaxed problem by column generation, then one way for every application out of
what that found; where the two stay apart, pricing without gap, and the choice out of all
ways that could be part of a better plan.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fin.planning.joint.choice import Candidate, Choice, Chooser, column_candidates
from fin.planning.joint.dominance import undominated
from fin.planning.joint.exact import Listing, list_ways, loose_bounds
from fin.planning.joint.generation import Generation
from fin.planning.joint.kinds import Classes
from fin.planning.joint.master import MasterSolution
from fin.planning.joint.network import Network
from fin.planning.joint.pricing import Price
from fin.planning.joint.ways import Column, Way, reserve_at
from fin.planning.system import Floats

EXACT_ROUNDS = 5
"""Rounds of exact pricing at most."""

LISTED = 300
"""Ways that a choice is made of at most, where its bound is asked for."""

POOL = 120
"""Ways that a plan is chosen from, besides those of the master's mix: those of least price."""

CLOSABLE, SMALL = 0.01, 8
"""Gap up to which it is worth to list all ways that could close it, where there are more
than so many classes."""

FEW = 60
"""Classes up to which ways are priced exactly."""


@dataclass(frozen=True, eq=False)
class Start:
    """What one application has now.

    ``column`` is its deployment in the plan to improve; ``running`` the one that runs, if
    any: anything else costs ``penalty`` watts more.
    """

    column: Column
    running: Column | None = None
    penalty: float = 0.0

    @property
    def watts(self) -> float:
        """What the deployment costs the objective: its power, and that it is not what runs."""
        return self.column.way.power + (0.0 if self.column is self.running else self.penalty)


@dataclass(frozen=True, eq=False)
class Improved:
    """The plan that was found, if it is better than the start, and the proven bound, watts."""

    chosen: tuple[tuple[Candidate, int, Floats], ...] | None
    bound: float


class Improvement:
    """One joint planning run over some classes, each with what it starts from."""

    def __init__(
        self,
        network: Network,
        classes: Classes,
        generation: Generation,
        starts: Sequence[Start],
        tolerance: float,
        time_left: Callable[[], float | None],
    ) -> None:
        self.network, self.classes, self.generation = network, classes, generation
        self.starts, self.tolerance, self.time_left = tuple(starts), tolerance, time_left
        self.penalty = {start.column.way.owner: start.penalty for start in starts}
        self.power = sum(start.column.way.power for start in starts)
        self.watts = sum(start.watts for start in starts)
        self.unit = self.power / len(starts)
        self.best: tuple[tuple[Candidate, int, Floats], ...] | None = None
        self.bound = 0.0

    def run(self) -> Improved:
        """Improve until the gap is within the tolerance, or nothing more is to be done."""
        generation = self.generation
        generation.start(start.column for start in self.starts)
        generation.start(start.running for start in self.starts if start.running is not None)
        relaxation = generation.run(self.tolerance / 4, self._in_time)
        prices, price = relaxation.prices, relaxation.price
        values = loose_bounds(generation.pricer, prices, price)
        self._prove(float(self.classes.count @ values) - float(prices.sum()))
        self._choose(self._mixed(relaxation.master))
        if self._wide():
            self._choose(self._pool(relaxation.master))
        if self._wide() and len(self.classes) <= FEW:
            self._exactly()
        return Improved(self.best, min(self.bound, self.power))

    def _wide(self) -> bool:
        return self.power - self.bound > self.tolerance * self.power and self._in_time()

    def _in_time(self) -> bool:
        left = self.time_left()
        return left is None or left > 0

    def _prove(self, bound: float) -> None:
        if np.isfinite(bound):
            self.bound = max(self.bound, bound)

    # Choosing -------------------------------------------------------------------------

    def _choose(self, ways: Iterable[Candidate], spare: int = 1) -> Choice:
        """Choose among some candidates and what there is; keep it where it is better.

        Without ``spare`` this is for the bound of the power: moves cost nothing then.
        """
        candidates = {each.way.number: each for each in ways}
        offered = [
            replace(each, watts=each.way.power + spare * self.penalty[each.way.owner])
            for _, each in sorted(candidates.items())
        ]
        for start in self.starts:
            column = start.column
            if column is not start.running:
                watts = start.watts if spare else column.way.power
                offered.append(Candidate(column.way, watts, shares=column.shares))
            if start.running is not None:
                running, power = start.running, start.running.way.power
                offered.append(Candidate(running.way, power, shares=running.shares, runs=True))
        chooser = Chooser(self.network, self.classes, offered, self.unit, spare)
        choice = chooser.choose(self.tolerance, self.time_left())
        if choice.chosen is not None and spare:
            watts = sum(each.watts * count for each, count, _ in choice.chosen)
            if watts < self.watts * (1 - 1e-12):
                self.best, self.watts = choice.chosen, watts
                self.power = sum(each.way.power * count for each, count, _ in choice.chosen)
        return choice

    def _mixed(self, solution: MasterSolution) -> list[Candidate]:
        """The ways of which the master's solution is a mix."""
        columns = self.generation.master.columns
        taken = np.flatnonzero(solution.shares > 1e-9).tolist()
        return list(column_candidates([columns[index] for index in taken]).values())

    def _pool(self, solution: MasterSolution) -> list[Candidate]:
        """All ways found so far that could be part of a better plan, by the master's prices."""
        slack = self.power - self.bound
        columns = [
            (extra, column)
            for column in self.generation.master.columns
            if (extra := column.price(solution.prices) - solution.worth[column.way.owner]) <= slack
        ]
        columns.sort(key=_by_price)
        nearest = column_candidates([column for _, column in columns])
        return [*self._mixed(solution), *list(nearest.values())[:POOL]]

    # Without gap ----------------------------------------------------------------------

    def _exactly(self) -> None:
        """Close the relaxed problem without gap, and choose among all ways that matter."""
        generation = self.generation
        best: tuple[float, MasterSolution, Price] | None = None
        for _ in range(EXACT_ROUNDS):
            solution = generation.master.solve()
            price = generation.pricer.price(solution.prices)
            listing = self._listing(solution, price, slack=0.0)
            bound = self._bound_of(listing, solution)
            if best is None or bound > best[0]:
                best = (bound, solution, price)
            self._prove(bound)
            cheaper = (column.way for mine in listing.columns for column in mine)
            closed = solution.power - self.bound <= self.tolerance / 4 * solution.power
            if closed or not self._wide() or not generation.offer(cheaper, solution):
                break
        assert best is not None
        if self._wide():
            self._choose(self._pool(solution))
        closable = self.power - self.bound <= CLOSABLE * self.power
        if self._wide() and (closable or len(self.classes) <= SMALL):
            self._close(*best)

    def _listing(self, solution: MasterSolution, price: Price, slack: float) -> Listing:
        pricer = self.generation.pricer
        return list_ways(pricer, solution.prices, price, solution.worth, slack, self._in_time)

    def _bound_of(self, listing: Listing, solution: MasterSolution) -> float:
        return float(self.classes.count @ listing.least) - float(solution.prices.sum())

    def _close(self, bound: float, solution: MasterSolution, price: Price) -> None:
        """Choose among all ways that any better plan consists of.

        A plan with a way that is not listed costs more than the bound by what this way
        costs more than the least of its class.
        """
        slack = self.power - bound
        listing = self._listing(solution, price, slack)
        listed = column_candidates([c for mine in listing.columns for c in mine])
        known = column_candidates(self.generation.master.columns)
        kept = undominated(self.network, self.classes, (each.way for each in listed.values()))
        ways, beyond = self._nearest(kept, listing, solution)
        candidates = [known.get(way.number, listed[way.number]) for way in ways]
        self._choose([*self._pool(solution), *candidates])
        if self._wide():
            proven = self._choose(candidates, spare=0).bound
            self._prove(min(proven, self._bound_of(listing, solution) + beyond))

    def _nearest(
        self, ways: Sequence[Way], listing: Listing, solution: MasterSolution
    ) -> tuple[list[Way], float]:
        """The listed ways nearest to the least of their class; how far all others are, watts."""
        columns = reserve_at(ways, solution.prices)
        extra = [
            (c.price(solution.prices) - listing.least[c.way.owner], c.way.number, c.way)
            for c in columns
        ]
        extra.sort(key=_by_extra)
        beyond = float((listing.others - listing.least).min())
        if len(extra) > LISTED:
            beyond = min(beyond, extra[LISTED][0])
        return [way for _, _, way in extra[:LISTED]], beyond


def _by_price(entry: tuple[float, Column]) -> tuple[float, int]:
    return entry[0], entry[1].way.number


def _by_extra(entry: tuple[float, int, Way]) -> tuple[float, int]:
    return entry[:2]
