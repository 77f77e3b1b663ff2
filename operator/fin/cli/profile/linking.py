"""The work of ``fin profile link``: listen, or measure and print."""

import typer

from fin.api.parsing import InvalidObject
from fin.cli.profile.showing import bars, say_error
from fin.cli.report import to_yaml
from fin.cli.units import seconds, si
from fin.profiling import link
from fin.profiling.errors import ProfileError
from fin.profiling.topology import network_topology

DONE, BAD_INPUT = 0, 2


def listen(address: str) -> int:
    """Be the side that is measured, until interrupted.

    Returns
    -------
    The exit status.
    """
    host, port = _split(address)
    try:
        listener = link.Listener(host, port)
    except ProfileError as error:
        say_error(error)
        return BAD_INPUT
    typer.echo(f"Listening at {host}:{listener.port}; Ctrl-C ends it.", err=True)
    try:
        listener.serve()
    except KeyboardInterrupt:
        listener.close()
    return DONE


def measure(here: str, there: str, address: str, energy_per_bit: str, duration: float) -> int:
    """Measure the link to the side that listens, and print it.

    Returns
    -------
    The exit status.
    """
    host, port = _split(address)
    try:
        with bars() as progress:
            found = link.measure(host, port, duration, progress)
        topology = network_topology(here, there, found, energy_per_bit)
    except (ProfileError, InvalidObject) as error:
        say_error(error)
        return BAD_INPUT
    typer.echo(
        f"{here} to {there} {si(found.there, 'bit/s')}, back {si(found.back, 'bit/s')}, "
        f"round trip {seconds(found.rtt)}.",
        err=True,
    )
    typer.echo(to_yaml([topology]), nl=False)
    return DONE


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)
