"""``fin segment``: the data plane."""

from pathlib import Path
from typing import Annotated

import typer

from fin.cli.needs import extra
from fin.cli.parameters import address


def segment(
    config: Annotated[
        Path,
        typer.Option(
            metavar="DIRECTORY",
            envvar="FIN_CONFIG",
            help="Where segment.json and routes.json are, which the operator makes.",
        ),
    ],
    http_address: Annotated[
        str,
        typer.Option(
            parser=address,
            metavar="HOST:PORT",
            envvar="FIN_HTTP_ADDRESS",
            help="Where clients and other segments are served over HTTP; the probes and "
            "/metrics too.",
        ),
    ] = "0.0.0.0:8080",
    grpc_address: Annotated[
        str,
        typer.Option(
            parser=address,
            metavar="HOST:PORT",
            envvar="FIN_GRPC_ADDRESS",
            help="Where clients are served over gRPC.",
        ),
    ] = "0.0.0.0:9000",
) -> None:
    """Serve one segment of a model: run its blocks, and pass on what does not leave.

    Clients speak the Open Inference Protocol, version 2, over HTTP or gRPC.
    """
    with extra("segment", "fin segment"):
        from fin.segment.server import run
    raise typer.Exit(run(config, _split(http_address), _split(grpc_address)))


def _split(checked: str) -> tuple[str, int]:
    host, _, port = checked.rpartition(":")
    return host, int(port)
