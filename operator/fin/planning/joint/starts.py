"""What applications have before they are improved, and what could be better."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fin.planning.joint.choice import Candidate
from fin.planning.joint.ways import Column, Way, reserve_at
from fin.planning.system import Floats


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

    @property
    def candidate(self) -> Candidate:
        """The deployment as one that may be chosen again."""
        runs = self.column is self.running
        return Candidate(self.column.way, self.watts, shares=self.column.shares, runs=runs)


def offers(
    ways: Sequence[Way], starts: Iterable[Start], prices: Floats
) -> dict[int, list[Candidate]]:
    """Candidates of each class, those of least price first; what runs stays one of them."""
    penalty = {start.column.way.owner: start.penalty for start in starts}
    costed: dict[int, list[tuple[float, int, Candidate]]] = {owner: [] for owner in penalty}
    for column in reserve_at(ways, prices):
        way, extra = column.way, penalty[column.way.owner]
        candidate = Candidate(way, way.power + extra, touches=(column.shares,))
        costed[way.owner].append((column.price(prices) + extra, way.number, candidate))
    for start in starts:
        run = start.running
        if run is not None:
            candidate = Candidate(run.way, run.way.power, shares=run.shares, runs=True)
            costed[run.way.owner].append((run.price(prices), -1, candidate))
    return {
        owner: [candidate for _, _, candidate in sorted(mine, key=_by_cost)]
        for owner, mine in costed.items()
    }


def _by_cost(entry: tuple[float, int, Candidate]) -> tuple[float, int]:
    return entry[:2]
