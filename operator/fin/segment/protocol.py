"""The Open Inference Protocol, version 2: what REST and gRPC have in common.

https://github.com/kserve/open-inference-protocol
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from fin.api.wording import printable
from fin.segment.blocks import Array, Tensor
from fin.segment.compute import Engine
from fin.segment.config import SegmentConfig
from fin.segment.datatypes import NUMPY, OF_NUMPY
from fin.segment.errors import Kind, Refusal
from fin.segment.frames import Answer

OUTPUT: Final = "logits"
"""Name of the only output of every model: what the exit's classifier says of each sample."""

SERVER: Final = "fin-segment"
VERSION: Final = version("fin-operator")
EXTENSIONS: Final = ("binary_tensor_data",)

_MICROSECONDS: Final = 1e6
_SHOWN: Final = 64
_MAX_DIMENSIONS: Final = 32


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and gives."""

    model: str
    input: Tensor
    output: Tensor


def signature(config: SegmentConfig, engine: Engine) -> Signature:
    """Return what the model takes and gives, as far as the blocks that are here tell."""
    known = engine.logits
    datatype, classes = (known.datatype, known.shape[1]) if known else ("FP32", -1)
    return Signature(config.model, engine.first.input, Tensor(OUTPUT, datatype, (-1, classes)))


@dataclass(frozen=True, slots=True)
class GivenTensor:
    """An input as a client describes it."""

    name: str
    datatype: str
    shape: tuple[int, ...]


def the_input(signature: Signature, given: Iterable[GivenTensor]) -> GivenTensor:
    """Return the only input that a request may have.

    Raises
    ------
    Refusal
        Where there is another, or it is not as the model takes it.
    """
    expected = signature.input
    inputs = list(given)
    if len(inputs) != 1 or inputs[0].name != expected.name:
        names = ", ".join(printable(each.name, _SHOWN) for each in inputs[:8]) or "none"
        raise invalid(f"inputs must be one, {expected.name}, a {expected}; given: {names}")
    only = inputs[0]
    if only.datatype != expected.datatype:
        raise invalid(
            f"input {expected.name}: datatype must be {expected.datatype}, "
            f"not {printable(only.datatype, _SHOWN)}"
        )
    if not expected.takes(only.shape) or only.shape[0] < 1 or min(only.shape) < 0:
        raise invalid(
            f"input {expected.name}: shape must be {list(expected.shape)}, where -1 is any size "
            f"and the first that of the batch, at least 1; not {list(only.shape)[:_MAX_DIMENSIONS]}"
        )
    return only


def from_bytes(given: GivenTensor, raw: bytes | memoryview) -> Array:
    """Take a tensor as its bytes, row by row, little-endian.

    Raises
    ------
    Refusal
        Where they are too few or too many.
    """
    dtype = NUMPY[given.datatype]
    expected = _elements(given) * dtype.itemsize
    if len(raw) != expected:
        raise invalid(
            f"input {given.name}: a {given.datatype} of shape {list(given.shape)} has {expected} "
            f"bytes, and {len(raw)} were given"
        )
    return np.frombuffer(raw, dtype).reshape(given.shape)


def from_values(given: GivenTensor, values: Any) -> Array:
    """Take a tensor as its values, nested or flat.

    Raises
    ------
    Refusal
        Where they are too few, too many, or not of the type.
    """
    dtype = NUMPY[given.datatype]
    try:
        found = np.asarray(values)
        if dtype.kind in "iu" and found.dtype.kind in "fO":
            found = _whole(values)
    except ValueError:  # lists of different lengths
        found = np.asarray(None)
    kinds = {"b": "b", "u": "iuO", "i": "iuO", "f": "iuf"}[dtype.kind]
    if found.dtype.kind not in kinds or found.ndim == 0:
        raise invalid(
            f"input {given.name}: data must be a list of {given.datatype} values, nested or flat "
            "in row-major order"
        )
    if found.size != _elements(given):
        raise invalid(
            f"input {given.name}: shape {list(given.shape)} has {_elements(given)} values, and "
            f"{found.size} were given"
        )
    if dtype.kind in "iu" and found.size:
        bounds = np.iinfo(dtype)
        if int(found.min()) < bounds.min or int(found.max()) > bounds.max:
            raise invalid(
                f"input {given.name}: {given.datatype} values are from {bounds.min} to {bounds.max}"
            )
    with np.errstate(over="ignore"):
        return found.astype(dtype).reshape(given.shape)


def _whole(values: Any) -> Array:
    """Take integers of which some fit only a signed and others only an unsigned type."""
    found = np.asarray(values, dtype=object)
    return found if all(type(value) is int for value in found.ravel()) else np.asarray(None)


def check_size(size: int, limit: int) -> None:
    """Refuse requests of too many bytes.

    Raises
    ------
    Refusal
        Where it has more than ``limit``.
    """
    if size > limit:
        raise invalid(f"a request must have at most {limit} bytes; send smaller batches")


def check_outputs(names: Iterable[str]) -> None:
    """Refuse outputs that no model has.

    Raises
    ------
    Refusal
        Where there is one.
    """
    for name in names:
        if name != OUTPUT:
            raise invalid(f"outputs: the only output is {OUTPUT}; given: {printable(name, _SHOWN)}")


def check_model(signature: Signature, model: str) -> None:
    """Refuse models that are not served here.

    Raises
    ------
    Refusal
        Where it is another.
    """
    if model != signature.model:
        raise Refusal(
            Kind.NOT_FOUND,
            f"model {printable(model, _SHOWN)} is not served here; served: {signature.model}",
        )


def timeout(parameters: Mapping[str, Any]) -> float | None:
    """Return the seconds that a request gives itself, in its parameter ``timeout`` in µs.

    Raises
    ------
    Refusal
        Where it is no such number.
    """
    asked = parameters.get("timeout")
    if asked is None:
        return None
    if not isinstance(asked, int) or isinstance(asked, bool) or asked < 0:
        raise invalid("parameters: timeout must be an integer of 0 or more, in microseconds")
    return asked / _MICROSECONDS or None


def datatype(array: Array) -> str:
    """Return what the protocol calls the type of an array."""
    return OF_NUMPY[array.dtype]


def told(answer: Answer) -> dict[str, str]:
    """Return the parameters of a response: of each sample the exit, of each segment the time."""
    visits = answer.visits
    return {
        "exits": ",".join(answer.exits),
        "segments": ",".join(visit.segment for visit in visits),
        "compute_us": ",".join(_microseconds(visit.computing) for visit in visits),
        "wait_us": ",".join(_microseconds(visit.waiting) for visit in visits),
    }


def invalid(message: str) -> Refusal:
    """Return what a malformed request gets."""
    return Refusal(Kind.INVALID, message)


def _elements(given: GivenTensor) -> int:
    count = 1
    for size in given.shape:
        count *= size
    return count


def _microseconds(seconds: float) -> str:
    return str(round(seconds * _MICROSECONDS))
