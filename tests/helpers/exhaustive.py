"""The optimum by exhaustive search: every cut, placement and simple route of small systems.

It shares with the planner only the measures (``evaluate``, ``check``), none of the
algorithms. Branches end early only where what is placed already breaks a constraint or
costs more than a plan at hand: every quantity only grows along a branch. For two
applications together it also tries every division of the nodes that both use into whole
millicores, so those must be small.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from fin.planning.check import check
from fin.planning.evaluation import Evaluation, evaluate
from fin.planning.plan import AppPlan, Placement, Plan
from fin.planning.problem import App, AppKey, Problem

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LOOSE = 1 + 1e-8
"""Slack of the early tests, wider than that of ``check``, which has the last word."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """The least energy per inference (J) and a plan that has it."""

    energy: float
    plan: AppPlan


def optimum(problem: Problem, app: App) -> Optimum | None:
    """Find the least energy of ``app`` alone in the system; None where nothing is feasible."""
    best: Optimum | None = None

    def ceiling() -> float:
        return best.energy if best else math.inf

    for placement in placements(problem, app, ceiling):
        energy = evaluate(problem, app, placement).energy
        if energy < ceiling():
            plan = whole_nodes(problem, app, placement)
            if not check(problem, Plan("exhaustive", (plan,), ())):
                best = Optimum(energy, plan)
    return best


def whole_nodes(problem: Problem, app: App, placement: Placement) -> AppPlan:
    """The plan that reserves all of each node that it uses."""
    millicores = tuple((name, problem.node[name].millicores) for name, _ in placement.segments)
    return AppPlan(app.key, placement, millicores)


def placements(
    problem: Problem, app: App, ceiling: Callable[[], float] = lambda: math.inf
) -> Iterator[Placement]:
    """All deployments of ``app`` that may be feasible, cut at any exit that is accurate enough.

    Left out are those whose first blocks alone break a constraint, or use more energy than
    ``ceiling`` says at that moment; the rest must still be checked.
    """
    if app.source not in problem.node:
        return
    routes = simple_routes(problem)
    for count, block in enumerate(app.model.blocks, start=1):
        if block.exit and block.exit.accuracy >= app.min_accuracy:
            start = _Partial(at=app.source)
            yield from _extend(problem, app, routes, count, start, ceiling)


Routes = Mapping[str, list[tuple[str, ...]]]


def simple_routes(problem: Problem) -> Routes:
    """Every route without a repeated node, by where it starts; the empty one first."""

    def grow(route: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield route
        for node in problem.nodes:
            if node.name not in route and (route[-1], node.name) in problem.link:
                yield from grow((*route, node.name))

    return {node.name: list(grow((node.name,))) for node in problem.nodes}


@dataclass(frozen=True, slots=True)
class _Partial:
    """The first blocks of a placement, and what they use."""

    at: str
    nodes: tuple[str, ...] = ()
    routes: tuple[tuple[str, ...], ...] = ()
    energy: float = 0.0
    latency: float = 0.0
    memory: Mapping[str, int] = field(default_factory=dict)
    load: Mapping[str, float] = field(default_factory=dict)
    traffic: Mapping[tuple[str, str], float] = field(default_factory=dict)


def _extend(
    problem: Problem,
    app: App,
    routes: Routes,
    count: int,
    partial: _Partial,
    ceiling: Callable[[], float],
) -> Iterator[Placement]:
    if len(partial.nodes) == count:
        yield Placement(partial.nodes, partial.routes)
        return
    for route in routes[partial.at]:
        longer = _step(problem, app, partial, route)
        if longer is not None and longer.energy <= ceiling() * LOOSE:
            yield from _extend(problem, app, routes, count, longer, ceiling)


def _step(problem: Problem, app: App, partial: _Partial, route: tuple[str, ...]) -> _Partial | None:
    """Run the next block at the end of ``route``; None where that is not feasible."""
    index, name = len(partial.nodes), route[-1]
    node, block = problem.node[name], app.model.blocks[index]
    share, weight = app.reach(index), app.latency_weight(index)
    bits = 8.0 * app.model.transfer_bytes(index)
    if not app.may_run(index, node) or node.pods < 1 or node.millicores < app.model.min_millicores:
        return None
    memory, load, traffic = dict(partial.memory), dict(partial.load), dict(partial.traffic)
    latency = partial.latency + app.waiting * weight * block.work / node.capacity
    energy = partial.energy + share * block.work * node.joules_per_flop
    for ends in pairwise(route):
        link = problem.link[ends]
        latency += weight * (bits / link.bandwidth + link.rtt)
        energy += share * bits * link.joules_per_bit
        traffic[ends] = traffic.get(ends, 0.0) + app.rate * share * bits
        if traffic[ends] > problem.utilisation * link.bandwidth * LOOSE:
            return None
    memory[name] = memory.get(name, app.model.memory_overhead) + block.resident
    load[name] = load.get(name, 0.0) + app.rate * share * block.work
    if (
        latency > app.latency * LOOSE
        or memory[name] > node.memory
        or load[name] > problem.utilisation * node.capacity * LOOSE
    ):
        return None
    return _Partial(
        at=name,
        nodes=(*partial.nodes, name),
        routes=(*partial.routes, route),
        energy=energy,
        latency=latency,
        memory=memory,
        load=load,
        traffic=traffic,
    )


@dataclass(frozen=True, slots=True)
class JointOptimum:
    """The applications that are admitted at best, and the least power (W) that admits them."""

    admitted: frozenset[AppKey]
    power: float


def joint_optimum(problem: Problem) -> JointOptimum:
    """The best plan of at most two applications: admission by priority and age, then power."""
    order = sorted(problem.apps, key=lambda app: (-app.priority, app.created, app.key))
    deployments = {app.key: list(_deployments(problem, app)) for app in order}
    if len(order) == 2:
        first, second = order
        pairs = product(deployments[first.key], deployments[second.key])
        for one, two in sorted(pairs, key=lambda pair: pair[0].power + pair[1].power):
            if _share(problem, one, two):
                return JointOptimum(frozenset(deployments), one.power + two.power)
    for app in order:
        if deployments[app.key]:
            power = min(each.power for each in deployments[app.key])
            return JointOptimum(frozenset({app.key}), power)
    return JointOptimum(frozenset(), 0.0)


@dataclass(frozen=True, slots=True)
class _Deployment:
    app: App
    placement: Placement
    found: Evaluation
    power: float


def _deployments(problem: Problem, app: App) -> Iterator[_Deployment]:
    for placement in placements(problem, app):
        plan = whole_nodes(problem, app, placement)
        if not check(problem, Plan("exhaustive", (plan,), ())):
            found = evaluate(problem, app, placement)
            yield _Deployment(app, placement, found, app.rate * found.energy)


def _share(problem: Problem, one: _Deployment, two: _Deployment) -> bool:
    """Whether some division of the nodes that both use satisfies both."""
    shared = sorted(set(one.found.work) & set(two.found.work))
    millicores = [problem.node[name].millicores for name in shared]
    mine_least, rest_least = (each.app.model.min_millicores for each in (one, two))
    if any(each < mine_least + rest_least for each in millicores):
        return False
    if not shared:
        return not check(problem, Plan("exhaustive", _divided(problem, one, two, {}), ()))
    axes = np.meshgrid(
        *(np.arange(mine_least, each - rest_least + 1) for each in millicores), indexing="ij"
    )
    mine = {name: axis.ravel() for name, axis in zip(shared, axes, strict=True)}
    rest = {name: each - mine[name] for name, each in zip(shared, millicores, strict=True)}
    fits = _serves(problem, one, mine) & _serves(problem, two, rest)
    for index in np.flatnonzero(fits):
        division = {name: int(mine[name][index]) for name in shared}
        if not check(problem, Plan("exhaustive", _divided(problem, one, two, division), ())):
            return True
    return False


def _serves(problem: Problem, each: _Deployment, shared: Mapping[str, Ints]) -> Bools:
    """Whether each division serves one application, by latency and load."""
    divisions = len(next(iter(shared.values())))
    latency = np.full(divisions, each.found.network_latency)
    fits = np.ones(divisions, dtype=np.bool_)
    for name, work in each.found.work.items():
        node = problem.node[name]
        speed = shared.get(name, node.millicores) * node.flops_per_millicore
        latency += work / speed
        fits &= each.found.load[name] <= problem.utilisation * speed * LOOSE
    fits &= latency <= each.app.latency * LOOSE
    return fits


def _divided(
    problem: Problem, one: _Deployment, two: _Deployment, division: Mapping[str, int]
) -> tuple[AppPlan, AppPlan]:
    """Plans that use all of each node; ``division`` says how much of it is the first's."""

    def plan(each: _Deployment, own: bool) -> AppPlan:
        millicores = []
        for name, _ in each.placement.segments:
            whole, part = problem.node[name].millicores, division.get(name)
            share = whole if part is None else part if own else whole - part
            millicores.append((name, share))
        return AppPlan(each.app.key, each.placement, tuple(millicores))

    return plan(one, True), plan(two, False)
