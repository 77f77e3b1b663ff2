"""Planning many applications together: time, memory, and how near the plan is proven to be.

Each system is planned in a process of its own, by FIN together, and one application after
another (the paper's way) right before it. For the smallest size the whole problem is also given
to HiGHS and CBC as one mixed-integer programme.
"""

import argparse
import math
import multiprocessing
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.systems import Shape, system
from fin.planning.deadline import Deadline
from fin.planning.evaluation import evaluate
from fin.planning.joint.closing import close
from fin.planning.joint.deployments import Deployments
from fin.planning.joint.generation import Generation
from fin.planning.milp import optimal
from fin.planning.milp_solver import Backend, default_backend
from fin.planning.options import Options
from fin.planning.placing import Planner, unrestricted
from fin.planning.plan import Plan, gap
from fin.planning.problem import Problem
from fin.planning.sequential import Admission, plan_in_order
from fin.planning.solvers import make_plan

MIB = 1024
"""KiB, in which the system counts a process' memory."""


@dataclass(frozen=True, slots=True)
class Row:
    """A size, how near the plan is to be, and how long that may take (s)."""

    shape: Shape
    tolerance: float
    limit: float


ROWS = (
    Row(Shape(20, 8, 10, load=1.3), 1e-3, 60.0),
    Row(Shape(100, 18, 30, load=0.2), 5e-3, 60.0),
    Row(Shape(100, 18, 30, load=0.5), 5e-3, 60.0),
    Row(Shape(1000, 8, 100, load=0.5), 1e-2, 60.0),
)

FULL = 0.99
"""Use from which a capacity counts as full."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one system took (s, MiB) and gave (apps, W)."""

    admitted: int
    seconds: float
    power: float
    gap: float
    memory: float
    in_order_seconds: float
    in_order_power: float
    in_order_admitted: int


def power(problem: Problem, plan: Plan) -> float:
    return sum(
        problem.app[each.key].rate * evaluate(problem, problem.app[each.key], each.placement).energy
        for each in plan.apps
    )


def measure(row: Row, seed: int) -> Result:
    """Plan one system; in a process of its own, so that its memory is its own."""
    problem = system(row.shape, seed)
    options = Options(tolerance=row.tolerance, time_limit=row.limit)
    # What loads only once is no planning time.
    make_plan(replace(problem, apps=problem.apps[:2]))
    start = time.perf_counter()
    in_order = plan_in_order(problem, (), options, unrestricted, "fin")
    between = time.perf_counter()
    plan = make_plan(problem, options=options)
    seconds = time.perf_counter() - between
    watts = power(problem, plan)
    return Result(
        admitted=len(plan.apps),
        seconds=seconds,
        power=watts,
        gap=gap(watts, plan.power_bound),
        memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB,
        in_order_seconds=between - start,
        in_order_power=power(problem, in_order),
        in_order_admitted=len(in_order.apps),
    )


def full(row: Row, seed: int) -> int:
    """How many capacities the relaxed problem uses to 99 % at least."""
    problem = system(row.shape, seed)
    planner = Planner(problem, Options())
    admission = Admission(planner, ())
    admission.run()
    deployments = Deployments(planner, admission, Deadline(None))
    classes = deployments.classify(deployments.apps)
    with np.errstate(all="ignore"):
        generation = Generation(deployments.network, classes, 1.0)
        generation.start(deployments.columns(generation, classes))
        generation.run(1e-3, lambda: True)
        solution = close(generation, 1e-3, lambda: True).last
    room = deployments.network.room
    used = np.zeros(len(room))
    for share, column in zip(solution.shares, generation.master.columns, strict=True):
        np.add.at(used, column.rows, share * column.amounts)
    bounded = np.isfinite(deployments.network.limits) & (room > 0)
    return int((used[bounded] >= FULL * room[bounded]).sum())


def whole(row: Row, seed: int, backend: Backend) -> tuple[float, float, int]:
    """The whole programme: seconds, proven gap, applications admitted."""
    problem = system(row.shape, seed)
    start = time.perf_counter()
    plan = optimal(problem, options=Options(time_limit=row.limit), backend=backend)
    return time.perf_counter() - start, gap(power(problem, plan), plan.power_bound), len(plan.apps)


def apart(row: Row, seed: int) -> Result:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (row, seed))


def lines(rows: Sequence[Row], seeds: int) -> Iterator[str]:
    for row in rows:
        results = [apart(row, seed) for seed in range(seeds)]
        both = [each for each in results if each.in_order_admitted == each.admitted]
        saved = [1 - each.power / each.in_order_power for each in both]
        filled = [full(row, seed) for seed in range(seeds)]
        seconds = [each.seconds for each in results]
        gaps = [each.gap for each in results]
        yield (
            f"| {row.shape} | {min(each.admitted for each in results)} "
            f"({min(each.in_order_admitted for each in results)}) | {min(filled)} to {max(filled)} "
            f"| {statistics.median(seconds):.1f} s | {max(seconds):.1f} s "
            f"| {statistics.median(gaps):.2%} | {max(gaps):.2%} "
            f"| {max(each.memory for each in results):.0f} MiB "
            f"| {statistics.median(each.in_order_seconds for each in results):.2f} s "
            f"| {statistics.median(saved) if saved else math.nan:.1%} |"
        )


def programmes(row: Row, seeds: int) -> Iterator[str]:
    """The whole programme beside, for the smallest size."""
    names: dict[Backend, str] = {"highs": "HiGHS", "cbc": "CBC"}
    for backend, name in names.items():
        if backend == "highs" and default_backend() != "highs":
            continue
        found = [whole(row, seed, backend) for seed in range(seeds)]
        yield (
            f"| {row.shape} | {name} | {statistics.median(each[0] for each in found):.1f} s "
            f"| {statistics.median(each[1] for each in found):.2%} "
            f"| {max(each[1] for each in found):.2%} | {min(each[2] for each in found)} |"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks joint", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="systems of each size")
    parser.add_argument("--sizes", type=int, default=len(ROWS), help="how many, smallest first")
    options = parser.parse_args(arguments)
    print(
        "| apps x blocks x nodes | admitted (in order) | full capacities | FIN | slowest | gap "
        "| largest gap | memory | in order | power saved |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for line in lines(ROWS[: options.sizes], options.seeds):
        print(line, flush=True)
    print("\n| apps x blocks x nodes | solver | time | gap | largest gap | admitted |")
    print("|---|---|---|---|---|---|")
    for line in programmes(ROWS[0], options.seeds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
