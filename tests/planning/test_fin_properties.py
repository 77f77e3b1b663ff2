"""What must hold for every answer of FIN, whatever the problem: hypothesis looks for exceptions."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fin.planning.fin import Solution, solve
from fin.planning.options import Options
from fin.planning.problem import App, Block, Exit, Link, Model, Node, Problem
from fin.planning.system import system_left
from tests.helpers.exhaustive import optimum
from tests.helpers.instances import far_apart, problems

EXACT = Options(tolerance=0.0)
ROUNDING = 1e-9
randoms = st.randoms(use_true_random=False, note_method_calls=False)
powers = st.integers(-30, 30).map(lambda exponent: 2.0**exponent)


def fin(problem: Problem, options: Options = EXACT) -> Solution:
    return solve(system_left(problem), problem.apps[0], options)


def least(problem: Problem) -> float:
    return fin(problem).energy


def no_worse(changed: Problem, problem: Problem) -> bool:
    return least(changed) <= least(problem) * (1 + ROUNDING)


def change_app(problem: Problem, app: App) -> Problem:
    return replace(problem, apps=(app,))


@given(problems(), randoms, st.sampled_from(["millicores", "memory", "pods"]))
@settings(deadline=None)
def test_more_of_a_node_never_costs_energy(problem: Problem, random: Random, what: str) -> None:
    index = random.randrange(len(problem.nodes))
    node = problem.nodes[index]
    more = {
        "millicores": replace(node, millicores=node.millicores * 2 + 10),
        "memory": replace(node, memory=node.memory * 2 + 10**6),
        "pods": replace(node, pods=node.pods + 1),
    }[what]
    nodes = (*problem.nodes[:index], more, *problem.nodes[index + 1 :])
    assert no_worse(replace(problem, nodes=nodes), problem)


@given(problems(), randoms, st.floats(1.0, 10.0))
@settings(deadline=None)
def test_a_faster_link_never_costs_energy(problem: Problem, random: Random, by: float) -> None:
    assume(problem.links)
    index = random.randrange(len(problem.links))
    link = problem.links[index]
    better = replace(link, bandwidth=link.bandwidth * by, rtt=link.rtt / by)
    links = (*problem.links[:index], better, *problem.links[index + 1 :])
    assert no_worse(replace(problem, links=links), problem)


@given(problems(), randoms)
@settings(deadline=None)
def test_a_further_link_never_costs_energy(problem: Problem, random: Random) -> None:
    names = [node.name for node in problem.nodes]
    gaps = [(a, b) for a in names for b in names if a != b and (a, b) not in problem.link]
    assume(gaps)
    link = Link(
        *random.choice(gaps), bandwidth=1e9, rtt=random.choice([0.0, 1e-3]), joules_per_bit=0
    )
    assert no_worse(replace(problem, links=(*problem.links, link)), problem)


@given(problems(), randoms)
@settings(deadline=None)
def test_a_further_node_never_costs_energy(problem: Problem, random: Random) -> None:
    like, near = random.choice(problem.nodes), random.choice(problem.nodes)
    node = replace(like, name="zz", joules_per_flop=like.joules_per_flop / 2, pods=9)
    links = (Link(near.name, "zz", 1e9, 0.0, 1e-9), Link("zz", near.name, 1e9, 0.0, 1e-9))
    bigger = replace(problem, nodes=(*problem.nodes, node), links=(*problem.links, *links))
    assert no_worse(bigger, problem)


@given(problems(), st.floats(0.1, 1.0))
@settings(deadline=None)
def test_a_tighter_latency_never_saves_energy(problem: Problem, by: float) -> None:
    app = problem.apps[0]
    tighter = change_app(problem, replace(app, latency=app.latency * by))
    assert no_worse(problem, tighter)


@given(problems())
@settings(deadline=None)
def test_latency_on_the_maximum_never_saves_energy(problem: Problem) -> None:
    app = problem.apps[0]
    mean, most = (change_app(problem, replace(app, statistic=s)) for s in ("Mean", "Max"))
    assert no_worse(mean, most)


@given(problems(), st.lists(st.floats(0.0, 1.0), min_size=2, max_size=2).map(sorted))
@settings(deadline=None)
def test_a_higher_accuracy_never_saves_energy(problem: Problem, accuracies: list[float]) -> None:
    low, high = (
        change_app(problem, replace(problem.apps[0], min_accuracy=each)) for each in accuracies
    )
    assert no_worse(low, high)


@given(problems(), st.floats(1.0, 5.0))
@settings(deadline=None)
def test_a_higher_rate_never_saves_energy(problem: Problem, by: float) -> None:
    app = problem.apps[0]
    assert no_worse(problem, change_app(problem, replace(app, rate=app.rate * by)))


def scaled(problem: Problem, *, time: float, energy: float, flop: float, size: int) -> Problem:
    """The same problem in other units: of time, energy, operations and bytes."""

    def block(each: Block) -> Block:
        leaves = each.exit and replace(
            each.exit, flops=each.exit.flops * flop, memory=each.exit.memory * size
        )
        return replace(
            each,
            flops=each.flops * flop,
            memory=each.memory * size,
            output_bytes=each.output_bytes * size,
            exit=leaves,
        )

    def interface(rate: float | None) -> float | None:
        return None if rate is None else rate * size / time

    nodes = tuple(
        replace(
            node,
            flops_per_millicore=node.flops_per_millicore * flop / time,
            joules_per_flop=node.joules_per_flop * energy / flop,
            memory=node.memory * size,
            egress=interface(node.egress),
            ingress=interface(node.ingress),
        )
        for node in problem.nodes
    )
    links = tuple(
        replace(
            link,
            bandwidth=link.bandwidth * size / time,
            rtt=link.rtt * time,
            joules_per_bit=link.joules_per_bit * energy / size,
        )
        for link in problem.links
    )

    def app(each: App) -> App:
        model = replace(
            each.model,
            input_bytes=each.model.input_bytes * size,
            blocks=tuple(block(one) for one in each.model.blocks),
            memory_overhead=each.model.memory_overhead * size,
        )
        return replace(each, model=model, rate=each.rate / time, latency=each.latency * time)

    apps = tuple(app(each) for each in problem.apps)
    return replace(problem, nodes=nodes, links=links, apps=apps)


@given(problems(), powers, powers, powers, st.sampled_from([1, 2, 1024]))
@settings(deadline=None)
def test_other_units_change_nothing(
    problem: Problem, time: float, energy: float, flop: float, size: int
) -> None:
    """Powers of two are exact in floating point, so the answers must be the same bit for bit."""
    other = fin(scaled(problem, time=time, energy=energy, flop=flop, size=size))
    here = fin(problem)
    assert other.placement == here.placement
    assert other.energy == here.energy * energy
    assert other.bound == here.bound * energy


@given(problems(), randoms)
@settings(deadline=None)
def test_the_order_of_nodes_and_links_changes_nothing(problem: Problem, random: Random) -> None:
    nodes, links = list(problem.nodes), list(problem.links)
    random.shuffle(nodes)
    random.shuffle(links)
    shuffled = replace(problem, nodes=tuple(nodes), links=tuple(links))
    assert fin(shuffled) == fin(problem)
    assert fin(shuffled, Options(gamma=10)) == fin(problem, Options(gamma=10))


PRINT_ANSWERS = """
from random import Random
from fin.planning.fin import solve
from fin.planning.options import Options
from fin.planning.system import system_left
from tests.helpers.instances import random_problem
for seed in range(60):
    problem = random_problem(Random(seed))
    print(solve(system_left(problem), problem.apps[0], Options()))
