"""Blocks that ONNX Runtime runs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fin.segment.config import BlockTensors
from fin.segment.datatypes import OF_NUMPY, OF_ONNX
from fin.segment.errors import CannotServeError, Kind, Refusal
from fin.segment.onnx_runtime import onnxruntime

Array = NDArray[Any]

_ERRORS_ONLY: Final = 3


@dataclass(frozen=True, slots=True)
class Tensor:
    """What is known of a tensor: -1 is a size that may vary, as that of the batch, the first."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether an array of a shape is one of these."""
        return len(shape) == len(self.shape) and all(
            ours in (-1, theirs) for ours, theirs in zip(self.shape, shape, strict=True)
        )

    def __str__(self) -> str:
        return f"{self.datatype}[{', '.join(map(str, self.shape))}]"


class Block:
    """A block with its weights; ``output`` and ``logits`` are None where it has none."""

    def __init__(self, asked: BlockTensors, file: Path, threads: int) -> None:
        """Load a block from its ONNX file.

        Raises
        ------
        CannotServeError
            Where the file is missing or is not what the model says.
        """
        self.name = asked.name
        self._session = _session(file, threads)
        given = self._session.get_inputs()
        if len(given) != 1:
            names = ", ".join(each.name for each in given) or "none"
            raise CannotServeError(f"{file}: must have one input, and has {len(given)}: {names}")
        self.input = _tensor(file, given[0])
        results = {each.name: each for each in self._session.get_outputs()}
        self.logits = self._logits(asked, file, results)
        self.output = self._output(asked, file, results)
        self._wanted = [each.name for each in (self.output, self.logits) if each is not None]

    @staticmethod
    def _logits(asked: BlockTensors, file: Path, results: dict[str, Any]) -> Tensor | None:
        if asked.logits is None:
            return None
        if asked.logits not in results:
            raise CannotServeError(
                f"{file}: has no output {asked.logits}, which the exit of block {asked.name} "
                f"names; its outputs are {', '.join(results)}"
            )
        logits = _tensor(file, results[asked.logits])
        if len(logits.shape) != 2 or not logits.datatype.startswith("FP"):
            raise CannotServeError(
                f"{file}: output {logits.name} must be floats, samples by classes, and is {logits}"
            )
        return logits

    @staticmethod
    def _output(asked: BlockTensors, file: Path, results: dict[str, Any]) -> Tensor | None:
        others = [name for name in results if name != asked.logits]
        name = asked.output
        if name is None:
            if len(others) > 1:
                raise CannotServeError(
                    f"{file}: more than one output may be what the next block receives: "
                    f"{', '.join(others)}; name it as the output of block {asked.name}"
                )
            if not others and asked.logits is None:
                raise CannotServeError(f"{file}: has no output")
            return _tensor(file, results[others[0]]) if others else None
        if name not in results:
            raise CannotServeError(
                f"{file}: has no output {name}, which block {asked.name} names; "
                f"its outputs are {', '.join(results)}"
            )
        return _tensor(file, results[name])

    def run(self, batch: Array) -> tuple[Array | None, Array | None]:
        """Return what the next block receives and the logits, each None where there is none.

        Raises
        ------
        Refusal
            Where the batch is not what the block takes, or ONNX Runtime fails.
        """
        datatype = OF_NUMPY.get(batch.dtype)
        if datatype != self.input.datatype or not self.input.takes(batch.shape):
            raise Refusal(
                Kind.INTERNAL,
                f"block {self.name} takes {self.input} and was given "
                f"{datatype or batch.dtype}{list(batch.shape)}: do the weights belong together?",
            )
        try:
            results = self._session.run(self._wanted, {self.input.name: batch})
        except Exception as error:  # ONNX Runtime has a class of its own for every failure
            text = re.sub(r"\s+", " ", str(error))
            raise Refusal(Kind.INTERNAL, f"block {self.name} failed: {text}") from None
        found = [np.asarray(result) for result in results]
        output = found.pop(0) if self.output is not None else None
        return output, found.pop() if self.logits is not None else None


def _session(file: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.enable_mem_pattern = False  # of batches whose size varies
    # A thread that spins for work takes CPU time that the limit grants to others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not file.is_file():
        raise CannotServeError(
            f"{file}: is missing; the artifact must have an ONNX file for each block, called "
            "by the block's name with .onnx behind it"
        )
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        text = re.sub(r"\s+", " ", str(error))
        raise CannotServeError(f"{file}: ONNX Runtime can't load it: {text}") from None


def _tensor(file: Path, found: Any) -> Tensor:
    datatype = OF_ONNX.get(found.type)
    if datatype is None:
        raise CannotServeError(
            f"{file}: {found.name} is a {found.type}, and must be one of {', '.join(OF_ONNX)}"
        )
    shape = tuple(size if isinstance(size, int) and size >= 0 else -1 for size in found.shape)
    if not shape or shape[0] != -1:
        raise CannotServeError(
            f"{file}: the first dimension of {found.name} must be the batch, of any size; "
            f"its shape is {list(found.shape)}"
        )
    return Tensor(found.name, datatype, shape)
