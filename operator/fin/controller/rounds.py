"""The planning task: one round after another, whenever something has changed."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from fin.api.names import API_VERSION
from fin.cluster import reading
from fin.cluster.actions import Event
from fin.cluster.findings import Finding
from fin.cluster.memory import MoveMemory
from fin.cluster.status import StatusPatch
from fin.controller import kinds
from fin.controller.alarm import QUIET, Alarm
from fin.controller.collector import Collector
from fin.controller.following import Following
from fin.controller.kube import ApiError, Kube, WritingStoppedError
from fin.controller.lease import Lease
from fin.controller.metrics import Metrics
from fin.controller.recorder import Note, Recorder, Regarding
from fin.controller.report import Report
from fin.controller.snapshots import UnknownKindError, take_snapshot
from fin.controller.steps import Outcome, Planned, Steps
from fin.controller.threads import in_thread
from fin.controller.writing import FailedWritesError, OutdatedError, Writer
from fin.planning.problem import AppKey

RESYNC: Final = 600.0
"""Seconds after which a round begins though nothing has changed."""

CONFLICT: Final = 10.0
"""Seconds after which a name that was taken is looked at again: others' ConfigMaps, which may
have it, are not watched."""

_ATTEMPTS: Final = 3
_BACKOFF: Final = 1.0
_BACKOFF_MOST: Final = 30.0

_log = logging.getLogger(__name__)


class Rounds:
    """Runs the rounds of one copy of the operator; only while it holds the Lease."""

    def __init__(
        self,
        kube: Kube,
        lease: Lease,
        alarm: Alarm,
        steps: Steps,
        metrics: Metrics,
        collector: Collector,
        following: Following,
        instance: str,
    ) -> None:
        self._kube = kube
        self._lease = lease
        self._alarm = alarm
        self._steps = steps
        self._metrics = metrics
        self._collector = collector
        self._following = following
        self._writing = asyncio.Lock()
        self._recorder = Recorder(kube, instance)
        self._writer = Writer(kube, self._recorder)
        self._failures = 0
        self.succeeded_at = time.monotonic()
        self._forget()

    def _forget(self) -> None:
        """Start afresh: another copy may have acted meanwhile."""
        self.succeeded = False
        self._memory = MoveMemory()
        self._planned: Planned | None = None
        self._outcome: Outcome | None = None
        self._told: frozenset[Finding] = frozenset()
        self._metrics.show(Report())
        self._collector.forget()
        self._following.ask(())

    async def run(self) -> None:
        """Do rounds until cancelled; whatever fails is tried again, later and later."""
        while True:
            await self._alarm.wait()
            if not self._lease.held:
                self._forget()  # winning the Lease rings the alarm
                continue
            async with self._writing:
                result = await self._guarded_round()
            self._metrics.rounds.labels(result).inc()
            if result == "done":
                self._failures = 0
                self._alarm.set(RESYNC)
            else:
                self._failures += 1
                most = min(_BACKOFF * 2.0 ** (self._failures - 1), _BACKOFF_MOST)
                self._alarm.set(most * random.uniform(0.75, 1.25))

    async def _guarded_round(self) -> str:
        began = time.monotonic()
        try:
            await self._round()
        except OutdatedError as error:
            _log.info("round: once more: %s", error)
            return "again"
        except WritingStoppedError as error:
            _log.warning("round: given up: %s", error)
            return "stopped"
        except FailedWritesError as error:
            _log.warning("round: not all could be written: %s", error)
            self._alive()  # else one app that a policy refuses would count as a dead operator
            return "refused"
        except (ApiError, UnknownKindError) as error:
            _log.warning("round: failed: %s", error)
            return "failed"
        except Exception:
            _log.exception("round: failed by a mistake in the operator")
            return "failed"
        self._alive()
        self._metrics.last_success.set_to_current_time()
        self._metrics.round_seconds.observe(time.monotonic() - began)
        return "done"

    async def show(self, apps: Iterable[AppKey]) -> None:
        """Write what is newly told of what was observed, between two rounds."""
        async with self._writing:
            if self._outcome is None:
                return
            try:
                patches = await asyncio.gather(*(self._shown(self._outcome, key) for key in apps))
                await self._writer.write_status(each for each in patches if each)
            except (ApiError, FailedWritesError, OutdatedError, WritingStoppedError) as error:
                _log.warning("status: what was observed: %s", error)

    async def _shown(self, outcome: Outcome, app: AppKey) -> StatusPatch | None:
        """Return the status of an app with what is told now; None where a round is to come."""
        try:
            live = await self._kube.get(kinds.APP, *app)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        known = outcome.world.apps.get(app)
        if known is None or (known.metadata.uid, known.metadata.generation) != (
            reading.uid(live),
            reading.at(live, "metadata", "generation"),
        ):
            return None
        live["kind"] = kinds.APP.name
        return self._steps.show(outcome, live, self._collector.told, time.time())

    def _alive(self) -> None:
        self.succeeded = True
        self.succeeded_at = time.monotonic()

    async def _round(self) -> None:
        outcome, taken_at = await self._think()
        # Also where some of it can't be written: one app that is refused must not blind the others.
        self._outcome = outcome
        self._collector.follow(outcome.subjects)
        decision = outcome.decision
        self._memory = decision.memory
        self._following.ask(decision.unread)
        # What is told holds, whether all could be written or not.
        refused = await self._act(outcome, taken_at)
        await self._tell(outcome)
        await self._writer.write_status(outcome.patches)
        self._metrics.show(await in_thread(self._steps.report, outcome))
        if decision.requeue_after is not None:
            self._alarm.set(max(decision.requeue_after, QUIET))
        if any(state.conflict for state in decision.states.values()):
            self._alarm.set(CONFLICT)
        if refused is not None:
            raise refused

    async def _act(
        self, outcome: Outcome, taken_at: float
    ) -> OutdatedError | FailedWritesError | None:
        began = time.monotonic()
        refused: OutdatedError | FailedWritesError | None = None
        done: Counter[str] = Counter()
        try:
            await self._writer.act(outcome.decision.actions, outcome.world, taken_at, done)
        except (OutdatedError, FailedWritesError) as error:
            refused = error
        if done:
            counts = ", ".join(f"{what} {count}" for what, count in sorted(done.items()))
            _log.info("round: objects %s, in %.2f s", counts, time.monotonic() - began)
        return refused

    async def _think(self) -> tuple[Outcome, float]:
        """Plan, and decide by a fresh snapshot; once more where the plan breaks on that."""
        for _ in range(_ATTEMPTS):
            snapshot = await take_snapshot(self._kube)
            self._planned = await in_thread(
                self._steps.plan,
                snapshot,
                self._memory,
                time.time(),
                self._planned,
                self._collector.proposals,
            )
            self._collector.decline(self._planned.declined)
            if self._planned.seconds:
                self._metrics.planning_seconds.observe(self._planned.seconds)
            taken_at = time.monotonic()
            snapshot = await take_snapshot(self._kube)
            found = await in_thread(
                self._steps.decide,
                snapshot,
                replace(self._memory, follows=self._following.told),
                time.time(),
                self._planned,
                self._collector.told,
            )
            if isinstance(found, Outcome):
                return found, taken_at
            self._planned = None
            _log.info("plan: the cluster has changed meanwhile: %s", found[0].message)
        raise OutdatedError(f"the cluster changed {_ATTEMPTS} times while it was planned for")

    async def _tell(self, outcome: Outcome) -> None:
        """Log and record what was decided, and what is newly found wrong."""
        events = (*outcome.decision.events, *outcome.adapting)
        for event in events:
            _log.info("%s/%s: %s: %s", *event.app, event.reason, event.message)
        findings = frozenset(outcome.world.findings)
        new = [each for each in outcome.world.findings if each not in self._told]
        for each in new:
            where = f"{each.namespace}/{each.name}" if each.namespace else each.name
            _log.warning("%s %s: %s: %s", each.kind, where, each.reason, each.message)
        self._told = findings
        await self._recorder.record(*_notes(events, new))


def _notes(events: Iterable[Event], findings: Iterable[Finding]) -> Iterable[Note]:
    for event in events:
        regarding = Regarding(API_VERSION, kinds.APP.name, *event.app, event.uid)
        yield Note(regarding, event.type, event.reason, event.message)
    for each in findings:
        version = kinds.BY_NAME[each.kind].api_version
        regarding = Regarding(version, each.kind, each.namespace, each.name, each.uid)
        yield Note(regarding, "Normal" if each.accepted else "Warning", each.reason, each.message)
