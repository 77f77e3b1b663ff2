"""A network with early exits as a chain of blocks, from one ONNX file or a directory of them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from fin.api.text import LABEL_VALUE
from fin.profiling import graphs
from fin.profiling.cutting import Part, cut
from fin.profiling.errors import ProfileError


@dataclass(frozen=True)
class Block:
    """A block of a chain, and the exit after it.

    Attributes
    ----------
    name
        The block's name in the DNNModel, and its file's.
    model
        The block as a network of its own, with the exit's classifier.
    part
        The names of its tensors.
    """

    name: str
    model: onnx.ModelProto
    part: Part

    @property
    def exit_name(self) -> str | None:
        """The exit's name in the DNNModel: that of the logits, as far as it can be one."""
        return label(self.part.logits) if self.part.logits else None


def read(path: Path, cuts: Sequence[str] = ()) -> tuple[Block, ...]:
    """Read a network.

    Parameters
    ----------
    path
        An ONNX file, or a directory of them: one for each block, with its name.
    cuts
        Tensors at which one file is cut, besides those among its outputs.

    Raises
    ------
    ProfileError
        If it can't be read, or is no chain of blocks.
    """
    if path.is_dir():
        if cuts:
            raise ProfileError(f"{path}: is a directory of blocks, cut already: leave --cut out")
        blocks = _read_chain(path)
    else:
        blocks = _read_whole(path, cuts)
    _all_differ(path, "blocks", [block.name for block in blocks])
    _all_differ(path, "exits", [block.exit_name for block in blocks if block.exit_name])
    return blocks


def write(blocks: Iterable[Block], directory: Path) -> None:
    """Write each block to a file of its name, as segments load them."""
    directory.mkdir(parents=True, exist_ok=True)
    for block in blocks:
        onnx.save(block.model, directory / f"{block.name}.onnx")


def label(name: str) -> str:
    """Return a tensor's name as a name in a DNNModel: ``/layer1/out`` is ``layer1-out``."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:63].strip("._-") or "block"


def _read_whole(path: Path, cuts: Sequence[str]) -> tuple[Block, ...]:
    model = load(path)
    if unknown := [each for each in cuts if each not in graphs.computed(model)]:
        raise ProfileError(f"{path}: --cut {unknown[0]}: the network computes no such tensor")
    try:
        model = graphs.with_outputs(model, cuts)
        parts = cut(model)
    except ProfileError as error:
        raise ProfileError(f"{path}: {error}") from None
    return tuple(
        Block(
            label(part.output or part.logits or ""),
            graphs.part(model, part.input, [each for each in (part.output, part.logits) if each]),
            part,
        )
        for part in parts
    )


def _read_chain(directory: Path) -> tuple[Block, ...]:
    """Order the blocks by their tensors: each is fed with an output of the one before."""
    files = {path: load(path) for path in sorted(directory.glob("*.onnx"))}
    if not files:
        raise ProfileError(f"{directory}: has no file that ends in .onnx")
    for path in files:
        if not LABEL_VALUE.matches(path.stem):
            raise ProfileError(
                f"{path}: a block's name must be {LABEL_VALUE.words}, of {LABEL_VALUE.max_length} "
                "characters at most: rename the file"
            )
    fed = {path: graphs.inputs(model)[0] for path, model in files.items()}
    made = {name for model in files.values() for name in graphs.outputs(model)}
    starts = [path for path in files if fed[path] not in made]
    if len(starts) != 1:
        raise ProfileError(
            f"{directory}: blocks form a chain in which each one's input has the name of an output "
            f"of the one before; {len(starts)} have an input that no other gives: "
            f"{', '.join(path.name for path in starts) or 'none'}"
        )
    chain = [starts[0]]
    while after := [path for path in files if fed[path] in graphs.outputs(files[chain[-1]])]:
        if len(after) > 1:
            raise ProfileError(
                f"{directory}: {after[0].name} and {after[1].name} both follow {chain[-1].name}: "
                "blocks form a chain"
            )
        if after[0] in chain:
            raise ProfileError(f"{directory}: {after[0].name} follows itself: blocks form a chain")
        chain += after
    if left := [path.name for path in files if path not in chain]:
        raise ProfileError(f"{directory}: {left[0]} follows itself: blocks form a chain")
    outputs = [*(fed[path] for path in chain[1:]), None]
    return tuple(
        Block(path.stem, files[path], _ends(path, files[path], output))
        for path, output in zip(chain, outputs, strict=True)
    )


def _ends(path: Path, model: onnx.ModelProto, output: str | None) -> Part:
    """Tell what goes on to the next block from an exit's logits."""
    others = [name for name in graphs.outputs(model) if name != output]
    if len(others) > 1:
        raise ProfileError(
            f"{path}: has the outputs {', '.join(others)}, and no block reads them: besides what "
            "the next block reads a block has only its exit's logits"
        )
    if output is None and not others:
        raise ProfileError(f"{path}: the last block must have one output, its exit's logits")
    return Part(graphs.inputs(model)[0], output, others[0] if others else None)


def load(path: Path) -> onnx.ModelProto:
    """Read an ONNX file of a network with one input.

    Raises
    ------
    ProfileError
        If it is none.
    """
    try:
        path.open("rb").close()
        onnx.checker.check_model(path)
        model = onnx.load(path)
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror or error}") from None
    except onnx.checker.ValidationError as error:
        reason = (str(error).strip() or "it is empty").partition("\n")[0]
        raise ProfileError(f"{path}: is no valid ONNX file: {reason}") from None
    names = graphs.inputs(model)
    if len(names) != 1:
        raise ProfileError(
            f"{path}: must have one input, and has {len(names)}: {', '.join(names) or 'none'}"
        )
    return model


def _all_differ(path: Path, what: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ProfileError(
            f"{path}: {what} must have different names; {twice[0]} is there twice: rename a tensor"
        )
