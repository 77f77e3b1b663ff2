"""Planning time of one application: FIN against the same problem as a mixed-integer programme.

Both certify the same gap. Every run is on the same machine, one after another; ratios are
taken instance by instance and the median of them is shown.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pulp

from benchmarks.instances import SIZES, Size, instance
from fin.planning.check import check
from fin.planning.deadline import Deadline
from fin.planning.evaluation import evaluate
from fin.planning.fin import solve
from fin.planning.milp_choices import Choices
from fin.planning.milp_model import Formulation
from fin.planning.milp_solver import Backend, Status, default_backend, minimise
from fin.planning.options import Options
from fin.planning.plan import Plan, gap
from fin.planning.problem import Problem
from fin.planning.reserve import reserve
from fin.planning.system import system_left

T = TypeVar("T")
TOLERANCE = 1e-3
NAMES: dict[Backend, str] = {"highs": "HiGHS", "cbc": "CBC"}


@dataclass(frozen=True, slots=True)
class Fin:
    """What FIN took (s, median of several runs) and found (J per inference)."""

    seconds: float
    energy: float
    bound: float


@dataclass(frozen=True, slots=True)
class Milp:
    """What building and solving the programme took (s), and what it found (J per inference)."""

    build: float
    seconds: float
    status: Status
    energy: float


def timed(run: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def fin(problem: Problem, repeats: int) -> Fin:
    """Plan with FIN, reservations included, and check the plan."""
    app = problem.apps[0]

    def plan() -> tuple[float, float]:
        found = solve(system_left(problem), app, Options(tolerance=TOLERANCE))
        assert found.placement is not None
        reserved = reserve(problem, app, found.placement)
        assert reserved is not None
        assert not check(problem, Plan("fin", (reserved,), ()))
        return evaluate(problem, app, found.placement).energy, found.bound

    runs = [timed(plan) for _ in range(repeats)]
    energy, bound = runs[0][1]
    return Fin(statistics.median(seconds for seconds, _ in runs), energy, bound)


def milp(problem: Problem, backend: Backend, limit: float) -> Milp:
    """Solve the whole programme to the same tolerance; no tangents are needed for one app."""
    app = problem.apps[0]

    def build() -> Formulation:
        formulation = Formulation(problem, [Choices(problem, app, len(app.model.blocks))])
        formulation.minimise_power(app.rate)
        return formulation

    building, formulation = timed(build)
    programme: pulp.LpProblem = formulation.programme
    seconds, outcome = timed(
        lambda: minimise(programme, backend, Deadline(limit), relative_gap=TOLERANCE)
    )
    if backend == "highs":  # without PuLP's handing over of the programme
        seconds = programme.solverModel.getRunTime()
    return Milp(building, seconds, outcome.status, pulp.value(programme.objective) or math.inf)


def rows(sizes: Sequence[Size], seeds: int, repeats: int, limit: float) -> Iterator[str]:
    """Measure, and give one line of the table for each size and solver."""
    for size in sizes:
        problems = [instance(size, seed) for seed in range(seeds)]
        for backend, name in NAMES.items():
            if backend == "highs" and default_backend() != "highs":
                continue
            # One right after the other, so that whatever else the machine does slows both.
            pairs = [(fin(each, repeats), milp(each, backend, limit)) for each in problems]
            for ours, theirs in pairs:
                # Where the programme was solved, the two must agree.
                assert theirs.status != "optimal" or agree(ours, theirs)
            late = sum(theirs.status != "optimal" for _, theirs in pairs)
            least = "≥ " if late else ""
            certified = max(gap(ours.energy, ours.bound) for ours, _ in pairs)
            planning = statistics.median(ours.seconds for ours, _ in pairs)
            slowest = max(ours.seconds for ours, _ in pairs)
            building = statistics.median(theirs.build for _, theirs in pairs)
            solving = statistics.median(theirs.seconds for _, theirs in pairs)
            ratio = statistics.median(theirs.seconds / ours.seconds for ours, theirs in pairs)
            yield (
                f"| {size} | {planning * 1e3:.1f} ms | {slowest * 1e3:.1f} ms | {certified:.3%} "
                f"| {name} | {building:.2f} s | {least}{solving:.2f} s | {late} of {seeds} "
                f"| {least}{ratio:.0f} |"
            )


def agree(ours: Fin, theirs: Milp) -> bool:
    """Whether each answer is at least what the other has proven, rounding apart."""
    most, least = 1 + 1e-6, 1 - TOLERANCE
    return ours.bound <= theirs.energy * most and ours.energy * least <= theirs.energy * most


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks planning", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="instances of each size")
    parser.add_argument("--repeats", type=int, default=5, help="runs of FIN on each instance")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds for each programme")
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many, smallest first")
    options = parser.parse_args(arguments)
    fin(instance(SIZES[0], 0), 1)  # what loads only once is no planning time
    print(
        "| blocks x nodes | FIN | slowest | largest gap | solver | build | solve | out of time "
        "| ratio |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows(SIZES[: options.sizes], options.seeds, options.repeats, options.limit):
        print(row, flush=True)


if __name__ == "__main__":
    main()
