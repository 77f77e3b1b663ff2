"""The work of ``fin profile model``: read, measure, print, write."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fin.api.parsing import InvalidObject
from fin.cli.profile.profile_table import show
from fin.cli.profile.showing import bars, say_error
from fin.cli.report import to_yaml
from fin.profiling import network, samples
from fin.profiling.document import default_name, dnn_model
from fin.profiling.errors import ProfileError
from fin.profiling.profile import Profile, profile
from fin.segment.exits import Criterion

DONE, BAD_INPUT = 0, 2


def run(
    path: Path,
    data: Path,
    *,
    accuracy: float | None,
    criterion: Criterion,
    cuts: Sequence[str],
    name: str | None,
    output: Path | None,
    directory: Path | None,
) -> int:
    """Profile a network, print the profile and write what is asked for.

    Returns
    -------
    The exit status.
    """
    try:
        with bars() as progress:
            blocks = network.read(path, cuts)
            found = profile(blocks, samples.read(data), accuracy, criterion, progress)
        show(found)
        model = dnn_model(found, name or default_name(path.resolve().stem), datetime.now(UTC))
        if output is not None:
            output.write_text(_heading(found, path, data) + to_yaml([model]), encoding="utf-8")
        if directory is not None:
            network.write(blocks, directory)
    except (ProfileError, InvalidObject) as error:
        say_error(error)
        return BAD_INPUT
    except OSError as error:
        say_error(f"{error.filename}: {error.strerror}")
        return BAD_INPUT
    return DONE


def _heading(found: Profile, path: Path, data: Path) -> str:
    return (
        f"# Measured by `fin profile model` from {path.name} on {found.samples} samples of "
        f"{data.name}.\n"
    )
