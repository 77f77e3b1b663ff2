"""What the solvers make of one problem, side by side."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fin.cli.outcome import Outcome, Planned
from fin.cli.report import as_plain, dumps
from fin.planning.problem import AppKey


@dataclass(frozen=True, slots=True)
class Saving:
    """What FIN saves against a solver, over the ``apps`` that both plan.

    ``watts`` may be negative; ``share`` is of the solver's power, 0 where that is 0.
    """

    apps: int
    watts: float
    share: float


@dataclass(frozen=True)
class Compared:
    """One solver: what came out, in how many seconds, and what FIN saves against it.

    ``saving`` is None for FIN itself, and where there is no app that both plan.
    """

    outcome: Outcome
    seconds: float
    saving: Saving | None

    @property
    def solver(self) -> str:
        """Name of the solver."""
        return self.outcome.solver

    @property
    def planned(self) -> Mapping[AppKey, Planned]:
        """Apps with a plan."""
        return {app.key: app for app in self.outcome.planned}

    @property
    def obstacles(self) -> Mapping[str, int]:
        """Why apps have no plan: constraints that are broken, or reasons; and for how many."""
        found: Counter[str] = Counter()
        for app in self.outcome.refused:
            found.update(app.broken or (app.reason,))
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class Comparison:
    """All of it; the first solver is FIN."""

    solvers: Sequence[Compared]

    @property
    def apps(self) -> list[AppKey]:
        """All apps, planned or not, by namespace and name."""
        return [app.key for app in self.solvers[0].outcome.apps]


def compared(outcome: Outcome, seconds: float, reference: Outcome | None) -> Compared:
    """Hold a solver's outcome against that of the ``reference``; None: it is the reference."""
    saving = None if reference is None else _saving(reference, outcome)
    return Compared(outcome, seconds, saving)


def _saving(reference: Outcome, other: Outcome) -> Saving | None:
    ours = {app.key: app.power for app in reference.planned}
    theirs = {app.key: app.power for app in other.planned if app.key in ours}
    if not theirs:
        return None
    power = sum(theirs.values())
    watts = power - sum(ours[key] for key in theirs)
    return Saving(len(theirs), watts, watts / power if power else 0.0)


def to_json(comparison: Comparison) -> str:
    """Write a comparison as one JSON object; base units."""
    return dumps({"solvers": [_plain(each) for each in comparison.solvers]})


def _plain(each: Compared) -> dict[str, Any]:
    """What ``fin plan`` prints for the solver, and what only a comparison has."""
    plain = as_plain(each.outcome)
    broken = {app.key: list(app.broken) for app in each.outcome.refused}
    for app in plain["apps"]:
        app["broken"] = broken.get((app["namespace"], app["name"]), [])
    saving = each.saving
    return {
        "solver": each.solver,
        "admitted": len(each.planned),
        "seconds": each.seconds,
        "saving": saving
        and {"apps": saving.apps, "powerWatts": saving.watts, "share": saving.share},
        **{key: value for key, value in plain.items() if key != "solver"},
    }
