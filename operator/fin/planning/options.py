"""What a planner may be told, besides the problem."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of a planning run.

    Attributes
    ----------
    gamma
        Slots of the latency target (the paper's gamma), fixed; None: as many as the
        tolerance needs.
    tolerance
        Relative gap at which an application's plan counts as optimal.
    min_saving
        Share of the power of the applications that it moves which a new plan must save.
    time_limit
        Seconds that the mixed-integer solver may take, and improving a plan of several
        applications together; None: no limit.
    """

    gamma: int | None = None
    tolerance: float = 1e-3
    min_saving: float = 0.05
    time_limit: float | None = None


MANY = 40
"""Applications from which one alone is placed by its prices of time only: all together are
improved afterwards."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to look for one application's placement, counted in labels, not in time.

    Attributes
    ----------
    labels
        Labels after which a search is content with the placement that it has; 0: no search,
        only what the prices of time find.
    below
        Energy per inference that a placement must stay below to be of use, joules.
    """

    labels: int = 200_000
    below: float = float("inf")


def thorough(apps: int) -> Effort:
    """Effort for an application alone, one of ``apps``: its answer also is its bound."""
    return Effort(labels=0 if apps > MANY else max(200_000 // max(apps, 1), 5_000))


def quick(apps: int, below: float = float("inf")) -> Effort:
    """Effort for an application beside others, where their order decides more than a label."""
    labels = 0 if apps > MANY else max(20_000 // max(apps, 1), 500)
    return Effort(labels=labels, below=below)
