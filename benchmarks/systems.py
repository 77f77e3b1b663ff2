"""Seeded systems with many applications, for the joint planner's benchmark.

Mobile nodes, edge servers and clouds with the devices and links of `instances`, sparsely
linked: each mobile node to three edge servers and another mobile node, the edge
servers in a ring with chords and each to a cloud. Links are undirected. Applications come in
kinds that share model, accuracy, target and rate, from mobile nodes drawn at random. Each tier
is then made larger, if need be, until a third of its nodes would be filled ``load`` times over
if every application had its best placement alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from benchmarks.instances import FLOAT, make_link, make_node
from fin.planning.evaluation import evaluate
from fin.planning.fin import solve
from fin.planning.graph import extended_graph
from fin.planning.options import Options
from fin.planning.plan import AppPlan
from fin.planning.policies import policy
from fin.planning.problem import App, Block, Exit, Link, Model, Node, Problem
from fin.planning.reserve import reserve
from fin.planning.system import system_left

TIERS = ("cloud", "edge", "mobile")
MEMORY = {"cloud": 32 << 30, "edge": 32 << 30, "mobile": 2 << 30}


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a system is: applications of some kinds, blocks of each model, nodes.

    ``neighbours`` is to how many edge servers each mobile node is linked.
    """

    apps: int
    blocks: int
    nodes: int
    kinds: int = 20
    load: float = 1.0
    neighbours: int = 3

    def __str__(self) -> str:
        return f"{self.apps} x {self.blocks} x {self.nodes}"


@dataclass(frozen=True, slots=True)
class _Kind:
    model: Model
    accuracy: float
    looseness: float
    rate: float
    mean: bool


def system(shape: Shape, seed: int) -> Problem:
    """Draw a system."""
    random = Random(seed)
    nodes, links = _network(random, shape)
    kinds = [_kind(random, index, shape.blocks) for index in range(shape.kinds)]
    mobiles = [node.name for node in nodes if node.tier == "mobile"]
    sources = [random.choice(mobiles) for _ in range(shape.apps)]
    bare = Problem(nodes, links, ())
    targets = [
        _target(bare, kind, sources[index :: shape.kinds]) for index, kind in enumerate(kinds)
    ]
    apps = tuple(
        _app(kinds[index % shape.kinds], f"app-{index:04}", source, targets[index % shape.kinds])
        for index, source in enumerate(sources)
    )
    return _filled(replace(bare, apps=apps), shape.load)


