"""Where one network with several outputs is cut into a chain of blocks.

An output that others are computed from is where a block ends; every other output is the logits of
an exit. So the outputs ``conv1, early, conv2, final`` make three blocks: up to conv1 with the exit
early, up to conv2, and the rest with the exit final.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import onnx

from fin.profiling import graphs
from fin.profiling.errors import ProfileError


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a network by its tensors.

    Attributes
    ----------
    input
        What the block is fed with.
    output
        What the next block is fed with; None for the last block.
    logits
        What its classifier gives, samples by classes; None without an exit.
    """

    input: str
    output: str | None
    logits: str | None


def cut(model: onnx.ModelProto) -> tuple[Part, ...]:
    """Cut a network at those of its outputs that others are computed from.

    Raises
    ------
    ProfileError
        If that makes no chain of blocks, each with one exit at most.
    """
    outputs = graphs.outputs(model)
    above = {
        name: frozenset(graphs.needed(model, name)) & frozenset(outputs) - {name}
        for name in outputs
    }
    needed = frozenset().union(*above.values())
    ends = sorted(filter(needed.__contains__, outputs), key=lambda name: len(above[name]))
    for upper, lower in itertools.pairwise(ends):
        if upper not in above[lower]:
            raise ProfileError(
                f"{upper} and {lower} are computed side by side, and blocks form a chain: cut "
                "before or behind both"
            )
    exits = _exits(outputs, ends, above)
    (source,) = graphs.inputs(model)
    starts = [source, *ends]
    parts = tuple(
        Part(start, end, exits.get(end)) for start, end in zip(starts, [*ends, None], strict=True)
    )
    for part in parts:
        _check(model, part)
    return parts


def _exits(
    outputs: list[str], ends: list[str], above: Mapping[str, frozenset[str]]
) -> dict[str | None, str]:
    """Return the logits that belong to the end of each block; None stands for the last block's."""
    logits = [name for name in outputs if name not in ends]
    final = next((name for name in reversed(logits) if above[name] >= frozenset(ends)), None)
    if final is None:
        raise ProfileError(f"nothing is computed from {ends[-1]} but other blocks' exits")
    exits: dict[str | None, str] = {None: final}
    for name in logits:
        if name == final:
            continue
        place = max(above[name], key=ends.index, default=None)
        if place is None:
            raise ProfileError(
                f"the exit {name} follows no block: name with --cut the tensor that it branches "
                "off from"
            )
        if place in exits:
            raise ProfileError(
                f"{exits[place]} and {name} are both exits of the block that ends with {place}: "
                "name with --cut a tensor between them"
            )
        exits[place] = name
    return exits


def _check(model: onnx.ModelProto, part: Part) -> None:
    """Refuse a block that reads anything from before its input."""
    before = graphs.needed(model, part.input) | set(graphs.inputs(model))
    before = (before & graphs.computed(model)) - {part.input}
    for name in filter(None, (part.output, part.logits)):
        if beyond := sorted(graphs.needed(model, name, [part.input]) & before):
            raise ProfileError(
                f"can't be cut at {part.input}: what comes behind it also reads {beyond[0]} from "
                "before it"
            )
