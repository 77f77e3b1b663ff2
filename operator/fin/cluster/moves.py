"""A round of moves: from what is, and what is planned, to what is written now.

Nothing here remembers what was done: each round starts from the objects as they are, so it
may break off anywhere, and the next one goes on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from fin.cluster.actions import Action, Event
from fin.cluster.cases import Case, make_cases, stuck_nodes
from fin.cluster.decision import Decision
from fin.cluster.draining import Drained, drained
from fin.cluster.failing import Failing, is_dead, judge, still_known
from fin.cluster.health import is_ready, why_not_ready
from fin.cluster.memory import Failure, MoveMemory, after_failure
from fin.cluster.observed import Observed
from fin.cluster.placing import break_first, place
from fin.cluster.revision import Segment
from fin.cluster.running import revision_of
from fin.cluster.settings import MoveSettings
from fin.cluster.snapshot import Snapshot
from fin.cluster.states import state_of
from fin.cluster.telemetry.adapting import DECLARED
from fin.cluster.telling import done, failed, standing
from fin.cluster.world import World
from fin.cluster.writing import Step, Writer, replaced_by
from fin.planning.plan import AppPlan, Plan
from fin.planning.problem import AppKey

SOON = 1.0
"""Seconds to the next round where this one found something that changes the plan."""

REPLACE_AGAIN = 60.0
"""Seconds before a Deployment is replaced a second time since someone adds to it."""


def decide(
    snapshot: Snapshot,
    world: World,
    plan: Plan,
    settings: MoveSettings,
    now: float,
    memory: MoveMemory,
) -> Decision:
    """Return what to write now, so that every app comes to run what is planned for it.

    Parameters
    ----------
    snapshot, world
        What is, and the same in the planner's terms.
    plan
        Made from ``world`` and ``read_running``, and checked against them.
    settings
        How apps are moved.
    now
        Wall-clock time, s since 1970: compared with the API server's time stamps.
    memory
        From the round before; an empty one after a restart.
    """
    return _Round(snapshot, world, plan, settings, now, memory).decide()


class _Round:
    """One round; what it does for one app depends on the others by the room they need alone."""

    def __init__(
        self,
        snapshot: Snapshot,
        world: World,
        plan: Plan,
        settings: MoveSettings,
        now: float,
        memory: MoveMemory,
    ) -> None:
        self.world = world
        self.plan = plan
        self.settings = settings
        self.now = now
        self.memory = memory
        self.seen = Observed(snapshot)
        self.cases = make_cases(self.seen, world, plan, settings)
        self.placing = place(self.seen, world, self.cases)
        self.broken = break_first(self.seen, self.cases, self.placing, memory)
        self.failing = judge(self.seen, self.cases, memory, settings.ready_timeout, now)

    def decide(self) -> Decision:
        actions: list[Action] = []
        events: list[Event] = []
        waits: list[Drained] = []
        replaced = still_known(self.memory.replaced, self.now)
        for key, case in self.cases.items():
            step = self._step(case)
            over = self._drained(case, step)
            waits.append(over)
            step = replace(step, remove=tuple(sorted({*step.remove, *over.remove})))
            writes = tuple(self._writer(case, step).actions())
            anew = replaced_by(case, step, writes)
            for name in anew:
                failure = replaced.get((key[0], name))
                replaced[key[0], name] = after_failure(failure, REPLACE_AGAIN, self.now)
            actions += writes
            events += done(case, step, writes, anew, self.world, self.plan)
        lasting = {
            (event.app, event.uid, event.reason): event
            for case in self.cases.values()
            for event in standing(case, self.world, self.plan)
        }
        new = [event for key, event in lasting.items() if key not in self.memory.told]
        return Decision(
            actions=tuple(actions),
            events=(*events, *_failures(self.seen, self.cases, self.failing), *new),
            states={
                key: state_of(self.seen, self.world, self.plan, case, self.placing.blocked.get(key))
                for key, case in self.cases.items()
            },
            memory=MoveMemory(
                idle={name: until for each in waits for name, until in each.until.items()},
                failures=self.failing.failures,
                replaced=replaced,
                exchange=self._exchange(),
                told=frozenset(lasting),
                adapted=self.world.adapted,
                read={each.app: each.read for each in waits if each.read is not None},
            ),
            requeue_after=self._requeue_after(waits, replaced),
            unread=tuple(pod for each in waits for pod in each.unread),
        )

    def _step(self, case: Case) -> Step:
        if case.key == self.broken:
            return Step(turn=True, remove=case.leaving)
        outdated = _outdated_entry(case)
        may_turn = case.phase == "moving" and case.conflict is None and outdated is None
        idle = outdated is not None and outdated.digest not in self.seen.receivers(case.key)
        return Step(
            create=self.placing.create.get(case.key, frozenset()),
            turn=may_turn and self._may_turn(case),
            remove=(outdated.name,) if outdated is not None and idle else (),
            unprotected=frozenset(stuck_nodes(case, self.world)),
            spared=frozenset(
                name
                for (namespace, name), failure in self.memory.replaced.items()
                if namespace == case.key[0] and failure.until > self.now
            ),
        )

    def _may_turn(self, case: Case) -> bool:
        """Whether requests may go to the wanted revision from now on."""
        if _could_serve(case):
            return True
        return case.key not in self.placing.blocked and self._serves_no_more(case)

    def _serves_no_more(self, case: Case) -> bool:
        """Whether waiting for the wanted revision helps nobody.

        The entry that serves has not been Ready for long; or a segment behind it is lost, and
        the wanted revision has the same entry: what passes that is lost until it has read its
        new hops.
        """
        old, there = case.old, case.owned.deployments
        if old is None or case.wanted is None:
            return False
        entry = there.get(old.entry.name)
        if entry is not None and is_dead(
            self.seen, case.key, entry, self.settings.ready_timeout, self.now
        ):
            return True
        return case.degraded and old.entry.name == case.wanted.entry.name

    def _writer(self, case: Case, step: Step) -> Writer:
        spec = self.world.apps.get(case.key)
        adapts = spec is None or spec.spec.adapt
        adapted = self.world.adapted.get(case.key) if adapts else DECLARED
        return Writer(self.seen, case, step, adapted)

    def _drained(self, case: Case, step: Step) -> Drained:
        return drained(
            self.seen,
            case,
            self.settings,
            self.now,
            self.memory,
            config_is_current=self._writer(case, step).config_is_current(),
        )

    def _exchange(self) -> dict[AppKey, AppPlan]:
        """Where apps that change places are to run, until they do or the plan is another one."""
        found = {
            key: app_plan
            for key, app_plan in self.memory.exchange.items()
            if key in self.cases
            and _same(self.plan.app.get(key), app_plan)
            and (self.cases[key].phase != "settled" or self.cases[key].missing)
        }
        if self.broken is not None:
            blocked = (key for key in self.placing.blocked if self.cases[key].phase == "moving")
            found |= {key: self.plan.app[key] for key in (*blocked, self.broken)}
        return found

    def _requeue_after(
        self, waits: Iterable[Drained], replaced: Mapping[tuple[str, str], Failure]
    ) -> float | None:
        if self.failing.failed:
            return SOON
        ends = (each.next for each in waits if each.next is not None)
        moments = [*ends, *(failure.until for failure in replaced.values())]
        if self.failing.next_at is not None:
            moments.append(self.failing.next_at)
        ahead = [moment - self.now for moment in moments if moment > self.now]
        return min(ahead, default=None)


def _outdated_entry(case: Case) -> Segment | None:
    """Return the wanted entry where it exists, does not serve, and was told other hops before.

    It is made anew: a kubelet would show it the right ones a minute later only.
    """
    wanted = case.wanted
    if wanted is None or case.phase not in ("fresh", "moving"):
        return None
    live = case.owned.deployments.get(wanted.entry.name)
    if live is None or (case.serving and case.serving.entry == wanted.entry.name):
        return None
    told = revision_of(live)
    return None if told and told.digest == wanted.digest else wanted.entry


def _could_serve(case: Case) -> bool:
    """Whether the wanted revision is Ready."""
    there = case.owned.deployments
    return case.wanted is not None and all(
        segment.name in there
        and is_ready(there[segment.name])
        and segment.name in case.owned.services
        for segment in case.wanted.segments
    )


def _failures(seen: Observed, cases: Mapping[AppKey, Case], failing: Failing) -> list[Event]:
    events = []
    for key, segments in failing.failed.items():
        case, first = cases[key], segments[0]
        live = case.owned.deployments.get(first.name)
        events.append(failed(case, segments, why_not_ready(live, seen.pods(key, first.digest))))
    return events


def _same(one: AppPlan | None, other: AppPlan) -> bool:
    return (
        one is not None and one.placement == other.placement and one.millicores == other.millicores
    )
