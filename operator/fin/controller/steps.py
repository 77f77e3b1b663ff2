"""The steps of a round that compute: from a snapshot to a plan, from a plan to actions."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from fin.cluster.actions import Event
from fin.cluster.decision import Decision
from fin.cluster.memory import MoveMemory, leave_out
from fin.cluster.moves import decide
from fin.cluster.running import read_running
from fin.cluster.settings import MoveSettings, SegmentSettings
from fin.cluster.snapshot import Object, Snapshot
from fin.cluster.status import StatusPatch, app_patch, status_patches
from fin.cluster.telemetry.adapting import DECLARED, Adapted
from fin.cluster.telemetry.events import adapting_events
from fin.cluster.telemetry.inforce import in_force
from fin.cluster.telemetry.subject import Subject, subjects
from fin.cluster.telemetry.track import Told
from fin.cluster.world import World, build_world
from fin.controller.baselines import BaselineCache
from fin.controller.report import Report, make_report
from fin.controller.settings import OperatorSettings
from fin.planning.check import Violation, check
from fin.planning.options import Options
from fin.planning.plan import Plan, Refusal, Running
from fin.planning.problem import AppKey, Problem
from fin.planning.solvers import make_plan

Values = Mapping[AppKey, Adapted]
"""What apps are planned with in place of declared values."""


@dataclass(frozen=True)
class Planned:
    """A plan, and what it was made for.

    Attributes
    ----------
    adapted
        The values in place of declared ones.
    adopted
        Those of them that are new.
    declined
        Why there was no plan with values that were proposed.
    seconds
        How long it took; 0 where it was known.
    """

    problem: Problem
    running: tuple[Running, ...]
    plan: Plan
    adapted: Values = field(default_factory=dict)
    adopted: Values = field(default_factory=dict)
    declined: Mapping[AppKey, Refusal] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What to do and what to tell, on a fresh snapshot."""

    world: World
    plan: Plan
    decision: Decision
    patches: tuple[StatusPatch, ...]
    subjects: Mapping[AppKey, Subject]
    adapting: tuple[Event, ...]


_TIME_LIMIT = 20.0
"""Seconds after which a plan of several apps is not improved any further: changes wait."""


class Steps:
    """Computes, without the API server; slow, so not for the event loop."""

    def __init__(self, settings: OperatorSettings) -> None:
        self._baselines = BaselineCache()
        self._utilisation = settings.utilisation
        self._options = Options(
            gamma=settings.gamma,
            tolerance=settings.tolerance,
            min_saving=settings.min_saving,
            time_limit=_TIME_LIMIT,
        )
        self._moves = MoveSettings(
            segments=SegmentSettings(settings.segment_image, settings.allow_host_path),
            drain=settings.drain,
            ready_timeout=settings.ready_timeout,
        )

    def plan(
        self,
        snapshot: Snapshot,
        memory: MoveMemory,
        now: float,
        last: Planned | None,
        proposals: Values,
    ) -> Planned:
        """Plan; the last plan where nothing that it depends on has changed.

        An app that has no plan with the values that are proposed for it is planned with those
        that were in force, and where there is no plan with these either, with the declared
        ones: what was observed never costs an app its plan.
        """
        force = in_force(snapshot, memory)
        values = {**force, **proposals}
        world, running = self._read(snapshot, memory, now, values)
        if last is not None and (last.problem, last.running) == (world.problem, running):
            return Planned(last.problem, last.running, last.plan, world.adapted)
        began = time.perf_counter()
        plan = make_plan(world.problem, running, self._options)
        declined: dict[AppKey, Refusal] = {}
        for fallback in (force, {}):
            back = _refused_with_others(world, plan, fallback)
            if back:
                declined |= {key: plan.refusal[key] for key in back if key in proposals}
                values |= back
                world, running = self._read(snapshot, memory, now, values)
                plan = make_plan(world.problem, running, self._options)
        if hopeless := {key: force[key] for key in force if key in plan.refusal}:
            world, running = self._read(snapshot, memory, now, {**values, **hopeless})
        return Planned(
            world.problem,
            running,
            plan,
            adapted=world.adapted,
            adopted={
                key: each for key, each in world.adapted.items() if each != force.get(key, DECLARED)
            },
            declined=declined,
            seconds=time.perf_counter() - began,
        )

    def decide(
        self,
        snapshot: Snapshot,
        memory: MoveMemory,
        now: float,
        planned: Planned,
        told: Mapping[AppKey, Told],
    ) -> Outcome | list[Violation]:
        """Decide what to do for a plan on a fresh snapshot, or tell what it breaks there."""
        plan = planned.plan
        world, running = self._read(snapshot, memory, now, planned.adapted)
        broken = check(world.problem, plan, running)
        if broken:
            return broken
        decision = decide(snapshot, world, plan, self._moves, now, memory)
        return Outcome(
            world=world,
            plan=plan,
            decision=decision,
            patches=status_patches(snapshot, world, plan, decision, self._moves, now, told),
            subjects=subjects(snapshot, world, decision),
            adapting=tuple(adapting_events(world, planned.adopted, planned.declined)),
        )

    def show(
        self, outcome: Outcome, app: Object, told: Mapping[AppKey, Told], now: float
    ) -> StatusPatch | None:
        """Return the status of a live app after a round, where what is told of it is new."""
        return app_patch(app, outcome.world, outcome.plan, outcome.decision, now, told)

    def report(self, outcome: Outcome) -> Report:
        """Report on what runs, for the metrics."""
        world = outcome.world
        return make_report(
            world.problem,
            outcome.decision.states,
            outcome.plan,
            world.rejected,
            self._baselines.of(world.problem),
        )

    def _read(
        self, snapshot: Snapshot, memory: MoveMemory, now: float, adapted: Values
    ) -> tuple[World, tuple[Running, ...]]:
        world = leave_out(build_world(snapshot, self._utilisation, adapted), memory, now)
        return world, read_running(snapshot, world, memory)


def _refused_with_others(world: World, plan: Plan, fallback: Values) -> dict[AppKey, Adapted]:
    """Return the apps without a plan whose values are others than those to fall back to."""
    found = {key: fallback.get(key, DECLARED) for key in world.adapted if key in plan.refusal}
    return {key: each for key, each in found.items() if each != world.adapted[key]}
