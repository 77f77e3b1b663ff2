"""From one valid plan to the best one, and the proof of how near it is.

First the relaxed problem by column generation, then one way for every application out of
what that found; where the two stay apart, pricing without gap, and the choice out of all
ways that could be part of a better plan.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fin.planning.joint.choice import Candidate, Choice, Chooser, Within, column_candidates
from fin.planning.joint.closing import Closed, close
from fin.planning.joint.dominance import undominated
from fin.planning.joint.exact import Listing, list_ways, loose_bounds
from fin.planning.joint.generation import Generation
from fin.planning.joint.kinds import Classes
from fin.planning.joint.master import MasterSolution
from fin.planning.joint.neighbours import Chosen, Neighbours
from fin.planning.joint.network import EGRESS, Network
from fin.planning.joint.rounding import Rounding
from fin.planning.joint.starts import Start, offers
from fin.planning.joint.ways import Column, Way, reserve_at
from fin.planning.system import Floats

MOST, TRADED, REFINED = 4000, 50, 10
"""Ways that a choice is made of where its bound is asked for; those whose reservations are
part of it from the first; and times that more become so."""

POOL = 120
"""Ways that a plan is chosen from, besides those of the master's mix: those of least price."""

SMALL, SOME = 30, 200
"""Classes up to which all ways are listed that a better plan could consist of; and up to
which whole plans are chosen out of more than the mix, and a dive is worth its time."""

FALLEN = 1e3
"""Factor by which the power must have fallen for a choice to be made again: the solver's
tolerances are absolute, in what it counted in."""