def _network(random: Random, shape: Shape) -> tuple[tuple[Node, ...], tuple[Link, ...]]:
    clouds = max(1, shape.nodes // 12)
    edges = max(2, shape.nodes * 3 // 10)
    tiers = ["cloud"] * clouds + ["edge"] * edges
    tiers += ["mobile"] * (shape.nodes - len(tiers))
    drawn = [make_node(random, index, tier) for index, tier in enumerate(tiers)]
    nodes = tuple(replace(node, memory=MEMORY[node.tier]) for node in drawn)
    cloud, edge, mobile = nodes[:clouds], nodes[clouds : clouds + edges], nodes[clouds + edges :]
    pairs: list[tuple[Node, Node]] = []
    pairs += [(each, cloud[(index + 1) % clouds]) for index, each in enumerate(cloud)]
    for index, each in enumerate(edge):
        pairs += [(each, edge[(index + 1) % edges]), (each, random.choice(edge))]
        pairs.append((each, cloud[index % clouds]))
    for each in mobile:
        pairs += [(each, other) for other in random.sample(edge, min(shape.neighbours, edges))]
        pairs.append((each, random.choice(mobile)))
    return nodes, tuple(_undirected(random, pairs))


def _undirected(random: Random, pairs: Iterable[tuple[Node, Node]]) -> Iterable[Link]:
    distinct = {
        tuple(sorted((first.name, second.name))): (first, second)
        for first, second in pairs
        if first is not second
    }
    for _, (first, second) in sorted(distinct.items()):
        link = make_link(random, first, second)
        yield link
        yield replace(link, source=link.target, target=link.source)


def _kind(random: Random, index: int, blocks: int) -> _Kind:
    """A convolutional network whose outputs shrink, with an exit after each quarter."""
    scale, elements = random.uniform(0.5, 4.0), random.choice((100_352, 200_704, 401_408))
    quarter = max(blocks // 4, 1)
    chain, left = [], 1.0
    for block in range(blocks):
        macs = scale * random.uniform(15, 60) * 8 / blocks
        parameters = random.uniform(0.02e6, 2e6) * 8 / blocks * (block + 1) / blocks
        leaves = None
        if block == blocks - 1:
            leaves = Exit(f"exit{block}", 1e6, 50_000, 0.0, 0.9)
        elif block % quarter == quarter - 1:
            rate = random.uniform(0.1, 0.3) * left
            leaves = Exit(f"exit{block}", 1e6, 50_000, rate, 0.6 + 0.25 * block / blocks)
            left -= rate
        memory = int((parameters + 2 * elements) * FLOAT)
        chain.append(Block(f"block{block}", 2e6 * macs, memory, elements * FLOAT, leaves))
        elements = max(int(elements * random.uniform(0.5, 1.0) ** (8 / blocks)), 1000)
    model = Model(f"model-{index}", 150_528, tuple(chain), memory_overhead=64 << 20)
    accuracies = [block.exit.accuracy for block in chain if block.exit]
    return _Kind(
        model,
        accuracy=random.choice(accuracies[1:]),
        looseness=random.uniform(0.3, 0.9),
        rate=random.uniform(1.0, 4.0),
        mean=random.random() < 0.5,
    )


def _app(kind: _Kind, name: str, source: str, latency: float) -> App:
    return App(
        namespace="bench",
        name=name,
        model=kind.model,
        source=source,
        rate=kind.rate,
        latency=latency,
        min_accuracy=kind.accuracy,
        statistic="Mean" if kind.mean else "Max",
    )


def _target(bare: Problem, kind: _Kind, sources: Sequence[str]) -> float:
    """Between the slowest source's quickest way and the cheapest ways' latency."""
    quick = cheap = 0.0
    speeds = {node.name: node.capacity for node in bare.nodes}
    for source in sorted(set(sources)):
        app = _app(kind, "app", source, latency=1e3)
        problem = replace(bare, apps=(app,))
        alone = system_left(problem)
        blocks = app.model.cut(app.min_accuracy)
        assert blocks is not None
        graph = extended_graph(alone, app, blocks)
        quick = max(quick, float(policy(graph, np.inf).latency[0, graph.source]))
        loose = solve(alone, app, Options()).placement
        assert loose is not None
        cheap = max(cheap, evaluate(problem, app, loose).latency(speeds))
    return 1.05 * quick + kind.looseness * max(cheap - quick, quick)


def _filled(problem: Problem, load: float) -> Problem:
    """Larger nodes, where all applications at their best would need more than ``load`` of them."""
    alone = system_left(problem)
    plans: dict[tuple[str, str], AppPlan | None] = {}
    used = dict.fromkeys(problem.node, 0)
    for app in problem.apps:
        key = app.model.name, app.source
        if key not in plans:
            placement = solve(alone, app, Options()).placement
            plans[key] = None if placement is None else reserve(problem, app, placement)
        plan = plans[key]
        for node, millicores in plan.millicores if plan else ():
            used[node] += millicores
    factors = {tier: _factor(problem, tier, used, load) for tier in TIERS}
    larger = (
        replace(node, millicores=int(node.millicores * factors[node.tier]))
        for node in problem.nodes
    )
    return replace(problem, nodes=tuple(larger))


def _factor(problem: Problem, tier: str, used: Mapping[str, int], load: float) -> float:
    shares = sorted(
        (used[node.name] / node.millicores for node in problem.nodes if node.tier == tier),
        reverse=True,
    )
    return max(shares[min(len(shares) // 3, len(shares) - 1)] / load, 1.0)
