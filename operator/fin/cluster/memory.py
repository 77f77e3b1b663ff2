"""What the operator remembers from round to round; losing it costs time, never a service."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fin.cluster.telemetry.adapting import Adapted
from fin.cluster.world import World
from fin.planning.plan import AppPlan
from fin.planning.problem import AppKey

LONGEST_BACKOFF = 3600.0
"""Seconds that a node is left out at most, however often it failed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that went wrong, how often, and until when it is not tried again."""

    count: int
    until: float


@dataclass(frozen=True)
class MoveMemory:
    """State of moves that the API server does not hold; times as ``decide`` is given them.

    Attributes
    ----------
    idle
        From when on a segment that no revision needs may go, by namespace and name.
    failures
        Nodes that are, or were, left out for an app.
    replaced
        Deployments that were made anew since someone had added to them, by namespace and name,
        and until when that is not done again: else two who disagree would do it for ever.
    exchange
        Apps that change places, and where they are to run. They count as running there,
        else an app that was broken for it would be planned back to where it came from.
    told
        Standing troubles that an Event has told already: app, its uid, and the reason.
    adapted
        What apps were planned with last in place of declared values, should it not be written yet.
    follows
        Which revision entries follow by what they say themselves, by their pod's uid.
    read
        Since when the entry of an app is known to follow what serves.
    """

    idle: Mapping[tuple[str, str], float] = field(default_factory=dict)
    failures: Mapping[tuple[AppKey, str], Failure] = field(default_factory=dict)
    replaced: Mapping[tuple[str, str], Failure] = field(default_factory=dict)
    exchange: Mapping[AppKey, AppPlan] = field(default_factory=dict)
    told: frozenset[tuple[AppKey, str, str]] = frozenset()
    adapted: Mapping[AppKey, Adapted] = field(default_factory=dict)
    follows: Mapping[str, str] = field(default_factory=dict)
    read: Mapping[AppKey, float] = field(default_factory=dict)


def excluded_nodes(memory: MoveMemory, app: AppKey, now: float) -> frozenset[str]:
    """Nodes that are left out for ``app``, since a segment of it was not Ready there in time."""
    return frozenset(
        node
        for (key, node), failure in memory.failures.items()
        if key == app and failure.until > now
    )


def leave_out(world: World, memory: MoveMemory, now: float) -> World:
    """Bar each app of the problem from the nodes that are left out for it."""
    apps = tuple(
        replace(app, barred=app.barred | excluded)
        if (excluded := excluded_nodes(memory, app.key, now))
        else app
        for app in world.problem.apps
    )
    return replace(world, problem=replace(world.problem, apps=apps))


def after_failure(failure: Failure | None, first: float, now: float) -> Failure:
    """Wait for ``first`` seconds, and twice as long each time it fails again."""
    count = failure.count + 1 if failure else 1
    return Failure(count, now + min(first * 2.0 ** min(count - 1, 30), LONGEST_BACKOFF))
