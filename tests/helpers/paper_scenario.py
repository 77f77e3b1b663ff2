"""The scenario of the papers' published scripts, as numbers (see the design's paper-scenario page).

One device, one edge and one cloud server, all linked; block 1 always runs on the device,
where the inputs arise. Source of the numbers: the parameter tables of the scripts that go
with Singhal et al., IEEE Transactions on Networking 2025.
"""

from collections.abc import Sequence

from fin.planning.problem import App, Block, Exit, Link, Model, Node, Problem

# name: speed (op/s), power (W), radio or interface (nJ/bit), bit rate (bit/s)
MACHINES = {
    "mobile": (11e9, 6.0, 30.0, 0.1e9),
    "edge": (153.4e9, 140.0, 37.0, 560e9),
    "cloud": (312e9, 400.0, 12.6, 4480e9),
}

ALEXNET_OPERATIONS = (22.62, 6.711, 19.201, 13.523, 29.084)
ALEXNET_FEATURES = (27 * 27 * 256, 13 * 13 * 384, 13 * 13 * 384, 13 * 13 * 256)

LATENCIES = tuple(milliseconds / 1000 for milliseconds in range(3, 16))
ACCURACIES = tuple(percent / 100 for percent in range(10, 91, 5))


def _model(
    name: str,
    input_bytes: int,
    operations: Sequence[float],
    features: Sequence[int],
    accuracy: dict[int, float],
    rates: dict[int, float] | None = None,
) -> Model:
    """A model; operations in 1e6, accuracies in percent by the block they come after (from 1)."""
    rates = rates or {}
    blocks = []
    for index, (work, size) in enumerate(zip(operations, features, strict=True), start=1):
        leaves = None
        if index in accuracy:
            leaves = Exit(f"exit{index}", 0.0, 0, rates.get(index, 0.0), accuracy[index] / 100)
        blocks.append(Block(f"block{index}", work * 1e6, 0, size, leaves))
    return Model(name, input_bytes, tuple(blocks))


def alexnet(classes: int, rates: dict[int, float] | None = None) -> Model:
    """B-AlexNet on CIFAR-10 or CIFAR-100, with exit rates by block where they are given."""
    accuracy = {10: (56.37, 78.05, 85.95), 100: (39.56, 54.78, 60.32)}[classes]
    return _model(
        f"alexnet-{classes}",
        32 * 32 * 3,
        ALEXNET_OPERATIONS,
        (*ALEXNET_FEATURES, classes),
        dict(zip((1, 3, 5), accuracy, strict=True)),
        rates,
    )


RESNET = _model(
    "resnet",
    32 * 32 * 3,
    (0.7733, 1.0803, 1.0593, 3.5043, 11.7704),
    (32 * 32 * 16, 32 * 32 * 16, 8 * 8 * 64, 8 * 8 * 64, 10),
    {1: 38.89, 3: 51.81, 5: 93.70},
)
LENET = _model(
    "lenet", 28 * 28, (0.1674, 0.04, 0.048), (10 * 10 * 16, 120, 10), {1: 93.59, 3: 99.25}
)

# Every model with its latency targets, the small ones with 1 and 2 ms too.
GRID = {
    "alexnet-10": (alexnet(10), LATENCIES),
    "alexnet-100": (alexnet(100), LATENCIES),
    "resnet": (RESNET, (0.001, 0.002, *LATENCIES)),
    "lenet": (LENET, (0.001, 0.002, *LATENCIES)),
    "alexnet-10-exits": (alexnet(10, {1: 0.40, 3: 0.35}), LATENCIES),
}


def scenario(model: Model, latency: float, accuracy: float) -> Problem:
    """One point of the grid: what the page leaves open is 1 inference/s, no memory, no delay."""
    nodes = tuple(
        Node(
            name=name,
            tier=name,
            millicores=1000,
            flops_per_millicore=speed / 1000,
            memory=0,
            pods=110,
            joules_per_flop=power / speed,
        )
        for name, (speed, power, _, _) in MACHINES.items()
    )
    links = tuple(
        Link(
            source=tail,
            target=head,
            bandwidth=min(MACHINES[tail][3], MACHINES[head][3]),
            rtt=0.0,
            joules_per_bit=(MACHINES[tail][2] + MACHINES[head][2]) * 1e-9,
        )
        for tail in MACHINES
        for head in MACHINES
        if tail != head
    )
    app = App(
        namespace="paper",
        name=model.name,
        model=model,
        source="mobile",
        rate=1.0,
        latency=latency,
        min_accuracy=accuracy,
        local_blocks=1,
    )
    return Problem(nodes, links, (app,), utilisation=0.8)
