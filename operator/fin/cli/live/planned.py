"""A plan for a snapshot, as the operator would make it now."""

from dataclasses import dataclass

from fin.cluster.memory import MoveMemory
from fin.cluster.running import read_running
from fin.cluster.snapshot import Snapshot
from fin.cluster.telemetry.inforce import in_force
from fin.cluster.world import World, build_world
from fin.planning.evaluation import evaluate, speeds
from fin.planning.options import Options
from fin.planning.plan import AppPlan, Plan
from fin.planning.problem import AppKey
from fin.planning.solvers import make_plan


@dataclass(frozen=True)
class PlannedWorld:
    """A world, and its plan."""

    world: World
    plan: Plan
    options: Options

    def power(self, plan: AppPlan) -> float:
        """Power of an app's plan, watts."""
        app = self.world.problem.app[plan.key]
        return app.rate * evaluate(self.world.problem, app, plan.placement).energy

    def latency(self, plan: AppPlan) -> float:
        """Latency of an app's plan on its statistic, seconds."""
        problem = self.world.problem
        cost = evaluate(problem, problem.app[plan.key], plan.placement)
        return cost.latency(speeds(problem, plan))

    def where(self, plan: AppPlan) -> str:
        """Tell which blocks run where, in words."""
        blocks = self.world.problem.app[plan.key].model.blocks
        parts = []
        for node, indices in plan.placement.segments:
            first, last = blocks[indices[0]].name, blocks[indices[-1]].name
            parts.append(f"{first if first == last else f'{first} to {last}'} on {node}")
        return ", ".join(parts)

    def why_not(self, key: AppKey) -> str:
        """Tell why an app has no plan: reason and message."""
        refusal = self.plan.refusal.get(key)
        if refusal is not None:
            return f"{refusal.reason}: {refusal.message}"
        rejection = self.world.rejected.get(key)
        return f"{rejection.reason}: {rejection.message}" if rejection else "there is no such app"


def planned_world(snapshot: Snapshot, utilisation: float, options: Options) -> PlannedWorld:
    """Plan what a snapshot holds; what runs stays where moving it is not worth it.

    Raises
    ------
    BrokenPlanError
        The planner has a defect.
    """
    adapted = in_force(snapshot, MoveMemory())
    world = build_world(snapshot, utilisation, adapted)
    plan = make_plan(world.problem, read_running(snapshot, world), options)
    return PlannedWorld(world, plan, options)
