"""What was observed, as an app's status has it."""

from collections.abc import Mapping

from pydantic import ValidationError

from fin.api.duration import Duration
from fin.api.inferenceapp import ExitStatus, ObservedLatency, ObservedStatus
from fin.api.meta import Condition
from fin.api.names import CONDITION_DRIFTED
from fin.api.quantity import Quantity
from fin.cluster import reading
from fin.cluster.conditions import Verdict
from fin.cluster.revision import Revision
from fin.cluster.snapshot import Object
from fin.cluster.telemetry.track import NOT_YET, Told

_NOTHING = Verdict("Unknown", "NotObserved", "Nothing of it serves")


def beside_the_plan(
    app: Object, serving: Revision | None, told: Told | None
) -> tuple[Verdict, ObservedStatus | None]:
    """Return whether a live app drifts, and what is observed.

    Parameters
    ----------
    app
        The app. What its status says of the revision that serves stays for as long as this copy
        of the operator knows nothing itself: a restart changes no status.
    serving
        The revision that serves.
    told
        What is to be told; None: nothing is known yet.
    """
    if serving is None:
        return _NOTHING, None
    if told is None:
        return _said_before(app, serving)
    if told.revision != serving.digest:
        return NOT_YET, None
    return told.verdict, _observed(told)


def _said_before(app: Object, serving: Revision) -> tuple[Verdict, ObservedStatus | None]:
    said = [
        each
        for each in reading.mappings(app, "status", "conditions")
        if each.get("type") == CONDITION_DRIFTED
    ]
    try:
        observed = ObservedStatus.model_validate(reading.mapping(app, "status", "observed"))
        drifted = Condition.model_validate(said[0] if said else {})
    except ValidationError:
        return NOT_YET, None
    if observed.revision != serving.digest:
        return NOT_YET, None
    return Verdict(drifted.status, drifted.reason, drifted.message), observed


def _observed(told: Told) -> ObservedStatus | None:
    seen = told.seen
    if seen is None:
        return None
    return ObservedStatus(
        revision=told.revision,
        rate=Quantity.of(seen.rate),
        power=Quantity.of(seen.power),
        latency=ObservedLatency(
            mean=Duration.of(seen.latency.mean),
            p99=Duration.of(seen.latency.p99),
            from_source=Duration.of(told.from_source),
        )
        if seen.latency
        else None,
        exits=exit_statuses(seen.shares) if seen.shares else None,
    )


def exit_statuses(shares: Mapping[str, float]) -> tuple[ExitStatus, ...]:
    """Return shares of exits as a status has them, to a thousandth."""
    return tuple(
        ExitStatus(name=name, share=min(max(round(share, 3), 0.0), 1.0))
        for name, share in shares.items()
    )
