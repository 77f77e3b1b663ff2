"""Planning anew from what runs: one application more, and a node lost, among a thousand.

A valid plan must be there at once; a better one may take its time. The plan that runs is
the planner's own, with all that it needs to be proven near the best.
"""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.joint import power
from benchmarks.planning import timed
from benchmarks.systems import Shape, system
from fin.planning.evaluation import footprint
from fin.planning.options import Options
from fin.planning.plan import Plan, Running, gap
from fin.planning.problem import Problem
from fin.planning.solvers import make_plan

SHAPE = Shape(1000, 8, 100, load=0.5)
TOLERANCE = 1e-2
LIMITS = (0.5, 10.0)
"""Seconds that planning anew may take to improve."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens: the system afterwards, and what of the plan still runs."""

    name: str
    problem: Problem
    running: tuple[Running, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What planning anew took (s) and gave: gap, applications refused and moved."""

    seconds: float
    gap: float
    refused: int
    moved: int


def changes(problem: Problem, plan: Plan) -> Iterator[Change]:
    """One application more, of a kind that is there; and the edge server with most apps lost."""
    running = tuple(
        Running(each.key, problem.app[each.key].priority, footprint(problem, each), each)
        for each in plan.apps
    )
    more = replace(problem.apps[0], name="newcomer", source=problem.apps[-1].source)
    yield Change("one app more", replace(problem, apps=(*problem.apps, more)), running)
    edges = [node.name for node in problem.nodes if node.tier == "edge"]
    lost = max(edges, key=lambda name: sum(_crosses(each, name) for each in running))
    left = replace(
        problem,
        nodes=tuple(node for node in problem.nodes if node.name != lost),
        links=tuple(link for link in problem.links if lost not in (link.source, link.target)),
    )
    yield Change("a node lost", left, tuple(each for each in running if not _crosses(each, lost)))


def _crosses(run: Running, name: str) -> bool:
    assert run.plan is not None
    return any(name in route for route in run.plan.placement.routes)


def replan(change: Change, limit: float) -> Result:
    options = Options(tolerance=TOLERANCE, time_limit=limit)
    seconds, plan = timed(lambda: make_plan(change.problem, change.running, options))
    now = {run.key: run.plan for run in change.running}
    moved = sum(
        before is not None
        and (before.placement, before.millicores)
        != (plan.app[key].placement, plan.app[key].millicores)
        for key, before in now.items()
        if key in plan.app
    )
    watts = power(change.problem, plan)
    return Result(seconds, gap(watts, plan.power_bound), len(plan.refusals), moved)


def rows(seeds: int) -> Iterator[str]:
    found: dict[tuple[str, float], list[Result]] = {}
    for seed in range(seeds):
        problem = system(SHAPE, seed)
        plan = make_plan(problem, options=Options(tolerance=TOLERANCE, time_limit=60.0))
        for change in changes(problem, plan):
            for limit in LIMITS:
                found.setdefault((change.name, limit), []).append(replan(change, limit))
    for (name, limit), results in found.items():
        seconds = [each.seconds for each in results]
        gaps = [each.gap for each in results]
        yield (
            f"| {name} | {limit:g} s | {statistics.median(seconds):.2f} s | {max(seconds):.2f} s "
            f"| {statistics.median(gaps):.2%} | {max(gaps):.2%} "
            f"| {max(each.refused for each in results)} | {max(each.moved for each in results)} |"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks replanning", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="systems")
    options = parser.parse_args(arguments)
    print("| what happens | limit | valid plan | slowest | gap | largest gap | refused | moved |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows(options.seeds):
        print(row, flush=True)


if __name__ == "__main__":
    main()
