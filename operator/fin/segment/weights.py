"""Where the weights come from: a directory of the pod, or a URL with its digest."""

import hashlib
import shutil
import tarfile
import tempfile
import urllib.request
from pathlib import Path
from typing import Final

from fin.segment.config import BlockTensors, WeightsSource
from fin.segment.errors import CannotServeError

_SUFFIX: Final = ".onnx"
_TIMEOUT: Final = 30.0  # s without a byte
_CHUNK: Final = 2**20


def fetch(source: WeightsSource, blocks: tuple[BlockTensors, ...]) -> dict[str, Path]:
    """Return the ONNX file of each block, which may be missing.

    Raises
    ------
    CannotServeError
        Where the weights can't be loaded, or are not those that were asked for.
    """
    directory = Path(source.path) if source.path else _loaded(source, blocks)
    if not directory.is_dir():
        raise CannotServeError(f"{directory}: there is no such directory: is the artifact mounted?")
    return {block.name: directory / (block.name + _SUFFIX) for block in blocks}


def _loaded(source: WeightsSource, blocks: tuple[BlockTensors, ...]) -> Path:
    """Load what is at the URL into a directory of this process; it goes with the container."""
    directory = Path(tempfile.mkdtemp(prefix="fin-weights-"))
    file = directory / "artifact"
    digest = _load(str(source.url), file)
    if digest != source.sha256:
        raise CannotServeError(
            f"{source.url}: its SHA-256 is {digest}, and the artifact says {source.sha256}: "
            "mend whichever is wrong"
        )
    try:
        with tarfile.open(file) as archive:
            archive.extractall(directory, filter="data")
    except tarfile.ReadError:
        if len(blocks) > 1:
            raise CannotServeError(
                f"{source.url}: must be a tar archive with an ONNX file for each block"
            ) from None
        file.rename(directory / (blocks[0].name + _SUFFIX))
    except (tarfile.TarError, OSError, EOFError) as error:
        raise CannotServeError(f"{source.url}: can't be unpacked: {error}") from None
    else:
        file.unlink(missing_ok=True)
    return directory


def _load(url: str, file: Path) -> str:
    """Load a URL into a file, and return its digest."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, file.open("wb") as target:
            shutil.copyfileobj(answer, target, _CHUNK)
    except (OSError, ValueError) as error:  # URLError and time-outs among them
        raise CannotServeError(f"{url}: can't be loaded: {error}") from None
    with file.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()
