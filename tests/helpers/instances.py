"""Random planning problems, small enough for exhaustive search, from a seed or from hypothesis.

In each problem a few kinds of constraint are tight, drawn near what the applications need,
and the others loose: so every kind decides some instances, and most are feasible.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from fin.planning.problem import App, Block, Exit, Link, Model, Node, Problem, Statistic

TIERS = ("mobile", "edge", "cloud")
SPEED = {"mobile": 12e9, "edge": 60e9, "cloud": 300e9}  # FLOP/s
ENERGY = {"mobile": 5e-10, "edge": 9e-10, "cloud": 1.3e-9}  # J/FLOP
BITS = {"mobile": 1e8, "edge": 1e9, "cloud": 1e10}  # bit/s
DELAY = {"mobile": 4e-3, "edge": 1e-3, "cloud": 1e-2}  # s
RADIO = {"mobile": 3e-8, "edge": 4e-8, "cloud": 1e-8}  # J/bit

KINDS = ("latency", "memory", "load", "link", "interface", "pods", "placement", "cpu")


def random_problem(
    random: Random,
    *,
    apps: tuple[int, int] = (1, 1),
    nodes: tuple[int, int] = (2, 4),
    blocks: tuple[int, int] = (1, 5),
    millicores: Sequence[int] = (1000, 4000),
) -> Problem:
    """Draw a problem; the pairs are the least and the most there may be of each."""
    rho = random.choice([0.5, 0.8, 1.0])
    tight = {kind for kind in KINDS if random.random() < 0.25}
    if random.random() < 0.5:
        tight.add("latency")
    models = [random_model(random, f"model-{index}", blocks) for index in range(2)]
    system = [
        _node(random, f"n{index}", random.choice(TIERS), millicores, tight)
        for index in range(random.randint(*nodes))
    ]
    chosen = [
        _app(random, f"app-{index}", random.choice(models), system, rho, tight)
        for index in range(random.randint(*apps))
    ]
    system = [_limited(random, node, chosen, rho, tight) for node in system]
    links = _links(random, system, chosen, rho, tight)
    return Problem(tuple(system), tuple(links), tuple(chosen), rho)


def random_model(random: Random, name: str, blocks: tuple[int, int]) -> Model:
    """Draw a model with exits or without, whose blocks may be empty and outputs nothing."""
    count = random.randint(*blocks)
    share = random.choice([0.0, 0.3, 0.9, 1.0]) / count
    sizes = random.choice([[0.0, 40.0, 1e3], [0.0, 1e3, 5e3], [40.0, 6144.0, 65_536.0, 200_000.0]])
    return Model(
        name=name,
        input_bytes=random.choice([0.0, 784.0, 3072.0, 150_528.0]),
        blocks=tuple(
            Block(
                name=f"b{index}",
                flops=random.choice([0.0, 1e6, 2e7, 3e7, 1.1e8, 3e8]),
                memory=random.choice([0, 1_000_000, 4_000_000]),
                output_bytes=random.choice(sizes),
                exit=_exit(random, index, share, last=index == count - 1),
            )
            for index in range(count)
        ),
        memory_overhead=random.choice([0, 2_000_000]),
    )


def _exit(random: Random, index: int, share: float, *, last: bool) -> Exit | None:
    if not last and random.random() < 0.6:
        return None
    return Exit(
        name=f"e{index}",
        flops=random.choice([0.0, 5e5, 1e7]),
        memory=random.choice([0, 50_000]),
        rate=0.0 if last else share,
        accuracy=0.9 if last else random.choice([0.5, 0.7, 0.8]),
    )


def _node(random: Random, name: str, tier: str, millicores: Sequence[int], tight: set[str]) -> Node:
    """Draw a node; without jitter the nodes of a tier are equal."""
    jitter = random.choice([0.0, 0.0, 0.5])
    return Node(
        name=name,
        tier=tier,
        millicores=random.choice([5, 10, 0] if _hits(random, "cpu", tight) else millicores),
        flops_per_millicore=SPEED[tier] / max(millicores) * (1 + jitter * random.random()),
        memory=2**40,
        pods=random.choice([0, 1]) if _hits(random, "pods", tight) else 110,
        joules_per_flop=ENERGY[tier] * (1 - jitter * random.random()) * random.choice([0.5, 1.0]),
    )


def _app(
    random: Random, name: str, model: Model, system: list[Node], rho: float, tight: set[str]
) -> App:
    """Draw an application that some node, or the source, could serve if nothing is tight."""
    source = random.choice([min(system, key=lambda node: SPEED[node.tier]), *system])
    work = sum(block.work for block in model.blocks) or 1e6
    node = random.choice([source, source, *system])
    alone = work / (node.capacity or SPEED[node.tier])
    bits = 8 * sum(model.transfer_bytes(block) for block in range(len(model.blocks)))
    moving = bits / BITS["mobile"] + 1e-3
    demand = random.choice([0.8, 0.99, 1.3] if "load" in tight else [0.001, 0.05, 0.3])
    slack = [0.3, 0.5, 0.7, 0.9, 1.2] if "latency" in tight else [2.0, 10.0, 100.0]
    statistic: Statistic = random.choice(["Mean", "Max"])
    placement = _hits(random, "placement", tight)
    tiers = [None, frozenset({"edge", "cloud"}), frozenset({"mobile", "edge"})]
    return App(
        namespace="default",
        name=name,
        model=model,
        source=source.name,
        rate=demand * rho / alone,
        latency=random.choice(slack) * (alone + random.choice([0.0, 1.0]) * moving),
        min_accuracy=random.choice([0.0, 0.6, 0.75, 0.85, 0.9, 0.95 if placement else 0.9]),
        statistic=statistic,
        priority=random.choice([0, 0, 10]),
        local_blocks=random.choice([0, 1, 1, 2]) if placement else 0,
        tiers=random.choice(tiers) if placement else None,
        barred=frozenset(node.name for node in system if placement and random.random() < 0.15),
        created=random.choice(["2025-01-01", "2025-06-01"]),
    )


def _limited(random: Random, node: Node, apps: list[App], rho: float, tight: set[str]) -> Node:
    """Give the node memory and interfaces near what the applications need."""
    whole = sum(
        sum(block.resident for block in app.model.blocks) + app.model.memory_overhead
        for app in apps
    )
    share = random.choice([0.2, 0.5, 0.8]) if _hits(random, "memory", tight) else 10.0

    def interface() -> float | None:
        if not _hits(random, "interface", tight):
            return None
        return random.choice([0.5, 1.0, 2.0]) * _traffic(random, apps) / rho

    return replace(node, memory=int(share * whole), egress=interface(), ingress=interface())


def _links(
    random: Random, system: list[Node], apps: list[App], rho: float, tight: set[str]
) -> list[Link]:
    """Link some pairs, one way or both; some sets leave pairs that only several hops join."""
    density = random.choice([0.5, 0.8, 1.0])
    free = random.choice([0.0, 1.0, 1.0])
    links = []
    for first, tail in enumerate(system):
        for head in system[first + 1 :]:
            if random.random() > density:
                continue
            bandwidth = min(BITS[tail.tier], BITS[head.tier])
            if _hits(random, "link", tight):
                bandwidth = random.choice([0.6, 1.0, 2.0]) * _traffic(random, apps) / rho
            rtt = random.choice([0.0, max(DELAY[tail.tier], DELAY[head.tier])])
            energy = free * (RADIO[tail.tier] + RADIO[head.tier])
            ways = random.choice(["both", "both", "both", "there", "back"])
            if ways != "back":
                links.append(Link(tail.name, head.name, bandwidth, rtt, energy))
            if ways != "there":
                links.append(Link(head.name, tail.name, bandwidth, rtt, energy))
    return links


def _traffic(random: Random, apps: list[App]) -> float:
    """Load (bit/s) of one transfer of one application, above 0."""
    app = random.choice(apps)
    return app.rate * 8 * app.model.transfer_bytes(random.randrange(len(app.model.blocks))) or 1.0


def _hits(random: Random, kind: str, tight: set[str]) -> bool:
    """Whether a constraint of this kind is tight at the place that is drawn now."""
    return kind in tight and random.random() < 0.6


FACTORS = (1e-18, 1e-12, 1e-3, 1.0, 1.0, 1e3, 1e9, 1e15)


def far_apart(problem: Problem, random: Random) -> Problem:
    """The problem with nodes, links and targets up to 33 orders of magnitude apart."""

    def factor() -> float:
        return random.choice(FACTORS)

    nodes = tuple(
        replace(
            node,
            flops_per_millicore=node.flops_per_millicore * factor(),
            joules_per_flop=node.joules_per_flop * factor(),
        )
        for node in problem.nodes
    )
    links = tuple(
        replace(
            link,
            bandwidth=link.bandwidth * factor(),
            rtt=link.rtt * factor(),
            joules_per_bit=link.joules_per_bit * factor(),
        )
        for link in problem.links
    )
    apps = tuple(
        replace(app, rate=app.rate * factor(), latency=app.latency * factor())
        for app in problem.apps
    )
    return replace(problem, nodes=nodes, links=links, apps=apps)


def problems(
    *,
    apps: tuple[int, int] = (1, 1),
    nodes: tuple[int, int] = (2, 4),
    blocks: tuple[int, int] = (1, 5),
) -> st.SearchStrategy[Problem]:
    """Problems for hypothesis: the same draws, which it chooses and shrinks."""
    return st.builds(
        lambda random: random_problem(random, apps=apps, nodes=nodes, blocks=blocks),
        st.randoms(use_true_random=False, note_method_calls=False),
    )


def with_least(problem: Problem, least: dict[str, int]) -> Problem:
    """The same problem, where segments of these models reserve at least so many millicores."""
    return replace(
        problem,
        apps=tuple(
            replace(
                app,
                model=replace(app.model, min_millicores=least.get(app.model.name, 10)),
            )
            for app in problem.apps
        ),
    )
