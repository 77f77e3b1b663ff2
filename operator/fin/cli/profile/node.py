"""``fin profile node``: from a machine to a node's labels."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fin.cli.needs import extra
from fin.cli.parameters import positive_duration, quantity


class Output(StrEnum):
    """What is printed to standard output."""

    COMMAND = "command"
    PATCH = "patch"


def node(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NODE",
            envvar="NODE_NAME",
            help="The node's name in the cluster. Default: this machine's.",
        ),
    ] = None,
    network: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="ONNX file to measure with, such as the model that the node will run. Default: an "
            "ordinary convolutional network.",
        ),
    ] = None,
    cpus: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Measure on so many CPUs. Default: all that affinity and cgroup let this process "
            "use.",
        ),
    ] = None,
    allocatable: Annotated[
        float | None,
        typer.Option(
            parser=quantity,
            metavar="QUANTITY",
            help="CPU that the node offers to pods, such as 3800m: the label is scaled to it. "
            "Default: the CPUs measured on.",
        ),
    ] = None,
    watts: Annotated[
        float | None,
        typer.Option(
            parser=quantity,
            metavar="QUANTITY",
            help="Power meanwhile, from a meter or a data sheet. Default: what RAPL tells, where "
            "it can be read.",
        ),
    ] = None,
    tier: Annotated[
        str | None, typer.Option(metavar="WORD", help="Label the node with this tier too.")
    ] = None,
    duration: Annotated[
        float,
        typer.Option(parser=positive_duration, metavar="DURATION", help="How long to measure."),
    ] = "20s",  # type: ignore[assignment]
    pause: Annotated[
        float | None,
        typer.Option(
            parser=positive_duration,
            metavar="DURATION",
            help="Pause so long between two inferences, as between requests that come one by one: "
            "they take longer then, since caches are cold. Default: none.",
        ),
    ] = None,
    output: Annotated[
        Output,
        typer.Option(
            "--output",
            "-o",
            help="command: a kubectl command that labels the node. patch: a JSON merge patch that "
            "does the same.",
        ),
    ] = Output.COMMAND,
) -> None:
    """Measure how fast this machine runs networks, and its power meanwhile.

    Uses the runtime that segments use. Prints what it found to standard error, and to standard
    output what labels the node. Nothing else should run meanwhile.
    """
    with extra("profile", "fin profile node"):
        from fin.cli.profile import labelling

    raise typer.Exit(
        labelling.run(
            name,
            network,
            cpus=cpus,
            allocatable=allocatable,
            watts=watts,
            tier=tier,
            seconds=duration,
            pause=pause or 0.0,
            output=output.value,
        )
    )
