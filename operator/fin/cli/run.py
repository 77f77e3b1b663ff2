"""``fin run``: the operator."""

from enum import StrEnum
from typing import Annotated

import typer

from fin.cli import parameters
from fin.cli.needs import extra
from fin.cli.parameters import address, duration, positive_duration


class LogFormat(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    JSON = "json"


def run(
    gamma: Annotated[int | None, parameters.gamma("the operator", "FIN_GAMMA")] = None,
    tolerance: Annotated[float, parameters.tolerance("FIN_TOLERANCE")] = 0.001,
    utilisation: Annotated[float, parameters.utilisation("FIN_UTILISATION")] = 0.8,
    min_saving: Annotated[float, parameters.min_saving("FIN_MIN_SAVING")] = 0.05,
    segment_image: Annotated[
        str,
        typer.Option(
            metavar="IMAGE",
            envvar="FIN_SEGMENT_IMAGE",
            help="Image of the segments of models that name none. Without one, such models "
            "can't run.",
        ),
    ] = "",
    allow_host_path: Annotated[
        bool,
        typer.Option(
            "--allow-host-path",
            envvar="FIN_ALLOW_HOST_PATH",
            help="Let a model's artifact be a path of the node.",
        ),
    ] = False,
    metrics_address: Annotated[
        str,
        typer.Option(
            parser=address,
            metavar="HOST:PORT",
            envvar="FIN_METRICS_ADDRESS",
            help="Where Prometheus metrics are served, at /metrics.",
        ),
    ] = "0.0.0.0:8080",
    health_address: Annotated[
        str,
        typer.Option(
            parser=address,
            metavar="HOST:PORT",
            envvar="FIN_HEALTH_ADDRESS",
            help="Where the probes are served, at /livez and /readyz.",
        ),
    ] = "0.0.0.0:8081",
    lease_namespace: Annotated[
        str | None,
        typer.Option(
            metavar="NAMESPACE",
            envvar="FIN_LEASE_NAMESPACE",
            help="Where the operator's Lease is. Default: the pod's own namespace, outside a pod "
            "`default`.",
        ),
    ] = None,
    drain: Annotated[
        float,
        typer.Option(
            parser=duration,
            metavar="DURATION",
            envvar="FIN_DRAIN",
            help="How long an old entry segment serves on after traffic has left it.",
        ),
    ] = "5s",  # type: ignore[assignment]
    ready_timeout: Annotated[
        float,
        typer.Option(
            parser=positive_duration,
            metavar="DURATION",
            envvar="FIN_READY_TIMEOUT",
            help="How long a new revision may take to become Ready.",
        ),
    ] = "5m",  # type: ignore[assignment]
    observe_every: Annotated[
        float,
        typer.Option(
            parser=positive_duration,
            metavar="DURATION",
            envvar="FIN_OBSERVE_EVERY",
            help="How often the metrics of segments are read. What is observed is smoothed over "
            "four times as long, and acted on when it has lasted eight times as long.",
        ),
    ] = "15s",  # type: ignore[assignment]
    log_format: Annotated[
        LogFormat, typer.Option(envvar="FIN_LOG_FORMAT", help="How log lines are written.")
    ] = LogFormat.TEXT,
) -> None:
    """Run the operator: watch, plan, apply, report.

    It uses the cluster of KUBECONFIG or, in a pod, the pod's own credentials.
    """
    with extra("operator", "fin run"):
        from fin.controller.run import run as operate
        from fin.controller.settings import OperatorSettings
    settings = OperatorSettings(
        gamma=gamma,
        tolerance=tolerance,
        utilisation=utilisation,
        min_saving=min_saving,
        segment_image=segment_image,
        allow_host_path=allow_host_path,
        metrics_address=metrics_address,
        health_address=health_address,
        lease_namespace=lease_namespace,
        drain=drain,
        ready_timeout=ready_timeout,
        observe_every=observe_every,
        log_format=log_format.value,
    )
    raise typer.Exit(operate(settings))
