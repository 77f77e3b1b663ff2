"""A feasible path by walking: follow a policy, but step aside where a resource runs out."""

import numpy as np

from fin.planning.graph import ExtendedGraph
from fin.planning.policies import Policy, priced
from fin.planning.resources import Resource, Resources, Step


def dive(
    graph: ExtendedGraph, resources: Resources, fastest: Policy, guide: Policy, deadline: float
) -> list[Step] | None:
    """Walk from the source to the end by ``guide``, within all resources and the deadline.

    At every vertex the edge whose cost and remaining cost by ``guide`` are least is taken,
    among those that still fit. Greedy: None where it runs into a dead end.
    """
    block, node = 0, graph.source
    path: list[Step] = [(block, node)]
    taken: dict[Resource, float] = {}
    latency = 0.0
    crossed = {node}
    while block < graph.blocks:
        ranked = _ranked(graph, guide, block, node)
        for column in ranked:
            stays = column < 0
            other = node if stays else int(graph.system.heads[node, column])
            after = block + 1 if stays else block
            edge = (block, node) if stays else (block, node, column)
            times = graph.process_latency if stays else graph.transfer_latency
            late = latency + times[edge] + fastest.latency[after, other] > deadline
            if late or (not stays and other in crossed):
                continue
            if _take(resources, taken, (block, node), (after, other)):
                latency += float(times[edge])
                break
        else:
            return None
        crossed = {other} if stays else crossed | {other}
        block, node = after, other
        path.append((block, node))
    return path


def _ranked(graph: ExtendedGraph, guide: Policy, block: int, node: int) -> list[int]:
    """Edges out of a vertex, the best first: -1 to run the block here, else a link's column."""
    here = block, node
    stay = priced(graph.process_energy[here], graph.process_latency[here], guide.price)
    move = priced(graph.transfer_energy[here], graph.transfer_latency[here], guide.price)
    heads = graph.system.heads[node]
    going = move + guide.cost[block, heads]
    totals = np.concatenate([[stay + guide.cost[block + 1, node]], going])
    order = np.argsort(totals, kind="stable")
    return [int(index) - 1 for index in order if totals[index] < np.inf]


def _take(resources: Resources, taken: dict[Resource, float], vertex: Step, after: Step) -> bool:
    """Add what an edge takes, where it fits."""
    (block, node), (next_block, other) = vertex, after
    moves = next_block == block
    edge = resources.moving(block, node, other) if moves else resources.processing(block, node)
    amounts = [(resource, taken.get(resource, 0.0) + amount) for resource, amount in edge]
    if any(amount > resources.limit(resource) for resource, amount in amounts):
        return False
    taken.update(amounts)
    return True
