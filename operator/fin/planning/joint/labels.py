"""All ways of a class whose Lagrangian costs are within a threshold, enumerated.

Labels grow run by run and link by link, a whole generation at a time, and are cut by the
least costs to go (model.md, "price exactly"). Nothing else cuts them: what is not
returned costs more than the threshold.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fin.planning.joint.backward import Hop, Layers
from fin.planning.joint.ways import Walk
from fin.planning.system import Floats, Ints

MAX_LABELS = 50_000
"""Labels of one enumeration after which it gives up."""


MAX_WALKS = 2_000
"""Walks of one enumeration that are of use at most: each of them is measured."""


class TooManyError(Exception):
    """There are more ways within the threshold than can be looked at."""


@dataclass(frozen=True, eq=False)
class Costs:
    """What the steps of one class cost, at several prices of time side by side.

    Attributes
    ----------
    runs
        Costs of runs as ``layers`` numbers them, each of shape (times, runs, nodes).
    links
        Transfers in front of each block, shape (times, blocks, nodes, degree).
    free, leave
        Least costs to go, shape (layers, times, blocks + 1, nodes), as those of `ToGo`.
    alike
        Nodes that every visit costs the same as a first one, shape (nodes,).
    thresholds
        What a walk may cost at each price of time, shape (times,).
    """

    runs: tuple[Floats, ...]
    links: Floats
    heads: Ints
    layers: Layers
    free: Floats
    leave: Floats
    alike: NDArray[np.bool_]
    thresholds: Floats


@dataclass(frozen=True, eq=False)
class _Generation:
    """Labels of one length: where each is, what it cost, and how it came about.

    ``moving``: its data has crossed a link and may be run on; else it has to cross one.
    ``step`` is the last block of the run just done, or -1 after a link. ``visited`` are
    nodes with runs, ``crossed`` those that the transfer under way has crossed.
    """

    before: "_Generation | None"
    parent: Ints
    block: Ints
    node: Ints
    moving: NDArray[np.bool_]
    cost: Floats
    step: Ints
    layer: Ints
    visited: NDArray[np.bool_]
    crossed: NDArray[np.bool_]

    def walk(self, label: int) -> Walk:
        """The walk of a complete label."""
        steps: list[tuple[int, int]] = []
        at: _Generation | None = self
        while at is not None:
            steps.append((int(at.node[label]), int(at.step[label])))
            label = int(at.parent[label])
            at = at.before
        runs: list[tuple[Hop, int]] = []
        crossed: list[int] = []
        for node, step in reversed(steps):
            if step < 0:
                crossed.append(node)
                continue
            runs.append((tuple(crossed), step))
            crossed = [node]
        return tuple(runs)


def enumerate_walks(costs: Costs, source: int) -> list[Walk]:
    """All walks from ``source`` that cost no more than the threshold at any price of time.

    Raises
    ------
    TooManyError
        Where more than ``MAX_LABELS`` labels are needed, or there are more than ``MAX_WALKS``.
    """
    blocks, nodes = costs.links.shape[1], costs.heads.shape[0]
    zero = np.zeros(1, dtype=np.intp)
    start = _Generation(
        before=None,
        parent=zero,
        block=zero,
        node=zero + source,
        moving=np.ones(1, dtype=np.bool_),
        cost=np.zeros((1, len(costs.thresholds))),
        step=zero - 1,
        layer=zero,
        visited=np.zeros((1, nodes), dtype=np.bool_),
        crossed=np.arange(nodes)[None] == source,
    )
    first = np.concatenate([[0], np.cumsum(np.arange(blocks, 0, -1))])
    found: list[Walk] = []
    labels, generation = 0, start
    while len(generation.cost):
        labels += len(generation.cost)
        if labels > MAX_LABELS:
            raise TooManyError
        following = [_link(costs, generation), _run(costs, first, generation)]
        generation = _join(generation, following)
        complete = np.flatnonzero(generation.block == blocks).tolist()
        if len(found) + len(complete) > MAX_WALKS:
            raise TooManyError
        found += [generation.walk(label) for label in complete]
    return found


_Part = tuple[Ints, Ints, Ints, Floats, Ints, Ints]
"""Of new labels: parent, block, node, cost, step, layer."""


def _link(costs: Costs, labels: _Generation) -> _Part:
    """Let every unfinished label cross every link that can still lead to the thresholds."""
    going = np.flatnonzero(labels.block < costs.links.shape[1])
    block, node, layer = labels.block[going], labels.node[going], labels.layer[going]
    heads = costs.heads[node]
    within = ~labels.crossed[going[:, None], heads]
    for time, threshold in enumerate(costs.thresholds):
        cost = labels.cost[going, time, None] + costs.links[time, block, node]
        ahead = costs.free[layer[:, None], time, block[:, None], heads]
        within &= cost + ahead <= threshold
    parent, column = np.nonzero(within)
    head = heads[parent, column]
    cost = labels.cost[going[parent]] + costs.links[:, block[parent], node[parent], column].T
    step = np.full(len(parent), -1)
    return going[parent], block[parent], head, cost, step, layer[parent]


def _run(costs: Costs, first: Ints, labels: _Generation) -> _Part:
    """Let every label whose data may be run on do each run that can still succeed."""
    times, blocks = costs.links.shape[:2]
    none = np.zeros(0, dtype=np.intp)
    parts: list[_Part] = [(none, none, none, np.zeros((0, times)), none, none)]
    been = labels.visited[np.arange(len(labels.node)), labels.node] & ~costs.alike[labels.node]
    able = labels.moving & (labels.block < blocks)
    places = np.unique(np.stack([labels.block[able], labels.layer[able]]), axis=1)
    for block, layer in places.T.tolist():
        stand = np.flatnonzero(able & (labels.block == block) & (labels.layer == layer))
        runs = slice(first[block], first[block + 1])
        for kind, after in costs.layers.steps[layer]:
            here = stand[been[stand] == (kind in costs.layers.later)]
            node = labels.node[here]
            each = costs.runs[kind][:, runs, node] + labels.cost[here].T[:, None]
            ahead = each + costs.leave[after][:, block + 1 :, node]
            within = (ahead <= costs.thresholds[:, None, None]).all(axis=0)
            length, parent = np.nonzero(within)
            step, layers = block + length, np.full(len(parent), after)
            cost = each[:, length, parent].T
            parts.append((here[parent], step + 1, node[parent], cost, step, layers))
    parent, then, node, cost, step, layers = (
        np.concatenate([part[index] for part in parts]) for index in range(6)
    )
    return parent, then, node, cost, step, layers


def _join(before: _Generation, parts: list[_Part]) -> _Generation:
    parent, block, node, cost, step, layer = (
        np.concatenate([part[index] for part in parts]) for index in range(6)
    )
    visited = before.visited[parent]
    ran = step >= 0
    visited[ran, node[ran]] = True
    crossed = before.crossed[parent] & ~ran[:, None]
    crossed[np.arange(len(node)), node] = True
    return _Generation(before, parent, block, node, ~ran, cost, step, layer, visited, crossed)
