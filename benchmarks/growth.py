"""How the time to plan grows with blocks, nodes, links, slots and applications.

Each series changes one of them and holds the others; the exponent is that of the power law
which fits best, by least squares of the logarithms over the upper half of the sizes (below,
what every call costs decides).
"""

import argparse
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.instances import FLOAT, Size, instance
from benchmarks.planning import timed
from benchmarks.systems import Shape, system
from fin.cli.drawing import COLOURS, MARKERS, figure, plain, save
from fin.planning.fin import solve
from fin.planning.options import Options
from fin.planning.problem import Block, Exit, Model, Problem
from fin.planning.solvers import make_plan
from fin.planning.system import system_left

PICTURE = Path(__file__).parent / "growth.svg"

BLOCKS = (8, 16, 32, 64, 128, 256)
NODES = (25, 50, 100, 200, 400)
DEGREES = (4, 8, 16, 32, 64)
SLOTS = (10, 30, 100, 300, 1000, 3000, 10_000, 30_000)
APPS = (25, 50, 100, 200, 400, 800)

Planning = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Series:
    """One quantity's sizes, and for each a run of the planner on every seed."""

    name: str
    fixed: str
    runs: Mapping[int, Sequence[Planning]]


@dataclass(frozen=True, slots=True)
class Growth:
    """Median times (s) of a series, and the exponent that fits them."""

    series: Series
    seconds: Mapping[int, float]

    @property
    def exponent(self) -> float:
        sizes = sorted(self.seconds)
        upper = sizes[len(sizes) // 2 - 1 :]
        times = [self.seconds[size] for size in upper]
        return float(np.polyfit(np.log(upper), np.log(times), 1)[0])


def network(blocks: int) -> Model:
    """A ResNet on CIFAR of so many equal blocks in three stages, with three early exits."""
    macs, parameters = 250.0 / blocks, 1.7e6 / blocks
    chain = []
    for index in range(blocks):
        elements = (16_384, 8_192, 4_096)[3 * index // blocks]
        memory = int(parameters * FLOAT + 2 * elements * FLOAT)
        quarter = 4 * (index + 1) // blocks
        leaves = None
        if index == blocks - 1:
            leaves = Exit("end", 2e4, 12_000, 0.0, 0.89)
        elif quarter > 4 * index // blocks:
            leaves = Exit(f"exit{quarter}", 2e4, 12_000, 0.2, 0.6 + 0.07 * quarter)
        chain.append(Block(f"block{index}", 2e6 * macs, memory, elements * FLOAT, leaves))
    return Model(f"resnet-{blocks}", 3072, tuple(chain), memory_overhead=64 << 20)


def all_series(seeds: int) -> Iterator[Series]:
    """The series, problems made beforehand."""
    yield Series(
        "blocks (L)",
        "20 nodes, every pair linked",
        {size: _alone(Size(network(size), 20, 10.0), seeds) for size in BLOCKS},
    )
    yield Series(
        "nodes (N)",
        "32 blocks, 6 links of each node",
        {size: _alone(Size(network(32), size, 10.0, degree=6), seeds) for size in NODES},
    )
    yield Series(
        "links",
        "32 blocks, 100 nodes",
        {
            100 * degree: _alone(Size(network(32), 100, 10.0, degree=degree), seeds)
            for degree in DEGREES
        },
    )
    sample = Size(network(32), 20, 10.0)
    yield Series(
        "slots (gamma)",
        "32 blocks, 20 nodes, every pair linked",
        {size: _alone(sample, seeds, Options(gamma=size)) for size in SLOTS},
    )
    yield Series(
        "applications (H)",
        "8 blocks, 30 nodes; to 1 %",
        {size: [_together(size, seed) for seed in range(seeds)] for size in APPS},
    )


def _alone(size: Size, seeds: int, options: Options | None = None) -> list[Planning]:
    options = options or Options()
    return [_plan_one(instance(size, seed), options) for seed in range(seeds)]


def _plan_one(problem: Problem, options: Options) -> Planning:
    return lambda: solve(system_left(problem), problem.apps[0], options)


def _together(apps: int, seed: int) -> Planning:
    problem = system(Shape(apps, 8, 30, load=0.5), seed)
    return lambda: make_plan(problem, options=Options(tolerance=1e-2, time_limit=60.0))


def measure(series: Series, repeats: int) -> Growth:
    """Time every size: the median over the seeds of the median of some runs."""
    seconds = {}
    for size, runs in sorted(series.runs.items()):
        medians = [statistics.median(timed(run)[0] for _ in range(repeats)) for run in runs]
        seconds[size] = statistics.median(medians)
    return Growth(series, seconds)


def draw(growths: Sequence[Growth]) -> Figure:
    """All series in one picture, both axes logarithmic."""
    made = figure(7, 4.5)
    axes = made.subplots()
    for growth, colour, marker in zip(growths, COLOURS, MARKERS, strict=False):
        sizes = sorted(growth.seconds)
        name = f"{growth.series.name}: ~ size^{growth.exponent:.2f}"
        times = [growth.seconds[size] for size in sizes]
        axes.plot(sizes, times, color=colour, marker=marker, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("size")
    axes.set_ylabel("seconds to plan")
    axes.legend(fontsize=8, frameon=False)
    plain(axes)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks growth", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="instances of each size")
    parser.add_argument("--repeats", type=int, default=3, help="runs on each instance")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="where the picture goes")
    options = parser.parse_args(arguments)
    make_plan(instance(Size(network(8), 4), 0))  # what loads only once is no planning time
    growths = []
    print("| what grows | what stays | seconds to plan | exponent |")
    print("|---|---|---|---|")
    for series in all_series(options.seeds):
        # Planning many together takes seconds, and varies little from one run to the next.
        growth = measure(series, 1 if series.name.startswith("app") else options.repeats)
        growths.append(growth)
        times = ", ".join(f"{size}: {each:.3g}" for size, each in growth.seconds.items())
        print(f"| {series.name} | {series.fixed} | {times} | {growth.exponent:.2f} |", flush=True)
    save(draw(growths), options.picture)


if __name__ == "__main__":
    main()
