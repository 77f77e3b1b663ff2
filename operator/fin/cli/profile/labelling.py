"""The work of ``fin profile node``: measure, say it, print the labels."""

import json
import shlex
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import typer

from fin.api import names
from fin.cli.profile.showing import bars, say_error
from fin.cli.units import seconds as time_span
from fin.cli.units import si
from fin.profiling import workload
from fin.profiling.errors import ProfileError
from fin.profiling.labels import labels
from fin.profiling.network import load
from fin.profiling.node import Speed, measure

DONE, BAD_INPUT = 0, 2


def run(
    name: str | None,
    network: Path | None,
    *,
    cpus: int | None,
    allocatable: float | None,
    watts: float | None,
    tier: str | None,
    seconds: float,
    pause: float,
    output: Literal["command", "patch"],
) -> int:
    """Measure this machine and print its labels.

    Returns
    -------
    The exit status.
    """
    try:
        running = workload.network() if network is None else load(network)
        with bars() as progress:
            speed = measure(running, seconds, cpus, progress, pause=pause)
        found = labels(speed, allocatable, watts, tier)
    except ProfileError as error:
        say_error(error)
        return BAD_INPUT
    _tell(speed, found, paused=pause > 0)
    if output == "patch":
        typer.echo(json.dumps({"metadata": {"labels": found}}))
    else:
        words = ["kubectl", "label", "node", name or socket.gethostname(), "--overwrite"]
        typer.echo(shlex.join([*words, *(f"{key}={value}" for key, value in found.items())]))
    return DONE


def _tell(speed: Speed, found: Mapping[str, str], *, paused: bool) -> None:
    how = "With pauses" if paused else "Sustained"
    power = f", {si(speed.watts, 'W')} by RAPL" if speed.watts else ""
    typer.echo(
        f"{how} {si(speed.flops, 'FLOP/s')} on {speed.cpus:g} CPUs over "
        f"{time_span(speed.seconds)}{power}.",
        err=True,
    )
    if names.LABEL_GFLOPS_PER_WATT not in found and paused:
        typer.echo(
            f"The label {names.LABEL_GFLOPS_PER_WATT} is missing: give the node's power under load "
            "with --watts, or measure it without --pause.",
            err=True,
        )
    elif names.LABEL_GFLOPS_PER_WATT not in found:
        typer.echo(
            "RAPL's energy counters can't be read here (often only root can), so the label "
            f"{names.LABEL_GFLOPS_PER_WATT} is missing: give the node's power with --watts.",
            err=True,
        )