"""


def test_every_process_gives_the_same_answers() -> None:
    path = os.pathsep.join(sys.path)
    answers = {
        subprocess.run(
            [sys.executable, "-c", PRINT_ANSWERS],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(answers) == 1
    assert answers.pop().count(b"Solution") == 60


@given(problems(), randoms)
@settings(deadline=None, max_examples=200)
def test_sizes_far_apart(problem: Problem, random: Random) -> None:
    wild = far_apart(problem, random)
    best = optimum(wild, wild.apps[0])
    assert least(wild) == pytest.approx(best.energy if best else math.inf, rel=1e-9, abs=0)


def chain(blocks: int, nodes: int, latency: float) -> Problem:
    """A long model without exits but the last, on nodes that are all equal, source at the first."""
    last = Exit("end", 0.0, 0, 0.0, 0.9)
    model = Model(
        "long",
        1000.0,
        tuple(
            Block(f"b{i}", 1e6, 1, 100.0, last if i == blocks - 1 else None) for i in range(blocks)
        ),
    )
    system = tuple(Node(f"n{i:02}", "edge", 1000, 1e6, 2**30, 110, 1e-9) for i in range(nodes))
    links = tuple(
        Link(a.name, b.name, 1e9, 1e-3, 1e-9) for a in system for b in system if a is not b
    )
    app = App("default", "app", model, "n00", 0.01, latency, 0.5)
    return Problem(system, links, (app,))


@pytest.mark.parametrize("nodes", [1, 4, 12])
def test_the_longest_model_on_equal_nodes_stays_at_home(nodes: int) -> None:
    problem = chain(256, nodes, latency=0.256)
    answer = fin(problem)
    assert answer.placement is not None
    assert set(answer.placement.nodes) == {"n00"}
    assert answer.energy == pytest.approx(256e6 * 1e-9)
    assert answer.bound == pytest.approx(answer.energy)
    assert fin(chain(256, nodes, latency=0.2559)) == Solution(None, math.inf, math.inf)


def test_the_longest_model_moves_as_much_as_the_latency_asks() -> None:
    """Each block on the faster, dearer node saves the same time for the same energy."""
    problem = chain(256, 2, latency=0.2)
    home, away = problem.nodes
    fast = replace(away, flops_per_millicore=1e7, joules_per_flop=3e-9)
    answer = fin(replace(problem, nodes=(home, fast)))
    assert answer.placement is not None
    moved = answer.placement.nodes.count("n01")
    # 0.256 s at home; a block saves 0.9 ms, the way there costs 1 ms (and back 1 ms)
    crossings = len(answer.placement.transfers)
    assert crossings == 1
    assert moved == math.ceil((0.056 + 1e-3 + 8e-7) / 0.9e-3)


def test_a_model_without_work_or_data_costs_nothing() -> None:
    model = Model("idle", 0.0, (Block("b", 0.0, 0, 0.0, Exit("e", 0.0, 0, 0.0, 1.0)),))
    node = Node("n", "edge", 10, 1.0, 0, 1, 0.0)
    app = App("default", "app", model, "n", 1e9, 1e-12, 1.0)
    answer = fin(Problem((node,), (), (app,)))
    assert answer.energy == answer.bound == 0.0
    assert answer.placement is not None
