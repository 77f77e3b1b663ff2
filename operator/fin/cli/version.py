"""``fin version``."""

from importlib.metadata import version as installed

import typer


def version() -> None:
    """Tell the version of this program."""
    typer.echo(f"fin {installed('fin-operator')}")
