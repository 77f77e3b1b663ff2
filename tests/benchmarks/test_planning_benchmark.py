"""The planning benchmark measures what it says: its instances, and a run of the smallest."""

from dataclasses import replace

import pytest

from benchmarks.__main__ import main
from benchmarks.instances import SIZES, Size, instance
from fin.planning.fin import solve
from fin.planning.options import Options
from fin.planning.problem import App
from fin.planning.system import system_left


@pytest.mark.parametrize(
    ("size", "seed"),
    [(size, seed) for size in SIZES for seed in range(1 if size.memory else 3)],
    ids=str,
)
def test_the_target_binds(size: Size, seed: int) -> None:
    problem = instance(size, seed)
    app = problem.apps[0]
    if size.degree is None:
        assert len(problem.links) == size.nodes * (size.nodes - 1)
    else:
        assert len(problem.links) == pytest.approx(size.nodes * size.degree, rel=0.03)
    if size.degree is not None or size.memory:
        for (tail, head), link in problem.link.items():
            assert replace(link, source=head, target=tail) == problem.link[head, tail]
    system = system_left(problem)
    bound = solve(system, app, Options())
    loose = solve(system_left(problem), _without_target(app), Options())
    assert bound.placement is not None
    assert bound.energy > loose.energy * (1 + 1e-6)
    if size.memory:
        roomy = replace(problem, nodes=tuple(replace(n, memory=2**40) for n in problem.nodes))
        assert solve(system_left(roomy), app, Options()).energy < bound.bound


def _without_target(app: App) -> App:
    return replace(app, latency=1e6)


def test_the_smallest_is_measured_with_each_solver(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["planning", "--sizes", "1", "--seeds", "1", "--repeats", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[5].strip() for line in lines[2:]] == ["HiGHS", "CBC"]
    assert all("0 of 1" in line for line in lines[2:])


def test_an_unknown_benchmark_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["speed"]) == 2
    assert "planning" in capsys.readouterr().err
