"""Runs a stage on a batch: its blocks one after another, and the exits after them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fin.segment.blocks import Array, Block, Tensor
from fin.segment.config import SegmentConfig, Stage
from fin.segment.errors import CannotServeError, Kind, Refusal
from fin.segment.weights import fetch

GOES_ON = -1


@dataclass(slots=True)
class Outcome:
    """What came of a batch.

    Attributes
    ----------
    exits
        For each sample the position of its exit in the stage's, or ``GOES_ON``.
    logits
        For each sample a row, filled for those that left; None where none did.
    rest
        What the next stage receives, of the samples that go on, in order; None without any.
    runs
        For each block of the stage, how many samples it ran for.
    """

    exits: NDArray[np.int64]
    logits: Array | None
    rest: Array | None
    runs: list[int]

    def leave(self, samples: NDArray[np.int64], position: int, logits: Array) -> None:
        """Let samples leave at an exit with their rows of logits.

        Raises
        ------
        Refusal
            Where an exit knows other classes than one before it.
        """
        self.exits[samples] = position
        self.logits = merged(self.logits, len(self.exits), samples, logits)


def merged(
    answer: Array | None, count: int, samples: NDArray[np.int64], logits: Array
) -> NDArray[Any]:
    """Put rows of logits where their samples are among ``count``; ``answer`` is made if None.

    Raises
    ------
    Refusal
        Where the rows are of another kind than those that are there.
    """
    if answer is None:
        answer = np.zeros((count, logits.shape[1]), logits.dtype)
    if (answer.shape[1], answer.dtype) != (logits.shape[1], logits.dtype):
        raise Refusal(
            Kind.INTERNAL,
            f"all exits must have logits of the same type for the same classes; one has "
            f"{answer.dtype} for {answer.shape[1]}, another {logits.dtype} for {logits.shape[1]}",
        )
    answer[samples] = logits
    return answer


class Engine:
    """The blocks of a segment, loaded; one thread at a time may run them."""

    def __init__(self, blocks: Mapping[str, Block]) -> None:
        self._blocks = blocks

    @property
    def first(self) -> Block:
        """The first block of the segment."""
        return next(iter(self._blocks.values()))

    @property
    def logits(self) -> Tensor | None:
        """The logits of the segment's exits; None where it has none."""
        return next((block.logits for block in self._blocks.values() if block.logits), None)

    def lacks(self, stage: Stage) -> list[str]:
        """Return the blocks of a stage that the segment has not."""
        return [name for name in stage.blocks if name not in self._blocks]

    def run(self, stage: Stage, batch: Array, last: bool) -> Outcome:
        """Run a stage on a batch; where it is the last, all samples leave.

        Raises
        ------
        Refusal
            Where the batch does not fit, an exit is missing, or a block fails.
        """
        outcome = Outcome(np.full(len(batch), GOES_ON), None, None, [])
        going_on: NDArray[np.int64] = np.arange(len(batch))
        exits = {leaving.block: position for position, leaving in enumerate(stage.exits)}
        current: Array | None = batch
        for name in stage.blocks:
            if current is None:
                raise Refusal(Kind.INTERNAL, f"nothing to run block {name} on: the block before "
                              "it has no output but its exit's")  # fmt: skip
            outcome.runs.append(len(current))
            current, logits = self._blocks[name].run(current)
            if name in exits:
                if logits is None:
                    raise Refusal(Kind.INTERNAL, f"block {name} has no exit, and the way names one")
                position = exits[name]
                if last and name == stage.blocks[-1]:
                    outcome.leave(going_on, position, logits)
                    return outcome
                leave = stage.exits[position].rule.leaves(logits)
                if leave.any():
                    outcome.leave(going_on[leave], position, logits[leave])
                    going_on = going_on[~leave]
                    current = None if current is None else current[~leave]
                    if not len(going_on):
                        break
        outcome.runs += [0] * (len(stage.blocks) - len(outcome.runs))
        if len(going_on):
            if current is None:
                raise Refusal(Kind.INTERNAL, f"block {stage.blocks[-1]} has nothing for the next")
            outcome.rest = current
        return outcome


def load(config: SegmentConfig, threads: int) -> Engine:
    """Load the blocks of a segment.

    Raises
    ------
    CannotServeError
        Where weights are missing, wrong, or don't belong together.
    """
    files = fetch(config.artifact, config.blocks)
    blocks = {asked.name: Block(asked, files[asked.name], threads) for asked in config.blocks}
    kinds = {(b.logits.datatype, b.logits.shape[1]): b.name for b in blocks.values() if b.logits}
    if len(kinds) > 1:
        told = "; ".join(f"{name} {kind} for {n}" for (kind, n), name in kinds.items())
        raise CannotServeError(
            f"all exits must have logits of the same type for the same classes: {told}"
        )
    return Engine(blocks)
