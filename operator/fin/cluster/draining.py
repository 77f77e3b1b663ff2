"""When what no revision needs any more may go."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fin.api.names import LABEL_SEGMENT
from fin.cluster import reading
from fin.cluster.answering import Pod, ready_pods
from fin.cluster.cases import Case
from fin.cluster.failing import is_dead
from fin.cluster.memory import MoveMemory
from fin.cluster.naming import config_name
from fin.cluster.observed import Observed
from fin.cluster.running import Serving
from fin.cluster.settings import MoveSettings
from fin.cluster.workloads import left_behind
from fin.planning.problem import AppKey


@dataclass(frozen=True)
class Drained:
    """What of an app may go.

    Attributes
    ----------
    app
        The app.
    remove
        Deployments that may go now.
    until
        From when on others may whatever is known of the entry (``MoveMemory.idle``).
    next
        When the next of them may go, as far as is known now.
    unread
        Pods of the entry, where some wait until it has read its new hops.
    read
        Since when it is known that it has (``MoveMemory.read``).
    """

    app: AppKey
    remove: tuple[str, ...]
    until: Mapping[tuple[str, str], float] = field(default_factory=dict)
    next: float | None = None
    unread: tuple[Pod, ...] = ()
    read: float | None = None


def drained(
    seen: Observed,
    case: Case,
    settings: MoveSettings,
    now: float,
    memory: MoveMemory,
    *,
    config_is_current: bool,
) -> Drained:
    """Return which segments of an app may go.

    At once: those on lost nodes, all where nothing serves, those without a budget, which have
    never served, and those that have not been Ready for long. The others wait until the app's
    Service sends requests to its entry alone, and a while longer for requests that are under
    way. Where the entry is the same as before, it has to read its new hops first: that it has, it
    says itself, or enough time has passed.
    """
    idle = [name for name in case.owned.deployments if name not in case.needed]
    if case.serving is None:
        return Drained(case.key, tuple(idle))
    digests = {
        name: reading.text(case.owned.deployments[name], "metadata", "labels", LABEL_SEGMENT)
        for name in (*idle, case.serving.entry)
        if name in case.owned.deployments
    }
    receivers = seen.receivers(case.key)
    entry = digests.get(case.serving.entry)
    turned = config_is_current and receivers == {entry}
    called = left_behind(case.owned.config_maps.get(config_name(case.key[1])))
    asked = ready_pods(seen, case.key, entry) if turned and entry and called & {*idle} else []
    read = memory.read.get(case.key, now) if _have_read(case.serving, asked, memory) else None
    remove, until, ends = [], {}, []
    for name in idle:
        live = case.owned.deployments[name]
        dead = is_dead(seen, case.key, live, settings.ready_timeout, now)
        useless = dead or name not in case.owned.budgets
        key = case.key[0], name
        wait = settings.refresh if name in called else settings.drain
        latest = memory.idle.get(key, now + wait) if turned else None
        end = latest
        if latest is not None and read is not None:
            end = min(latest, max(read, latest - wait) + settings.drain)
        drained_now = end is not None and end <= now
        if name in case.lost or drained_now or (useless and digests[name] not in receivers):
            remove.append(name)
        elif latest is not None and end is not None:
            until[key] = latest
            ends.append(end)
    return Drained(case.key, tuple(remove), until, min(ends, default=None), tuple(asked), read)


def _have_read(serving: Serving, entries: Iterable[Pod], memory: MoveMemory) -> bool:
    """Whether all pods of the entry say that they follow what serves; not where there is none."""
    followed = {memory.follows.get(pod.uid) for pod in entries}
    return serving.revision is not None and followed == {serving.revision.digest}
