"""Segments that are not Ready in time, and the nodes that are left out for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from fin.api.names import LABEL_SEGMENT
from fin.cluster import reading
from fin.cluster.cases import Case
from fin.cluster.health import is_ready, unready_since
from fin.cluster.memory import LONGEST_BACKOFF, Failure, MoveMemory, after_failure
from fin.cluster.observed import Observed
from fin.cluster.revision import Segment
from fin.cluster.snapshot import Object
from fin.planning.problem import AppKey

K = TypeVar("K")
Failures = Mapping[tuple[AppKey, str], Failure]


@dataclass(frozen=True)
class Failing:
    """What failed in this round, all that is still left out, and when the next one could fail."""

    failed: Mapping[AppKey, tuple[Segment, ...]]
    failures: Failures
    next_at: float | None


def judge(
    seen: Observed,
    cases: Mapping[AppKey, Case],
    memory: MoveMemory,
    timeout: float,
    now: float,
) -> Failing:
    """Find wanted segments that have not been Ready for ``timeout`` seconds.

    Their nodes are left out for the app: that long at first, and twice as long each time.
    """
    known = still_known(memory.failures, now)
    failures = {place: failure for place, failure in known.items() if place[0] in cases}
    failed: dict[AppKey, tuple[Segment, ...]] = {}
    moments = [failure.until for failure in failures.values() if failure.until > now]
    for key, case in cases.items():
        for segment, since in _existing(seen, case):
            place = key, segment.node
            if since is None:
                failures.pop(place, None)
                continue
            before = failures.get(place)
            if before and before.until > now:
                continue
            if since + timeout > now:
                moments.append(since + timeout)
                continue
            failures[place] = after_failure(before, timeout, now)
            moments.append(failures[place].until)
            failed[key] = (*failed.get(key, ()), segment)
    return Failing(failed, failures, min(moments, default=None))


def still_known(failures: Mapping[K, Failure], now: float) -> dict[K, Failure]:
    """Forget what has not gone wrong for long after it could be tried again."""
    return {key: each for key, each in failures.items() if now < each.until + LONGEST_BACKOFF}


def is_dead(seen: Observed, app: AppKey, deployment: Object, timeout: float, now: float) -> bool:
    """Whether a segment has not been Ready for ``timeout`` seconds."""
    since = None if is_ready(deployment) else _since(seen, app, deployment)
    return since is not None and since + timeout <= now


def _since(seen: Observed, app: AppKey, deployment: Object) -> float | None:
    digest = str(reading.labels(deployment).get(LABEL_SEGMENT, ""))
    return unready_since(deployment, seen.pods(app, digest))


def _existing(seen: Observed, case: Case) -> Iterator[tuple[Segment, float | None]]:
    """Wanted segments that exist, with the time since when they are not Ready, if so."""
    for segment in case.wanted.segments if case.wanted else ():
        deployment = case.owned.deployments.get(segment.name)
        if deployment is None or segment.name in case.lost:
            continue
        if is_ready(deployment):
            yield segment, None
        elif (since := _since(seen, case.key, deployment)) is not None:
            yield segment, since
