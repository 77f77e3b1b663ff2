"""The logits of every exit for every sample: a network's answers, were each exit the last."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fin.profiling.errors import ProfileError
from fin.profiling.network import Block
from fin.profiling.progress import Progress
from fin.profiling.runtime import Session
from fin.profiling.samples import Samples

_BATCH = 64


def fitted(blocks: Sequence[Block], samples: Samples) -> Samples:
    """Return the samples in the type that the network takes.

    Raises
    ------
    ProfileError
        If the network takes inputs of another shape, or of a type that can't hold these.
    """
    session = Session(blocks[0].model.SerializeToString())
    _batch(session)
    takes, given = session.shape[1:], samples.inputs.shape[1:]
    if len(takes) != len(given) or any(
        a not in (None, b) for a, b in zip(takes, given, strict=True)
    ):
        raise ProfileError(
            f"inputs are {_shape(given)} each, and the network takes {_shape(takes)}"
        )
    if not np.can_cast(samples.inputs.dtype, session.dtype, casting="same_kind"):
        raise ProfileError(
            f"inputs are {samples.inputs.dtype}, and the network takes {session.dtype}"
        )
    return Samples(samples.inputs.astype(session.dtype, copy=False), samples.labels)


def logits(
    blocks: Sequence[Block], samples: Samples, progress: Progress
) -> tuple[NDArray[Any], ...]:
    """Run all samples through all blocks.

    Returns
    -------
    tuple[NDArray, ...]
        For each exit, in the order of the blocks, samples by classes.

    Raises
    ------
    ProfileError
        If a block can't be run, an exit does not give samples by classes, or a label is none of
        its classes.
    """
    sessions = [Session(block.model.SerializeToString()) for block in blocks]
    size = _batch(sessions[0])
    rows: list[list[NDArray[Any]]] = [[] for block in blocks if block.part.logits]
    for start in range(0, len(samples), size):
        progress("accuracy at the exits", start / len(samples))
        batch = samples.inputs[start : start + size]
        exits = iter(rows)
        for block, session in zip(blocks, sessions, strict=True):
            names = [name for name in (block.part.logits, block.part.output) if name]
            *classified, last = session.run(batch, *names)
            if block.part.logits:
                next(exits).append(classified[0] if classified else last)
            batch = last
    progress("accuracy at the exits", 1)
    found = tuple(np.concatenate(each) for each in rows)
    for block, each in zip((b for b in blocks if b.part.logits), found, strict=True):
        if each.ndim != 2 or len(each) != len(samples):
            raise ProfileError(
                f"exit {block.exit_name}: must give samples by classes, and gives an array of "
                f"{_shape(each.shape)} for {len(samples)} samples"
            )
        low, high = int(samples.labels.min()), int(samples.labels.max())
        if low < 0 or high >= each.shape[1]:
            raise ProfileError(
                f"exit {block.exit_name}: has the classes 0 to {each.shape[1] - 1}, and there are "
                f"labels from {low} to {high}"
            )
    return found


def _batch(session: Session) -> int:
    """Return how many samples the network takes at once."""
    if not session.shape or session.shape[0] not in (None, 1):
        raise ProfileError(
            "the first axis of the network's input must be samples, any number of them or one; "
            f"its input is {_shape(session.shape)}"
        )
    return session.shape[0] or _BATCH


def _shape(lengths: Sequence[int | None]) -> str:
    return " x ".join("any" if each is None else str(each) for each in lengths) or "one number"
