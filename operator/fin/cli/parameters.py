"""Flags and their values: what `plan` and `run` share, and words that help where one is wrong."""

import math
from collections.abc import Callable
from typing import Any

import typer


def number(above: float, most: float, *, or_equal: bool = False) -> Callable[[str], float]:
    """Return a reader of finite numbers above ``above`` (or equal to it), up to ``most``."""
    least = f"{'at least' if or_equal else 'above'} {above:g}"

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (above < value or (or_equal and value == above)) or not value <= most:
            raise typer.BadParameter(f"{text!r} must be a number {least}, and at most {most:g}")
        return value

    return read


def duration(text: str) -> float:
    """Read a duration such as ``5s`` or ``1m30s``, in seconds."""
    from fin.api.duration import Duration

    try:
        return float(Duration.parse(text))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}") from None


def positive_duration(text: str) -> float:
    """Read a duration above 0, in seconds."""
    value = duration(text)
    if not value:
        raise typer.BadParameter(f"{text!r} must be above 0")
    return value


def quantity(text: str) -> float:
    """Read a Kubernetes quantity above 0, such as ``3800m``."""
    from fin.api.quantity import Quantity

    try:
        value = float(Quantity.parse(text))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}") from None
    if not value:
        raise typer.BadParameter(f"{text!r} must be above 0")
    return value


def address(text: str) -> str:
    """Check an address to listen at: ``HOST:PORT``; port 0 takes a free one."""
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise typer.BadParameter(f"{text!r} must be HOST:PORT, such as 0.0.0.0:8080")
    return text


def filename() -> Any:
    """Option of a planner: its input."""
    return typer.Option(
        "--filename",
        "-f",
        metavar="FILE_OR_DIR",
        help="YAML or JSON file with objects, directory of such files, or - for standard "
        "input. May be given several times.",
    )


def more_files() -> Any:
    """Argument of a planner: more of its input."""
    return typer.Argument(metavar="FILE_OR_DIR", help="More of what --filename takes.")


def named(*lists: list[str] | None) -> list[str]:
    """Join lists of files; refuse to go on without any."""
    names = [name for each in lists for name in each or []]
    if not names:
        raise typer.BadParameter("name at least one file, directory, or -", param_hint="-f")
    return names


def tolerance(envvar: str | None = None) -> Any:
    """Option of a planner: the gap at which a plan counts as optimal."""
    return typer.Option(
        parser=number(0, 1),
        metavar="SHARE",
        envvar=envvar,
        help="Gap to the proven lower bound at which a plan counts as optimal.",
    )


def min_saving(envvar: str | None = None) -> Any:
    """Option of a planner: what a move must save."""
    return typer.Option(
        parser=number(0, 1, or_equal=True),
        metavar="SHARE",
        envvar=envvar,
        help="Share of the power of the apps that it moves which a new plan must save.",
    )


def utilisation(envvar: str | None = None) -> Any:
    """Option of a planner: how full reservations and links may be."""
    return typer.Option(
        parser=number(0, 1),
        metavar="SHARE",
        envvar=envvar,
        help="Share of a reservation, and of a link, that load may fill.",
    )


def gamma(planner: str, envvar: str | None = None) -> Any:
    """Option of a planner, which is named in the help: the number of slots."""
    return typer.Option(
        min=1,
        metavar="N",
        envvar=envvar,
        help=f"Slots of the latency target, fixed as in the paper; {planner} may then miss the "
        "optimum, or a tight deployment. Default: as many as the tolerance needs.",
    )
