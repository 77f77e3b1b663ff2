"""Checks every constraint of a plan. Nothing leaves the planner without passing here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from fin.planning.evaluation import Usage, evaluate, footprint, speeds, usage
from fin.planning.plan import AppPlan, Footprint, Plan, Running
from fin.planning.problem import App, AppKey, Problem

SLACK = 1e-9
"""Relative slack of comparisons between sums of floating-point numbers."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A constraint that a plan breaks; ``app`` is None for one that several share."""

    app: AppKey | None
    constraint: str
    message: str


def check(problem: Problem, plan: Plan, running: Iterable[Running] = ()) -> list[Violation]:
    """Find what ``plan`` breaks; empty where it is valid.

    ``running`` deployments that the plan neither replaces nor evicts count with their
    footprint. One that stays as it is may be on a node that takes no new segments, and
    what running deployments alone overfill is no fault of the plan.
    """
    running = tuple(running)
    unchanged = {run.key: run.plan for run in running if run.plan is not None}
    violations: list[Violation] = []
    fresh: list[AppPlan] = []
    for app_plan in plan.apps:
        stays = _same_deployment(unchanged.get(app_plan.key), app_plan)
        violations += check_app(problem, app_plan, stays=stays)
        if not stays:
            fresh.append(app_plan)
    if violations:
        return violations
    gone = {app_plan.key for app_plan in plan.apps} | set(plan.evicted)
    kept = [run.footprint for run in running if run.key not in gone]
    total = usage([*kept, *(footprint(problem, app_plan) for app_plan in plan.apps)])
    touched = usage(footprint(problem, app_plan) for app_plan in fresh)
    return _shared(problem, total, touched)


def check_app(problem: Problem, plan: AppPlan, *, stays: bool = False) -> list[Violation]:
    """Check one deployment by itself; ``stays``: it runs already and is not moved."""
    app = problem.app.get(plan.key)
    if app is None:
        return [Violation(plan.key, "App", f"{plan.key} is not an application of the problem")]
    broken = _structure(problem, app, plan, stays=stays)
    if broken:
        return [Violation(plan.key, constraint, message) for constraint, message in broken]
    return [
        Violation(plan.key, constraint, message)
        for constraint, message in _service(problem, app, plan)
    ]


def check_beside(problem: Problem, plan: AppPlan, taken: Iterable[Footprint]) -> list[Violation]:
    """Check what one deployment shares with what is ``taken``; its structure must be valid."""
    mine = footprint(problem, plan)
    return _shared(problem, usage([*taken, mine]), usage([mine]))


def _same_deployment(running: AppPlan | None, plan: AppPlan) -> bool:
    return (
        running is not None
        and running.placement == plan.placement
        and running.millicores == plan.millicores
    )


def _structure(problem: Problem, app: App, plan: AppPlan, *, stays: bool) -> list[tuple[str, str]]:
    """Whether the placement is one at all: nodes, routes, locality, tiers, a segment each."""
    placement, broken = plan.placement, []
    if not 0 < len(placement.nodes) <= len(app.model.blocks):
        return [("Blocks", f"{len(placement.nodes)} of {len(app.model.blocks)} blocks placed")]
    if len(placement.routes) != len(placement.nodes):
        return [("Routes", "one route for each block is needed")]
    at = app.source
    for index, (name, route) in enumerate(zip(placement.nodes, placement.routes, strict=True)):
        node = problem.node.get(name)
        if node is None:
            broken.append(("Node", f"node {name} is not part of the system"))
            continue
        if not route or route[0] != at or route[-1] != name:
            broken.append(("Routes", f"the route to block {index} does not lead {at} to {name}"))
        broken += [
            ("Link", f"no link from {ends[0]} to {ends[1]}")
            for ends in pairwise(route)
            if ends not in problem.link
        ]
        if not (stays and name in app.barred) and not app.may_run(index, node):
            broken.append(("Placement", f"block {index} may not run on node {name}"))
        at = name
    if app.source not in problem.node:
        broken.append(("Source", f"source {app.source} is not part of the system"))
    if [node for node, _ in plan.millicores] != [node for node, _ in placement.segments]:
        broken.append(("Reservation", "one reservation for each segment is needed"))
    return broken


def _service(problem: Problem, app: App, plan: AppPlan) -> list[tuple[str, str]]:
    """Whether it serves what the application asks: accuracy, latency, load carried."""
    found = evaluate(problem, app, plan.placement)
    reserved = speeds(problem, plan)
    broken = []
    final = app.model.blocks[len(plan.placement.nodes) - 1].exit
    if final is None or final.accuracy < app.min_accuracy:
        broken.append(("Accuracy", f"accuracy {found.accuracy:g} is below {app.min_accuracy:g}"))
    least = app.model.min_millicores
    for node, millicores in plan.millicores:
        if millicores < least:
            broken.append(("Reservation", f"{millicores}m on {node} is below {least}m"))
        elif _above(found.load[node] / problem.utilisation, reserved[node]):
            broken.append(("Load", f"{millicores}m on {node} do not carry the load"))
    latency = found.latency(reserved)
    if _above(latency, app.latency):
        broken.append(("Latency", f"latency {latency:g} s is above the target {app.latency:g} s"))
    return broken


def _shared(problem: Problem, total: Usage, touched: Usage) -> list[Violation]:
    """Whether nodes and links carry all deployments together."""
    rho = problem.utilisation
    violations = []

    def compare(
        what: str, used: Mapping[str, float], by: Mapping[str, float], limits: Mapping[str, float]
    ) -> None:
        for name in by:
            if name in limits and _above(used[name], limits[name]):
                message = f"{name}: {used[name]:g} of {limits[name]:g} used"
                violations.append(Violation(None, what, message))

    nodes = problem.nodes
    compare("Compute", total.millicores, touched.millicores, {n.name: n.millicores for n in nodes})
    compare("Memory", total.memory, touched.memory, {n.name: n.memory for n in nodes})
    compare("Pods", total.segments, touched.segments, {n.name: n.pods for n in nodes})
    egress = {n.name: rho * n.egress for n in nodes if n.egress is not None}
    ingress = {n.name: rho * n.ingress for n in nodes if n.ingress is not None}
    compare("Bandwidth", total.egress, touched.egress, egress)
    compare("Bandwidth", total.ingress, touched.ingress, ingress)
    compare(
        "Bandwidth",
        {_arrow(ends): load for ends, load in total.traffic.items()},
        {_arrow(ends): load for ends, load in touched.traffic.items()},
        {_arrow(ends): rho * link.bandwidth for ends, link in problem.link.items()},
    )
    return violations


def _arrow(ends: tuple[str, str]) -> str:
    return f"{ends[0]} -> {ends[1]}"


def _above(value: float, limit: float) -> bool:
    return value > limit * (1 + SLACK)
