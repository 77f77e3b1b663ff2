"""What each block and each exit of a network costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from fin.profiling import flops, graphs, memory
from fin.profiling.errors import ProfileError
from fin.profiling.network import Block
from fin.profiling.progress import Progress
from fin.profiling.runtime import Session


@dataclass(frozen=True, slots=True)
class Cost:
    """What a block or an exit's classifier takes for one sample.

    Attributes
    ----------
    flops
        Operations; a multiply-add counts as two.
    parameters
        Bytes of the weights.
    memory
        Bytes at the peak, weights included.
    """

    flops: int
    parameters: int
    memory: int


@dataclass(frozen=True, slots=True)
class BlockCost:
    """What a block costs, and its exit where it has one.

    Attributes
    ----------
    block
        The block alone.
    exit
        The exit's classifier on top of it; None without one.
    input_bytes, output_bytes
        What the block receives and what it hands on, for one sample; the last block hands on its
        logits.
    """

    block: Cost
    exit: Cost | None
    input_bytes: int
    output_bytes: int


def measure(
    blocks: Sequence[Block], sample: NDArray[Any], progress: Progress
) -> tuple[BlockCost, ...]:
    """Measure the blocks on a batch of one sample.

    Raises
    ------
    ProfileError
        If a block can't be measured; it is named.
    """
    found = []
    for position, block in enumerate(blocks):
        progress("memory of the blocks", position / len(blocks))
        try:
            cost, sample = _measure(block, sample)
        except ProfileError as error:
            raise ProfileError(f"block {block.name}: {error}") from error
        found.append(cost)
    progress("memory of the blocks", 1)
    return tuple(found)


def _measure(block: Block, sample: NDArray[Any]) -> tuple[BlockCost, NDArray[Any]]:
    part = block.part
    end = part.output or part.logits or ""
    (output,) = Session(block.model.SerializeToString()).run(sample, end)
    counted = flops.count(block.model, part.input, sample)
    needed = graphs.needed(block.model, end)
    body = graphs.part(block.model, part.input, [end])
    alone = Cost(
        flops=round(sum(each for tensor, each in counted.items() if tensor in needed)),
        parameters=memory.parameters(body),
        memory=memory.peak(body, sample),
    )
    classifier = None
    if part.logits and part.logits != end:
        weights = memory.parameters(block.model) - alone.parameters
        both = memory.peak(block.model, sample)
        classifier = Cost(
            flops=round(sum(counted.values())) - alone.flops,
            parameters=weights,
            memory=max(weights, both - alone.memory),
        )
    elif part.logits:
        classifier = Cost(0, 0, 0)
    return BlockCost(alone, classifier, sample.nbytes, output.nbytes), output
