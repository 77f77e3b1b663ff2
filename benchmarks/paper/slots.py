"""FIN over gamma, the number of slots of the latency target: what few of them cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from fin.planning.fin import Solution, solve
from fin.planning.options import Options
from fin.planning.plan import gap
from fin.planning.system import system_left
from tests.helpers.paper_scenario import ACCURACIES, GRID, scenario

GAMMAS = (*range(10, 101, 10), None)
"""Slots; None: as many as the tolerance needs, the default."""


@dataclass(frozen=True, slots=True)
class Slots:
    """All points of a model that have a plan, with one number of slots.

    ``planned`` counts those for which FIN finds a plan, ``optimal`` those for which it finds
    the least energy. The excess is relative, over the points that are planned; ``gap`` is the
    mean of what FIN itself proves.
    """

    model: str
    gamma: int | None
    points: int
    planned: int
    optimal: int
    mean_excess: float
    largest_excess: float
    gap: float


def all_slots() -> Iterator[Slots]:
    """Measure every model at every number of slots."""
    for name in GRID:
        for gamma in GAMMAS:
            yield slots(name, gamma)


def slots(name: str, gamma: int | None) -> Slots:
    """Measure a model with ``gamma`` slots, against FIN without slots at no tolerance."""
    _, latencies = GRID[name]
    count, excess, gaps = 0, [], []
    for latency in latencies:
        for accuracy in ACCURACIES:
            best = _solve(name, latency, accuracy, Options(tolerance=0.0))
            if best.placement is None:
                continue
            count += 1
            found = _solve(name, latency, accuracy, Options(gamma=gamma))
            if found.placement is not None:
                excess.append(found.energy / best.energy - 1)
                gaps.append(gap(found.energy, found.bound))
    return Slots(
        model=name,
        gamma=gamma,
        points=count,
        planned=len(excess),
        optimal=sum(each <= 1e-9 for each in excess),
        mean_excess=max(fmean(excess), 0.0) if excess else 0.0,
        largest_excess=max(excess, default=0.0),
        gap=fmean(gaps) if gaps else 0.0,
    )


def _solve(name: str, latency: float, accuracy: float, options: Options) -> Solution:
    problem = scenario(GRID[name][0], latency, accuracy)
    return solve(system_left(problem), problem.apps[0], options)
