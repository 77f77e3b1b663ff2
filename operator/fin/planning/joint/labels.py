"""All ways whose Lagrangian costs are within a threshold, enumerated for many sources at once.

Labels grow by a transfer and a run at a time, a whole generation at once, and are cut by the
least costs to go (model.md, "price exactly"). Of a transfer's routes only those count
that no other one can take the place of. Nothing else cuts them: what is not returned
costs more than the threshold, or no less than what is returned with another route.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fin.planning.joint.backward import Hop, Layers
from fin.planning.joint.routes import Labels, Links, cross, take
from fin.planning.joint.ways import Walk
from fin.planning.system import Floats, Ints

MAX_WALKS = 2_000
"""Walks from one source that are of use at most: each of them is measured."""


@dataclass(frozen=True, eq=False)
class Costs:
    """What the steps of one kind cost, at several prices of time side by side.

    Attributes
    ----------
    runs
        Costs of runs as ``layers`` numbers them, each of shape (times, runs, nodes).
    links
        Transfers in front of each block.
    free, leave
        Least costs to go, shape (layers, times, blocks + 1, nodes), as those of `ToGo`.
    alike
        Nodes that every visit costs the same as a first one, shape (nodes,).
    """

    runs: tuple[Floats, ...]
    links: Links
    layers: Layers
    free: Floats
    leave: Floats
    alike: NDArray[np.bool_]

    @property
    def blocks(self) -> int:
        """Blocks of the kind."""
        return int(self.links.costs.shape[1])


@dataclass(frozen=True, eq=False)
class _Steps:
    """How the labels of one generation came about: a transfer, then a run up to ``last``."""

    before: "_Steps | None"
    parent: Ints
    route: Ints
    last: Ints

    def walk(self, label: int) -> Walk:
        """The walk of a complete label."""
        runs: list[tuple[Hop, int]] = []
        at: _Steps | None = self
        while at is not None:
            route = at.route[label]
            runs.append((tuple(route[route >= 0].tolist()), int(at.last[label])))
            label = int(at.parent[label])
            at = at.before
        return tuple(reversed(runs))


def enumerate_walks(
    costs: Costs, sources: Sequence[int], thresholds: Floats, most: int
) -> list[list[Walk] | None]:
    """All walks from each source that cost no more than its threshold at any price of time.

    ``thresholds`` has the shape (sources, times). None for a source where more than
    ``most`` labels are needed, or there are more than ``MAX_WALKS`` walks.
    """
    count, times = thresholds.shape
    source = np.asarray(sources, dtype=np.intp)
    nodes = costs.alike.shape[0]
    labels = Labels(
        owner=np.arange(count),
        block=np.zeros(count, dtype=np.intp),
        node=source,
        layer=np.zeros(count, dtype=np.intp),
        cost=np.zeros((count, times)),
        visited=np.zeros((count, nodes), dtype=np.bool_),
    )
    found: list[list[Walk]] = [[] for _ in sources]
    over = np.zeros(count, dtype=np.bool_)
    used = np.zeros(count, dtype=np.intp)
    steps: _Steps | None = None
    while len(labels.owner):
        crossed = cross(costs.links, costs.free, labels, thresholds, here=steps is None)
        used += np.bincount(crossed.labels.owner, minlength=count)
        ran, parent, last = _run(costs, crossed.labels, thresholds)
        used += np.bincount(ran.owner, minlength=count)
        steps = _Steps(steps, crossed.origin[parent], crossed.route[parent], last)
        for label in np.flatnonzero(ran.block == costs.blocks).tolist():
            found[ran.owner[label]].append(steps.walk(label))
        over |= used > most
        over |= np.array([len(walks) for walks in found]) > MAX_WALKS
        going = np.flatnonzero((ran.block < costs.blocks) & ~over[ran.owner])
        labels = take(ran, going)
        steps = _Steps(steps.before, steps.parent[going], steps.route[going], last[going])
    return [None if over[index] else walks for index, walks in enumerate(found)]


def _run(costs: Costs, labels: Labels, thresholds: Floats) -> tuple[Labels, Ints, Ints]:
    """Let every label do each run that can still succeed: new labels, parents, last blocks."""
    first = np.concatenate([[0], np.cumsum(np.arange(costs.blocks, 0, -1))])
    been = labels.visited[np.arange(len(labels.node)), labels.node] & ~costs.alike[labels.node]
    none = np.zeros(0, dtype=np.intp)
    parts = [(none, none, none, np.zeros((0, thresholds.shape[1])))]
    places = np.unique(np.stack([labels.block, labels.layer]), axis=1)
    for block, layer in places.T.tolist():
        stand = np.flatnonzero((labels.block == block) & (labels.layer == layer))
        runs = slice(first[block], first[block + 1])
        for kind, after in costs.layers.steps[layer]:
            here = stand[been[stand] == (kind in costs.layers.later)]
            node = labels.node[here]
            each = costs.runs[kind][:, runs, node] + labels.cost[here].T[:, None]
            ahead = each + costs.leave[after][:, block + 1 :, node]
            limit = thresholds[labels.owner[here]].T[:, None]
            length, parent = np.nonzero((ahead <= limit).all(axis=0))
            layers = np.full(len(parent), after)
            parts.append((here[parent], block + length, layers, each[:, length, parent].T))
    parent, last, layer_after, cost = (
        np.concatenate([part[index] for part in parts]) for index in range(4)
    )
    visited = labels.visited[parent]
    visited[np.arange(len(parent)), labels.node[parent]] = True
    owner, node = labels.owner[parent], labels.node[parent]
    return Labels(owner, last + 1, node, layer_after, cost, visited), parent, last
