"""``fin plan``: plans without a cluster."""

from enum import StrEnum
from typing import Annotated

import typer

from fin.cli import parameters
from fin.cli.parameters import positive_duration
from fin.planning.options import Options


class Solver(StrEnum):
    """How the plan is found."""

    FIN = "fin"
    OPTIMAL = "optimal"
    MCP = "mcp"
    NEUROSURGEON = "neurosurgeon"
    EDGENT = "edgent"
    SOURCE_ONLY = "source-only"
    EDGE_ONLY = "edge-only"
    CLOUD_ONLY = "cloud-only"


class Output(StrEnum):
    """What is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def plan(
    files: Annotated[list[str] | None, parameters.more_files()] = None,
    filename: Annotated[list[str] | None, parameters.filename()] = None,
    solver: Annotated[
        Solver,
        typer.Option(
            help="fin: the planner of the operator. optimal: a mixed-integer programme, solved "
            "to proven optimality; slow. The others are baselines: published methods, which look "
            "at latency and accuracy alone, and each app whole on one node."
        ),
    ] = Solver.FIN,
    gamma: Annotated[int | None, parameters.gamma("FIN")] = None,
    tolerance: Annotated[float, parameters.tolerance()] = 0.001,
    utilisation: Annotated[float, parameters.utilisation()] = 0.8,
    time_limit: Annotated[
        float | None,
        typer.Option(
            parser=positive_duration,
            metavar="DURATION",
            help="How long planning may go on improving, such as 60s: the optimal solver, and fin "
            "for several apps together. Default: no limit.",
        ),
    ] = None,
    min_saving: Annotated[float, parameters.min_saving()] = 0.05,
    running: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What runs: Deployments as `kubectl get deployments -A -o yaml` or `fin plan -o "
            "yaml` prints them. It is moved only where that saves enough or lets in another app.",
        ),
    ] = None,
    segment_image: Annotated[
        str,
        typer.Option(
            metavar="IMAGE",
            help="Image of the segments of models that name none. Give the operator's to get "
            "the same objects and names.",
        ),
    ] = "fin-segment",
    output: Annotated[
        Output,
        typer.Option(
            "--output",
            "-o",
            help="table: for people. json: for programs. yaml: the objects that the operator "
            "would create.",
        ),
    ] = Output.TABLE,
) -> None:
    """Plan without a cluster.

    Reads DNNModel, InferenceApp, NetworkTopology, Node and Pod objects, as manifests or as
    `kubectl get -o yaml` prints them; other kinds are passed over. Nodes without conditions
    count as Ready. Pods take room on their nodes.

    Exit status: 0 where every app has a plan, 3 where some app has none, 2 for bad input.
    """
    names = parameters.named(filename, files)

    # Not before it is clear that there is something to plan: this takes a moment.
    from fin.cli import planning

    raise typer.Exit(
        planning.run(
            names,
            solver=solver.value,
            options=Options(gamma, tolerance, min_saving, time_limit),
            utilisation=utilisation,
            segment_image=segment_image,
            output=output.value,
            running=running,
        )
    )
