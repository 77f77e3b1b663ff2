"""Least costs to go, from every block and node at once: the pricing of model.md.

Backwards over the blocks: from where the data is, either a run of blocks there and on
from another node, or a transfer; transfers relax until nothing changes. Layers let a
walk remember something, such as how many runs it has had.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fin.planning.joint.stack import Stack
from fin.planning.policies import CLOSE
from fin.planning.system import Floats, Ints

Hop = tuple[int, ...]
"""Nodes that a transfer crosses, both ends included."""


@dataclass(frozen=True, slots=True)
class Layers:
    """What a walk remembers.

    Attributes
    ----------
    steps
        For each layer, the runs that it may take: which array of costs, and the layer
        after it. A walk begins in layer 0.
    ends
        Layers in which a walk may end.
    later
        Arrays of costs that are of later visits of a node; the others are of first ones.
    """

    steps: tuple[tuple[tuple[int, int], ...], ...]
    ends: frozenset[int]
    later: frozenset[int] = frozenset()


PLAIN = Layers((((0, 0),),), frozenset({0}))
"""Walks that remember nothing: every run is a first visit."""


@dataclass(frozen=True, eq=False)
class ToGo:
    """Least costs to go of some ways, with the choices that lead there.

    Arrays have the shape (layers, ways, blocks + 1, nodes), by the block whose input is at
    the node.

    Attributes
    ----------
    free
        Least cost where the data may be run on here, or moved.
    leave
        Least cost where it must be moved: the node has just run the block before.
    hops
        Column of ``heads`` by which ``leave`` is least.
    moves
        Whether ``free`` is least by moving.
    last
        Else, the last block of the run by which it is least.
    """

    free: Floats
    leave: Floats
    hops: Ints
    moves: NDArray[np.bool_]
    last: Ints

    def walk(self, heads: Ints, way: int, source: int) -> list[tuple[Hop, int]] | None:
        """The least walk of one way in layer 0: for each run its transfer and last block.

        None where there is none, or where links of no cost lead it in a circle.
        """
        blocks = self.free.shape[2] - 1
        block, node = 0, source
        crossed = [source]
        walk: list[tuple[Hop, int]] = []
        if not np.isfinite(self.free[0, way, 0, source]):
            return None
        for _ in range(blocks * heads.shape[0]):
            if self.moves[0, way, block, node]:
                node = int(heads[node, self.hops[0, way, block, node]])
                crossed.append(node)
                continue
            last = int(self.last[0, way, block, node])
            walk.append((tuple(crossed), last))
            block = last + 1
            if block == blocks:
                return walk
            following = int(heads[node, self.hops[0, way, block, node]])
            crossed = [node, following]
            node = following
        return None


def to_go(
    stack: Stack,
    which: Ints,
    time: Floats,
    traffic_price: Floats,
    costs: Sequence[Floats],
    layers: Layers = PLAIN,
    *,
    traced: bool = False,
) -> ToGo:
    """Compute the least costs to go of some ways, each a kind at a price of time.

    Parameters
    ----------
    which, time
        Kinds by their place in the stack, and prices of time, shape (ways,).
    traffic_price
        W per bit/s of each link, shaped as the system's ``heads``.
    costs
        Arrays of what runs cost, shape (ways, runs, nodes), as ``layers`` numbers them.
    traced
        Whether the choices are kept that lead to the least costs; without them there are no
        walks, and ``hops``, ``moves`` and ``last`` are meaningless.
    """
    blocks, heads = stack.blocks, stack.network.whole.heads
    shape = (len(layers.steps), len(which), blocks + 1, len(heads))
    choices = shape if traced else (0, 0, 0, 0)
    result = ToGo(
        free=np.full(shape, np.inf),
        leave=np.full(shape, np.inf),
        hops=np.zeros(choices, dtype=np.intp),
        moves=np.zeros(choices, dtype=np.bool_),
        last=np.zeros(choices, dtype=np.intp),
    )
    for layer in layers.ends:
        result.leave[layer, :, blocks] = 0.0
    first = np.concatenate([[0], np.cumsum(np.arange(blocks, 0, -1))])
    for block in reversed(range(blocks)):
        links = stack.link_costs(which, time, block, traffic_price)
        here = slice(first[block], first[block + 1])
        for layer, steps in enumerate(layers.steps):
            for cost, after in steps:
                ways = costs[cost][:, here] + result.leave[after, :, block + 1 :]
                _run(result, layer, block, ways, traced=traced)
            _move(result, layer, block, links, heads, traced=traced)
    return result


def _run(result: ToGo, layer: int, block: int, ways: Floats, *, traced: bool) -> None:
    """Let runs from ``block`` improve the costs to go."""
    free, least = result.free[layer, :, block], ways.min(axis=1)
    if traced:
        better = least < free
        result.last[layer, :, block][better] = block + ways.argmin(axis=1)[better]
    np.minimum(free, least, out=free)


def _move(
    result: ToGo, layer: int, block: int, links: Floats, heads: Ints, *, traced: bool
) -> None:
    """Let transfers in front of ``block`` improve the costs to go, until nothing changes."""
    if heads.shape[1] == 0:
        return
    free, leave = result.free[layer, :, block], result.leave[layer, :, block]
    for _ in range(len(heads)):
        through = links + free[:, heads]
        through.min(axis=2, out=leave)
        better = leave < free - CLOSE * np.abs(np.where(np.isinf(free), 0.0, free))
        if not better.any():
            break
        free[better] = leave[better]
        if traced:
            result.moves[layer, :, block][better] = True
    if traced:
        result.hops[layer, :, block] = through.argmin(axis=2)
