"""When what no revision needs any more may go."""

from collections.abc import Mapping
from dataclasses import dataclass

from fin.api.names import LABEL_SEGMENT
from fin.cluster import reading
from fin.cluster.cases import Case
from fin.cluster.failing import is_dead
from fin.cluster.naming import config_name
from fin.cluster.observed import Observed
from fin.cluster.settings import MoveSettings
from fin.cluster.workloads import left_behind

IdleUntil = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Drained:
    """Deployments that may go now, and from when on others may (``MoveMemory.idle``)."""

    remove: tuple[str, ...]
    until: IdleUntil


def drained(
    seen: Observed,
    case: Case,
    settings: MoveSettings,
    now: float,
    until: IdleUntil,
    *,
    config_is_current: bool,
) -> Drained:
    """Return which segments of an app may go.

    At once: those on lost nodes, all where nothing serves, those without a budget, which have
    never served, and those that have not been Ready for long. The others wait until the app's
    Service sends requests to its entry alone, and a while longer for requests that are under
    way. Where the entry is the same as before, it has to read its new hops first.
    """
    idle = [name for name in case.owned.deployments if name not in case.needed]
    if case.serving is None:
        return Drained(tuple(idle), {})
    digests = {
        name: reading.text(case.owned.deployments[name], "metadata", "labels", LABEL_SEGMENT)
        for name in (*idle, case.serving.entry)
        if name in case.owned.deployments
    }
    receivers = seen.receivers(case.key)
    turned = config_is_current and receivers == {digests.get(case.serving.entry)}
    called = left_behind(case.owned.config_maps.get(config_name(case.key[1])))
    remove, waiting = [], {}
    for name in idle:
        live = case.owned.deployments[name]
        dead = is_dead(seen, case.key, live, settings.ready_timeout, now)
        useless = dead or name not in case.owned.budgets
        key = case.key[0], name
        wait = settings.refresh if name in called else settings.drain
        over = until.get(key, now + wait) if turned else None
        drained_now = over is not None and over <= now
        if name in case.lost or drained_now or (useless and digests[name] not in receivers):
            remove.append(name)
        elif over is not None:
            waiting[key] = over
    return Drained(tuple(remove), waiting)
