"""``fin profile``: measures networks, machines and links, one file a command."""

import typer

from fin.cli.profile.link import link
from fin.cli.profile.model import model
from fin.cli.profile.node import node

profile = typer.Typer(
    name="profile",
    help="Measure networks, machines and links: the numbers that plans are made of.",
    no_args_is_help=True,
)
profile.command()(model)
profile.command()(node)
profile.command()(link)
