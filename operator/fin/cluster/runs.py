"""How blocks run: their tensors, the rules of their exits, and the energy of a sample."""

from collections.abc import Iterator
from itertools import pairwise

from fin.api.dnnmodel import DNNModel
from fin.cluster.revision import BlockRun, Revision, Segment
from fin.planning.plan import Placement
from fin.planning.problem import Model, Problem
from fin.segment.config import BlockTensors

_BITS = 8


def block_runs(
    spec: DNNModel, model: Model, placement: Placement, problem: Problem
) -> Iterator[BlockRun]:
    """Yield how each block of a placement runs.

    Parameters
    ----------
    spec, model
        The same model, as it was written and as the planner has it.
    placement
        Where its blocks run.
    problem
        With the energies of nodes and links.
    """
    for index, (node, route) in enumerate(zip(placement.nodes, placement.routes, strict=True)):
        written, planned = spec.spec.blocks[index], model.blocks[index]
        leaving = written.exit
        links = pairwise(route)
        bits = _BITS * model.transfer_bytes(index)
        yield BlockRun(
            output=written.output,
            logits=leaving.output if leaving else None,
            criterion=leaving.criterion if leaving else "Confidence",
            threshold=leaving.threshold if leaving else None,
            joules=planned.work * problem.node[node].joules_per_flop,
            input_joules=bits * sum(problem.link[ends].joules_per_bit for ends in links),
        )


def block_tensors(revision: Revision, segment: Segment) -> list[BlockTensors]:
    """Return the blocks of a segment with the names of their tensors."""
    tensors = [(run.output, run.logits) for run in revision.runs] or [(None, None)] * len(
        revision.blocks
    )
    return [
        BlockTensors(
            name=revision.blocks[index], output=tensors[index][0], logits=tensors[index][1]
        )
        for index in segment.blocks
    ]
