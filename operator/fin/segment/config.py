"""What a segment is told in files: what it runs, and the ways of the requests.

``segment.json`` says what the segment is, and stays as it is while the segment lives.
``routes.json`` has the ways of every revision, and changes while it serves.
"""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Self, TypeVar

import orjson
from pydantic import ConfigDict, Field, ValidationError, model_validator

from fin.api.base import LIST, Model, Ratio
from fin.api.parsing import FieldError
from fin.api.text import LabelValue, Sha256, TensorName, WebAddress
from fin.api.wording import path as worded
from fin.api.wording import reason
from fin.segment.errors import CannotServeError
from fin.segment.exits import Criterion, ExitRule

SEGMENT_FILE: Final = "segment.json"
ROUTES_FILE: Final = "routes.json"
MODELS_DIRECTORY: Final = "/models"

_Text = Annotated[str, Field(strict=True, min_length=1, max_length=1024)]
_Joules = Annotated[float, Field(ge=0)]
_Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
_Count = Annotated[int, Field(strict=True, ge=1, le=2**40)]


class _Part(Model):
    # A newer operator may say more than an older segment knows.
    model_config = ConfigDict(extra="ignore")


class BlockTensors(_Part):
    """A block, and what its ONNX file calls its results.

    ``output`` is what the next block receives; None: the only output besides ``logits``, the
    exit's. ``logits`` is None without an exit.
    """

    name: LabelValue
    output: TensorName | None = None
    logits: TensorName | None = None


class WeightsSource(_Part):
    """A directory with the ONNX files, or a URL with the digest of what is there."""

    path: _Text | None = None
    url: WebAddress | None = None
    sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.path is None) == (self.url is None) or (self.url is None) != (self.sha256 is None):
            raise ValueError("must have either path, or url and sha256")
        return self


class SegmentConfig(_Part):
    """What a segment is: ``segment.json``."""

    name: _Text
    app: _Text
    model: _Text
    blocks: Annotated[tuple[BlockTensors, ...], Field(min_length=1, max_length=256), LIST]
    artifact: WeightsSource = WeightsSource(path=MODELS_DIRECTORY)


class StageExit(_Part):
    """An exit that is deployed; on the last block of a way all samples leave, whatever is here."""

    name: _Text
    block: _Text
    criterion: Criterion = "Confidence"
    threshold: Ratio | None = None

    @property
    def rule(self) -> ExitRule:
        """When samples leave."""
        return ExitRule(self.threshold, self.criterion)


class Stage(_Part):
    """A run of blocks on one segment: a part of a request's way.

    ``block_joules`` is the modelled energy of a sample in each block, ``input_joules`` that of
    sending a sample here.
    """

    segment: _Text
    host: _Text
    http: _Port
    blocks: Annotated[tuple[_Text, ...], Field(min_length=1, max_length=256), LIST]
    exits: Annotated[tuple[StageExit, ...], LIST] = ()
    block_joules: Annotated[tuple[_Joules, ...], LIST] = ()
    input_joules: _Joules = 0.0

    @property
    def address(self) -> str:
        """Where its segment takes what others pass on."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.http}"


class Way(_Part):
    """The stages of a revision, in order."""

    hops: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=256), LIST]

    @model_validator(mode="after")
    def _ends_at_an_exit(self) -> Self:
        last = self.hops[-1]
        if last.blocks[-1] not in {leaving.block for leaving in last.exits}:
            raise ValueError("the last block must have an exit: no sample could leave after it")
        return self


class Limits(_Part):
    """How much a segment takes on.

    ``requests`` at a time, those that wait for the next segment included; ``request_bytes`` of
    one; ``timeout_seconds`` where a request brings no sooner deadline; ``drain_seconds`` between
    being told to end and turning requests away.
    """

    requests: _Count = 64
    request_bytes: _Count = 64 * 2**20
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 5.0


class Routes(_Part):
    """The ways of an app's requests: ``routes.json``.

    ``entries`` names the revision that each entry segment follows unless a request asks for
    another.
    """

    entries: dict[str, _Text]
    revisions: dict[str, Way]
    limits: Limits = Limits()


_File = TypeVar("_File", SegmentConfig, Routes)


def read_segment(directory: Path) -> SegmentConfig:
    """Read what the segment is.

    Raises
    ------
    CannotServeError
        Where the file is missing or wrong.
    """
    return _parsed(SegmentConfig, directory / SEGMENT_FILE, _bytes(directory / SEGMENT_FILE))


def read_routes(directory: Path) -> Routes:
    """Read the ways of the requests.

    Raises
    ------
    CannotServeError
        Where the file is missing or wrong.
    """
    return _routes(directory / ROUTES_FILE, _bytes(directory / ROUTES_FILE))


@lru_cache(maxsize=1)  # read every second, and seldom another
def _routes(file: Path, written: bytes) -> Routes:
    return _parsed(Routes, file, written)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CannotServeError(f"{file}: can't be read: {error.strerror}") from None


def _parsed(model: type[_File], file: Path, written: bytes) -> _File:
    try:
        return model.model_validate(orjson.loads(written), by_alias=True, by_name=False)
    except orjson.JSONDecodeError as error:
        raise CannotServeError(f"{file}: is not JSON: {error}") from None
    except ValidationError as error:
        faults = [
            FieldError(worded(details["loc"]), reason(model, details))
            for details in error.errors(include_url=False)
        ]
        raise CannotServeError(f"{file}: " + "; ".join(map(str, faults))) from None
