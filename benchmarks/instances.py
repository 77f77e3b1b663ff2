"""Seeded systems and applications of realistic sizes, for the planning benchmark.

Models are those of the literature: MobileNetV2 by its 8 stages and ResNet-50 by its 18
blocks (both float32 on 224 x 224), ResNet-110 on CIFAR by its 55 blocks with the exits of
Ebrahimi et al. (ICPADS 2023). Devices are drawn from data sheets, at a share of their peak
and at a clock of their own: a lower clock is slower and needs less energy per operation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from random import Random

import numpy as np

from fin.planning.evaluation import evaluate
from fin.planning.fin import solve
from fin.planning.graph import extended_graph
from fin.planning.options import Options
from fin.planning.policies import policy
from fin.planning.problem import App, Block, Exit, Link, Model, Node, Problem
from fin.planning.system import system_left

FLOAT = 4  # bytes

# GFLOP/s and watts of data sheets, by tier.
DEVICES = {
    "mobile": ((11.9, 7.2), (35.2, 12.7)),  # Raspberry Pi 4 and 5
    "edge": ((332.0, 100.0), (1652.0, 440.0)),  # Ampere Altra Q32, AmpereOne M128
    "cloud": ((8100.0, 70.0), (19500.0, 400.0)),  # NVIDIA T4, A100
}
PEAK_SHARE = {"mobile": (0.3, 0.6), "edge": (0.05, 0.3), "cloud": (0.005, 0.02)}

# Mbit/s, milliseconds and nJ/bit of a link between two tiers.
LINKS = {
    ("mobile", "mobile"): ((20, 60), (4, 8), (200, 300)),
    ("edge", "mobile"): ((50, 100), (5, 10), (29, 280)),
    ("cloud", "mobile"): ((10, 40), (30, 60), (450, 840)),
    ("edge", "edge"): ((200, 1000), (1, 4), (50, 200)),
    ("cloud", "edge"): ((200, 400), (10, 40), (450, 840)),
    ("cloud", "cloud"): ((1000, 10000), (1, 20), (100, 400)),
}


def mobilenet_v2() -> Model:
    """Eight stages; million multiply-adds and outputs (elements) of each."""
    work = (20.9, 54.9, 37.4, 38.5, 58.1, 46.6, 23.0, 20.1)
    outputs = (200_704, 75_264, 25_088, 12_544, 18_816, 7_840, 15_680, 62_720)
    weights = (1e3, 14e3, 39e3, 184e3, 303e3, 795e3, 474e3, 1692e3)
    return _plain("mobilenet-v2", 150_528, work, weights, outputs, accuracy=0.72)


def resnet_50() -> Model:
    """The stem, 3 + 4 + 6 + 3 bottlenecks and the classifier."""
    layers = (
        (3, 668.0, 216e3, 802_816),
        (4, 1028.0, 1.22e6, 401_408),
        (6, 1464.0, 7.10e6, 200_704),
        (3, 809.0, 14.96e6, 100_352),
    )
    work, weights, outputs = [118.0], [9.5e3], [200_704]
    for count, macs, parameters, elements in layers:
        work += [macs / count] * count
        weights += [parameters / count] * count
        outputs += [elements] * count
    return _plain(
        "resnet-50",
        150_528,
        (*work, 2.0),
        (*weights, 2.05e6),
        (*outputs, 1000),
        accuracy=0.76,
    )


def resnet_110() -> Model:
    """The stem and 54 blocks, with eight exits: accuracy and share that leaves by then."""
    exits = {
        1: (0.347, 0.004),
        5: (0.652, 0.287),
        10: (0.784, 0.600),
        15: (0.815, 0.709),
        25: (0.868, 0.873),
        37: (0.879, 0.914),
        45: (0.893, 0.941),
        54: (0.894, 1.0),
    }
    stages = ((84.93, 84.1e3, 16_384), (83.76, 329e3, 8_192), (83.76, 1.31e6, 4_096))
    blocks = [_block(0, 0.442, 0.46e3, 16_384)]
    left = 0.0
    for index in range(1, 55):
        macs, parameters, elements = stages[(index - 1) // 18]
        leaves = None
        if index in exits:
            accuracy, share = exits[index]
            rate = share - left if index < 54 else 0.0
            leaves = Exit(f"exit{index}", 2e4, 12_000, rate, accuracy)
            left = share
        blocks.append(_block(index, macs / 18, parameters / 18, elements, leaves))
    return Model("resnet-110", 3072, tuple(blocks), memory_overhead=64 << 20)


def resnet_110_by_layer() -> Model:
    """The stem, each block of `resnet_110` as its two convolutions, and the classifier."""
    whole = resnet_110()
    blocks = [whole.blocks[0]]
    for block in whole.blocks[1:]:
        half = replace(block, flops=block.flops / 2, memory=block.memory // 2)
        blocks += [
            replace(half, name=f"{block.name}-first", exit=None),
            replace(half, name=f"{block.name}-second"),
        ]
    blocks[-1] = replace(blocks[-1], exit=None)
    last = whole.blocks[-1].exit
    blocks.append(Block("classifier", 2 * 64 * 10, 64 * 10 * FLOAT, 10 * FLOAT, last))
    return Model("resnet-110-by-layer", whole.input_bytes, tuple(blocks), whole.memory_overhead)


def _plain(
    name: str,
    inputs: int,
    work: Sequence[float],
    weights: Sequence[float],
    outputs: Sequence[int],
    accuracy: float,
) -> Model:
    last = Exit("end", 0.0, 0, 0.0, accuracy)
    blocks = [
        _block(index, *each, last if index == len(work) - 1 else None)
        for index, each in enumerate(zip(work, weights, outputs, strict=True))
    ]
    return Model(name, inputs * FLOAT, tuple(blocks), memory_overhead=64 << 20)


def _block(
    index: int, macs: float, parameters: float, elements: int, leaves: Exit | None = None
) -> Block:
    """A block of ``macs`` million multiply-adds; its input and output lie in memory too."""
    memory = int(parameters * FLOAT + 2 * elements * FLOAT)
    return Block(f"block{index}", 2e6 * macs, memory, elements * FLOAT, leaves)


@dataclass(frozen=True, slots=True)
class Size:
    """How large an instance is, and of what model.

    ``network`` makes every link so many times quicker and cheaper: splitting pays then, and
    many more paths are worth a look. ``degree``: so many links from each node on average, the
    same both ways, where every pair is linked otherwise. ``memory``: no node has memory for more
    than half of what the model needs, and links are the same both ways.
    """

    model: Model
    nodes: int
    network: float = 1.0
    degree: int | None = None
    memory: bool = False

    def __str__(self) -> str:
        parts = [f"{len(self.model.blocks)} x {self.nodes}"]
        parts += [f"degree {self.degree}"] if self.degree else []
        parts += [f"network x {self.network:g}"] if self.network != 1 else []
        return ", ".join([*parts, "memory binds"] if self.memory else parts)


SIZES = (
    Size(mobilenet_v2(), 6),
    Size(resnet_50(), 10),
    Size(resnet_110(), 50),
    Size(resnet_110(), 50, network=10.0),
    Size(resnet_110(), 50, network=10.0, memory=True),
    Size(resnet_110_by_layer(), 200, network=10.0, degree=6),
    Size(resnet_110_by_layer(), 200, network=10.0, degree=6, memory=True),
)


def instance(size: Size, seed: int) -> Problem:
    """One application whose target lies between the quickest and the cheapest.

    The target is halfway from the latency of the fastest path to that of the least-energy
    path, so that it binds. Where memory binds, both are those of paths that fit.
    """
    random = Random(seed)
    tiers = ("mobile", "edge", "edge", "cloud", "mobile")
    nodes = tuple(make_node(random, index, tiers[index % 5]) for index in range(size.nodes))
    app = App(
        namespace="bench",
        name=size.model.name,
        model=size.model,
        source=nodes[0].name,
        rate=2.0,
        latency=1e3,
        min_accuracy=size.model.best_accuracy,
        statistic="Max",
    )
    if size.memory:
        weights = sum(block.resident for block in size.model.blocks)
        room = size.model.memory_overhead + weights // 2
        nodes = tuple(replace(node, memory=room) for node in nodes)
    problem = Problem(nodes, tuple(_links(random, size, nodes)), (app,))
    quick, cheap = _fastest(problem), _cheapest(problem, 1e3)
    assert cheap is not None
    return replace(problem, apps=(replace(app, latency=(quick + cheap) / 2),))


def _links(random: Random, size: Size, nodes: Sequence[Node]) -> Iterator[Link]:
    if size.degree is None and not size.memory:
        for tail, head in permutations(nodes, 2):
            yield make_link(random, tail, head, size.network)
        return
    pairs = list(combinations(nodes, 2))
    if size.degree is not None:
        ring = list(zip(nodes, (*nodes[1:], nodes[0]), strict=True))
        others = random.sample(pairs, len(nodes) * size.degree // 2 - len(ring))
        pairs = ring + [pair for pair in others if pair not in ring]
    for tail, head in pairs:
        link = make_link(random, tail, head, size.network)
        yield link
        yield replace(link, source=link.target, target=link.source)


def _fastest(problem: Problem) -> float:
    """Latency (s) of the quickest path: the least target that can be met, within a thousandth."""
    app = problem.apps[0]
    graph = extended_graph(system_left(problem), app, len(app.model.blocks))
    low = high = float(policy(graph, np.inf).latency[0, graph.source])
    while _cheapest(problem, high) is None:
        low, high = high, 1.5 * high
    while high > low * 1.001:
        middle = (low + high) / 2
        low, high = (middle, high) if _cheapest(problem, middle) is None else (low, middle)
    return high


def _cheapest(problem: Problem, target: float) -> float | None:
    """Latency (s) of the path of least energy within a target; None where there is none."""
    app = replace(problem.apps[0], latency=target)
    placement = solve(system_left(problem), app, Options()).placement
    if placement is None:
        return None
    return evaluate(problem, app, placement).latency(
        {node.name: node.capacity for node in problem.nodes}
    )


def make_node(random: Random, index: int, tier: str) -> Node:
    """Draw a node of a tier."""
    gflops, watts = random.choice(DEVICES[tier])
    share, clock = random.uniform(*PEAK_SHARE[tier]), random.uniform(0.4, 1.0)
    millicores = random.choice((2000, 4000, 8000))
    return Node(
        name=f"{tier}-{index:02}",
        tier=tier,
        millicores=millicores,
        flops_per_millicore=gflops * 1e9 * share * clock / millicores,
        memory=2 << 30,
        pods=110,
        joules_per_flop=watts / (gflops * 1e9 * share) * (0.4 + 0.6 * clock**2),
    )


def make_link(random: Random, tail: Node, head: Node, better: float = 1.0) -> Link:
    """Draw a link, so many times better than those of the tables."""
    first, second = sorted((tail.tier, head.tier))
    megabits, milliseconds, nanojoules = LINKS[first, second]
    return Link(
        source=tail.name,
        target=head.name,
        bandwidth=random.uniform(*megabits) * 1e6 * better,
        rtt=random.uniform(*milliseconds) * 1e-3 / better,
        joules_per_bit=random.uniform(*nanojoules) * 1e-9 / better,
    )