NEAR = 0.1
"""Slack within which ways are listed for neighbourhoods, in what an application needs."""


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
        self.best: tuple[tuple[Candidate, int, Floats], ...] | None = None
        self.bound = 0.0

    def run(self) -> Improved:
        """Improve until the gap is within the tolerance, or nothing more is to be done."""
        generation = self.generation
        generation.start(start.column for start in self.starts)
        generation.start(start.running for start in self.starts if start.running is not None)
        relaxation = generation.run(self.tolerance / 4, self._in_time)
        if not self._in_time():
            return Improved(None, 0.0)
        values = loose_bounds(generation.pricer, relaxation.prices, relaxation.price)
        self._prove(self.classes.bound(values, relaxation.prices))
        if self._wide():
            self._closed(close(generation, self.tolerance / 4, self._in_time))
        else:
            self._choose(self._mixed(relaxation.master))
        return Improved(self.best, min(self.bound, self.power))

    def _closed(self, closed: Closed) -> None:
        """Find the plan, where the relaxed problem has been solved as well as can be."""
        self._prove(closed.bound)
        some = len(self.classes) <= SOME
        self._choose(self._pool(closed.last) if some else self._mixed(closed.last))
        if self._wide() and some:
            self._round(closed.last)
        if self._wide():
            self._neighbours(closed)
        if self._wide() and some:
            small = len(self.classes) <= SMALL
            slack = self.power - closed.bound if small else NEAR * self.unit
            self._refine(closed, slack, proves=small)

    def _wide(self) -> bool:
        return self.power - self.bound > self.tolerance * self.power and self._in_time()

    @property
    def unit(self) -> float:
        """The mean power of an application, watts: what the solver counts in."""
        return self.power / len(self.starts) or 1.0

    def _in_time(self) -> bool:
        left = self.time_left()
        return left is None or left > 0

    def _prove(self, bound: float) -> None:
        if np.isfinite(bound):
            self.bound = max(self.bound, bound)

    # Choosing -------------------------------------------------------------------------

    def _choose(
        self, ways: Iterable[Candidate], spare: int = 1, scarce: NDArray[np.bool_] | None = None
    ) -> Choice:
        """Choose among some candidates and what there is; keep it where it is better.

        Without ``spare`` this is for the bound of the power: moves cost nothing then, and of
        links and interfaces only ``scarce`` ones count, as where routes were left out.
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
        room = self.network.room.copy()
        if scarce is not None:
            traffic = np.arange(len(room)) >= EGRESS * self.network.size
            room[traffic & ~scarce] = np.inf
        within = Within(self.classes.count, room)
        while True:
            unit = self.unit
            chooser = Chooser(self.network, self.classes, offered, unit, spare, within=within)
            choice = chooser.choose(self.tolerance, self.time_left)
            if choice.chosen is not None and spare:
                watts = sum(each.watts * count for each, count, _ in choice.chosen)
                if watts < self.watts * (1 - 1e-12):
                    self._keep(choice.chosen)
            if self.unit > unit / FALLEN or not self._in_time():
                return choice

    def _keep(self, chosen: tuple[tuple[Candidate, int, Floats], ...]) -> None:
        self.best = chosen
        self.watts = sum(each.watts * count for each, count, _ in chosen)
        self.power = sum(each.way.power * count for each, count, _ in chosen)

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

    def _round(self, solution: MasterSolution) -> None:
        """Dive from the relaxed mix to a plan."""
        ways = Rounding(self.generation, solution).run()
        self._choose(Candidate(way, way.power) for way in ways)

    def _neighbours(self, closed: Closed) -> None:
        """Choose anew for a few applications at a time."""
        prices = closed.solution.prices
        self._listing(closed, NEAR * self.unit, returning=False)
        search = Neighbours(
            self.network,
            self.classes,
            self._plan(),
            offers(self.generation.ways.found, self.starts, prices),
            closed.listing.least,
            prices,
            self.unit,
        )
        enough = self.bound * (1 + self.tolerance)
        search.improve(enough, self.tolerance, self.time_left)
        if search.watts < self.watts * (1 - 1e-12):
            self._keep(tuple((each.candidate, 1, each.shares) for each in search.plan))

    def _plan(self) -> list[Chosen]:
        """The best plan so far, application by application."""
        if self.best is not None:
            return [
                Chosen(candidate, shares)
                for candidate, count, shares in self.best
                for _ in range(count)
            ]
        return [Chosen(start.candidate, start.column.shares) for start in self.starts]

    # Without gap ----------------------------------------------------------------------

    def _listing(self, closed: Closed, slack: float, *, returning: bool = True) -> Listing:
        solution = closed.solution
        return list_ways(
            self.generation.pricer,
            solution.prices,
            closed.price,
            solution.worth,
            slack,
            self._in_time,
            returning=returning,
        )

    def _refine(self, closed: Closed, slack: float, *, proves: bool) -> None:
        """Choose among all ways within a slack; where it is all of it, that also proves a bound.

        A plan with a way that is not listed costs more than the bound by what this way
        costs more than the least of its class. Of most ways no more is asked than
        reservations that none can be below: those that are chosen are then looked at
        as they are, and it is chosen again.
        """
        listing = self._listing(closed, slack, returning=proves)
        listed = column_candidates([c for mine in listing.columns for c in mine])
        known = column_candidates(self.generation.master.columns)
        exact = listed | {number: known[number] for number in listed.keys() & known.keys()}
        kept = undominated(self.network, self.classes, (each.way for each in listed.values()))
        ordered = self._by_price(kept, closed.solution, listing)
        beyond = float((listing.others - listing.least).min())
        if len(ordered) > MOST:
            beyond = min(beyond, ordered[MOST][0])
        base = self.classes.bound(listing.least, closed.solution.prices) if proves else -np.inf
        ways = [way for _, way in ordered[:MOST]]
        traded = {way.number for way in ways[:TRADED]}
        for _ in range(REFINED):
            offered = [
                exact[way.number]
                if way.number in traded
                else Candidate(way, way.power, shares=way.fewest)
                for way in ways
            ]
            choice = self._choose(offered, spare=0, scarce=closed.solution.prices > 0)
            self._prove(min(choice.bound, base + beyond))
            fresh = {each.way.number for each, _, _ in choice.chosen or ()} - traded
            if not self._wide() or not fresh:
                break
            traded |= fresh
        if self._wide():
            nearest = [exact[way.number] for way in ways if way.number in traded]
            self._choose([*self._pool(closed.last), *nearest])

    def _by_price(
        self, ways: Sequence[Way], solution: MasterSolution, listing: Listing
    ) -> list[tuple[float, Way]]:
        """Ways by how much more they cost than the least of their class, watts."""
        costs = (
            (column.price(solution.prices) - listing.least[column.way.owner], column.way)
            for column in reserve_at(ways, solution.prices)
        )
        return sorted(costs, key=_by_extra)


def _by_price(entry: tuple[float, Column]) -> tuple[float, int]:
    return entry[0], entry[1].way.number


def _by_extra(entry: tuple[float, Way]) -> tuple[float, int]:
    return entry[0], entry[1].number
