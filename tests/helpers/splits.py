"""Runs a network split into stages, one after the other, in this process."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fin.segment.compute import GOES_ON, Engine, merged
from fin.segment.config import Stage, StageExit


def run_split(
    engine: Engine,
    blocks: Sequence[str],
    exits: Sequence[StageExit],
    cuts: Sequence[bool],
    batch: NDArray[Any],
) -> tuple[NDArray[Any], list[str]]:
    """Return the logits and the exit of each sample; cut after block i where ``cuts[i]``."""
    logits: NDArray[Any] | None = None
    names = [""] * len(batch)
    going_on = np.arange(len(batch))
    current: NDArray[Any] | None = batch
    runs = _runs(blocks, cuts)
    for run in runs:
        assert current is not None
        here = tuple(leaving for leaving in exits if leaving.block in run)
        stage = Stage(segment="s", host="h", http=1, blocks=tuple(run), exits=here)
        outcome = engine.run(stage, current, run is runs[-1])
        left = outcome.exits != GOES_ON
        for sample, place in zip(going_on[left], outcome.exits[left], strict=True):
            names[sample] = here[place].name
        if outcome.logits is not None:
            logits = merged(logits, len(batch), going_on[left], outcome.logits[left])
        going_on, current = going_on[~left], outcome.rest
        if current is None:
            break
    assert logits is not None
    assert not len(going_on)
    return logits, names


def _runs(blocks: Sequence[str], cuts: Sequence[bool]) -> list[list[str]]:
    runs = [[blocks[0]]]
    for block, cut in zip(blocks[1:], cuts, strict=True):
        if cut:
            runs.append([block])
        else:
            runs[-1].append(block)
    return runs
