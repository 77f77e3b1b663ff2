"""What segments send each other: a short header as JSON, and the tensor as it is in memory.

A frame is the header's length in 4 bytes, big-endian, the header, and the bytes of the tensor,
row by row, little-endian.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from pydantic import ValidationError

from fin.segment.blocks import Array
from fin.segment.config import Way
from fin.segment.datatypes import NUMPY, OF_NUMPY
from fin.segment.errors import Kind, Refusal

_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Passed:
    """Samples on their way, with what is left of it; the first stage is the receiver's."""

    model: str
    revision: str
    way: Way
    batch: Array


@dataclass(frozen=True, slots=True)
class Visit:
    """How long samples were at a segment, in seconds: waiting, and being computed."""

    segment: str
    waiting: float
    computing: float

    @property
    def seconds(self) -> float:
        """The whole time."""
        return self.waiting + self.computing


@dataclass(frozen=True, slots=True)
class Answer:
    """The logits of samples, in their order, and the name of the exit of each.

    ``visits`` are the segments on the way, in order, as far as the last sample went.
    """

    logits: Array
    exits: tuple[str, ...]
    visits: tuple[Visit, ...]


def pack_passed(passed: Passed) -> bytes:
    """Write samples on their way."""
    way = passed.way.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return _pack({"model": passed.model, "revision": passed.revision, "way": way}, passed.batch)


def unpack_passed(frame: bytes) -> Passed:
    """Read samples on their way.

    Raises
    ------
    Refusal
        Where it is no such frame.
    """
    header, batch = _unpack(frame)
    try:
        way = Way.model_validate(header["way"], by_alias=True, by_name=False)
        return Passed(str(header["model"]), str(header["revision"]), way, batch)
    except (KeyError, ValidationError) as error:
        raise Refusal(Kind.INVALID, f"no samples on their way: {error}") from None


def pack_answer(answer: Answer) -> bytes:
    """Write an answer."""
    names = list(dict.fromkeys(answer.exits))
    header = {
        "names": names,
        "exits": [names.index(name) for name in answer.exits],
        "visits": [[each.segment, each.waiting, each.computing] for each in answer.visits],
    }
    return _pack(header, answer.logits)


def unpack_answer(frame: bytes) -> Answer:
    """Read an answer.

    Raises
    ------
    Refusal
        Where it is none.
    """
    header, logits = _unpack(frame)
    try:
        exits = tuple(str(header["names"][position]) for position in header["exits"])
        visits = tuple(Visit(str(name), *times) for name, *times in header["visits"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Refusal(Kind.INTERNAL, f"not an answer: {error!r}") from None
    if logits.ndim != 2 or len(logits) != len(exits):
        raise Refusal(Kind.INTERNAL, f"not an answer: {len(exits)} exits for {logits.shape}")
    return Answer(logits, exits, visits)


def _pack(header: dict[str, Any], tensor: Array) -> bytes:
    datatype = OF_NUMPY[tensor.dtype]
    written = orjson.dumps({**header, "datatype": datatype, "shape": tensor.shape})
    return b"".join((len(written).to_bytes(_LENGTH), written, tensor.tobytes()))


def _unpack(frame: bytes) -> tuple[dict[str, Any], Array]:
    start = _LENGTH + int.from_bytes(frame[:_LENGTH])
    try:
        header = orjson.loads(frame[_LENGTH:start])
        dtype = NUMPY[header["datatype"]]
        tensor = np.frombuffer(frame, dtype, offset=min(start, len(frame)))
        return header, tensor.reshape(header["shape"])
    except (ValueError, KeyError, TypeError) as error:  # of JSON too
        raise Refusal(Kind.INVALID, f"not a frame of a segment: {error!r}") from None
