"""Conditions, as Kubernetes has them: the time of a transition stays while the status does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from fin.api.meta import Condition
from fin.cluster import reading
from fin.cluster.snapshot import Object

_LONGEST = 4096
"""Characters of a message; what is longer helps nobody."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition holds, why in one CamelCase word, and why for people."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


def conditions(obj: Object, verdicts: Mapping[str, Verdict], now: float) -> tuple[Condition, ...]:
    """Return the conditions of an object, in the order of ``verdicts``."""
    before = {
        reading.text(each, "type"): each for each in reading.mappings(obj, "status", "conditions")
    }
    generation = reading.at(obj, "metadata", "generation")
    return tuple(
        Condition(
            type=kind,
            status=verdict.status,
            reason=verdict.reason,
            message=verdict.message[:_LONGEST],
            observed_generation=generation if isinstance(generation, int) else 0,
            last_transition_time=_since(before.get(kind), verdict, now),
        )
        for kind, verdict in verdicts.items()
    )


def _since(before: Object | None, verdict: Verdict, now: float) -> datetime:
    if before is not None and before.get("status") == verdict.status:
        try:
            return datetime.fromisoformat(reading.text(before, "lastTransitionTime"))
        except ValueError:
            pass
    return datetime.fromtimestamp(now, UTC)
