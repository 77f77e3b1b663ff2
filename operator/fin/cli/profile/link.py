"""``fin profile link``: from two machines to a NetworkTopology."""

from typing import Annotated

import typer

from fin.cli.parameters import address, positive_duration


def link(
    here: Annotated[
        str | None, typer.Argument(metavar="A", help="Name of the node on which this runs.")
    ] = None,
    there: Annotated[
        str | None,
        typer.Argument(metavar="B", help="Name of the node on which the other side listens."),
    ] = None,
    connect: Annotated[
        str | None,
        typer.Option(parser=address, metavar="HOST:PORT", help="Where the other side listens."),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            parser=address,
            metavar="HOST:PORT",
            help="Be the other side: listen here, until interrupted.",
        ),
    ] = None,
    energy_per_bit: Annotated[
        str | None,
        typer.Option(
            metavar="QUANTITY",
            help="Joules to move a bit, both ends and the path between, such as 50n. It can't be "
            "measured here, and must be given.",
        ),
    ] = None,
    duration: Annotated[
        float,
        typer.Option(
            parser=positive_duration, metavar="DURATION", help="How long to measure each direction."
        ),
    ] = "5s",  # type: ignore[assignment]
) -> None:
    """Measure bandwidth and round-trip time between two nodes.

    Run it with --listen on node B, then on node A with both names and --connect. Prints a
    NetworkTopology.
    """
    from fin.cli.profile import linking

    if listen is not None:
        if here or there or connect:
            raise typer.BadParameter(
                "the side that listens takes no nodes and no --connect", param_hint="--listen"
            )
        raise typer.Exit(linking.listen(listen))
    if here is None or there is None:
        raise typer.BadParameter("name both nodes, or --listen", param_hint="A B")
    if connect is None:
        raise typer.BadParameter("say where the other side listens", param_hint="--connect")
    if energy_per_bit is None:
        raise typer.BadParameter("say what a bit costs, such as 50n", param_hint="--energy-per-bit")
    raise typer.Exit(linking.measure(here, there, connect, energy_per_bit, duration))
