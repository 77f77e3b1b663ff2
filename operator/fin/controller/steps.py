"""The steps of a round that compute: from a snapshot to a plan, from a plan to actions."""

import time
from dataclasses import dataclass

from fin.cluster.decision import Decision
from fin.cluster.memory import MoveMemory, leave_out
from fin.cluster.moves import decide
from fin.cluster.running import read_running
from fin.cluster.settings import MoveSettings, SegmentSettings
from fin.cluster.snapshot import Snapshot
from fin.cluster.status import StatusPatch, status_patches
from fin.cluster.world import World, build_world
from fin.controller.baselines import BaselineCache
from fin.controller.report import Report, make_report
from fin.controller.settings import OperatorSettings
from fin.planning.check import Violation, check
from fin.planning.options import Options
from fin.planning.plan import Plan, Running
from fin.planning.problem import Problem
from fin.planning.solvers import make_plan


@dataclass(frozen=True)
class Planned:
    """A plan, and what it was made for; ``seconds``: how long that took, 0 where it was known."""

    problem: Problem
    running: tuple[Running, ...]
    plan: Plan
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What to do and what to tell, on a fresh snapshot."""

    world: World
    plan: Plan
    decision: Decision
    patches: tuple[StatusPatch, ...]


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
        self, snapshot: Snapshot, memory: MoveMemory, now: float, last: Planned | None
    ) -> Planned:
        """Plan; the last plan where nothing that it depends on has changed."""
        world, running = self._read(snapshot, memory, now)
        if last is not None and (last.problem, last.running) == (world.problem, running):
            return Planned(last.problem, last.running, last.plan)
        began = time.perf_counter()
        plan = make_plan(world.problem, running, self._options)
        return Planned(world.problem, running, plan, time.perf_counter() - began)

    def decide(
        self, snapshot: Snapshot, memory: MoveMemory, now: float, plan: Plan
    ) -> Outcome | list[Violation]:
        """Decide what to do for ``plan`` on a fresh snapshot, or tell what it breaks there."""
        world, running = self._read(snapshot, memory, now)
        broken = check(world.problem, plan, running)
        if broken:
            return broken
        decision = decide(snapshot, world, plan, self._moves, now, memory)
        return Outcome(
            world=world,
            plan=plan,
            decision=decision,
            patches=status_patches(snapshot, world, plan, decision, self._moves, now),
        )

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
        self, snapshot: Snapshot, memory: MoveMemory, now: float
    ) -> tuple[World, tuple[Running, ...]]:
        world = leave_out(build_world(snapshot, self._utilisation), memory, now)
        return world, read_running(snapshot, world, memory)
