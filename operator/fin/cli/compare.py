"""``fin compare``: every solver on the same problem."""

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from fin.cli import parameters
from fin.cli.parameters import positive_duration
from fin.planning.options import Options

FORMATS = (".svg", ".png")


class Output(StrEnum):
    """What is printed."""

    TABLE = "table"
    JSON = "json"


def _picture(text: str) -> Path:
    """Check that a picture can be drawn into a file of this name."""
    file = Path(text)
    if file.suffix not in FORMATS:
        raise typer.BadParameter(f"{text!r} must end in {' or '.join(FORMATS)}")
    if not file.parent.is_dir():
        raise typer.BadParameter(f"{text!r}: there is no directory {str(file.parent)!r}")
    return file


def compare(
    files: Annotated[list[str] | None, parameters.more_files()] = None,
    filename: Annotated[list[str] | None, parameters.filename()] = None,
    gamma: Annotated[int | None, parameters.gamma("FIN")] = None,
    tolerance: Annotated[float, parameters.tolerance()] = 0.001,
    utilisation: Annotated[float, parameters.utilisation()] = 0.8,
    time_limit: Annotated[
        float,
        typer.Option(
            parser=positive_duration,
            metavar="DURATION",
            help="How long the optimal solver, and fin for several apps together, may take; "
            "their plans may then not be the best.",
        ),
    ] = "60s",  # type: ignore[assignment]
    output: Annotated[
        Output,
        typer.Option("--output", "-o", help="table: for people. json: for programs."),
    ] = Output.TABLE,
    picture: Annotated[
        Path | None,
        typer.Option(
            parser=_picture,
            metavar="FILE",
            help="Draw the comparison into this file too: .svg or .png. Needs matplotlib.",
        ),
    ] = None,
) -> None:
    """Compare FIN with the optimum and with every baseline.

    Reads what `fin plan` reads and plans it by each solver: what each spends, how fast and
    how accurate the apps are, what FIN saves, and what the baselines break. The saving is
    that of the apps that both plan.

    Exit status: 0 where all solvers have run, 2 for bad input.
    """
    names = parameters.named(filename, files)
    if picture is not None and find_spec("matplotlib") is None:
        typer.secho(
            "error: --picture needs matplotlib, which is not installed: "
            "pip install 'fin-operator[picture]'",
            fg="red",
            err=True,
        )
        raise typer.Exit(1)

    # Not before it is clear that there is something to plan: this takes a moment.
    from fin.cli import comparing

    raise typer.Exit(
        comparing.run(
            names,
            options=Options(gamma=gamma, tolerance=tolerance, time_limit=time_limit),
            utilisation=utilisation,
            output=output.value,
            picture=picture,
        )
    )
