"""Writes the reference of the command line from its own help: ``python -m fin.cli.reference``."""

from pathlib import Path
from typing import Final

import typer
from typer.cli import get_docs_for_click

from fin.cli import app

FILE: Final = Path(__file__).parents[3] / "docs/reference/cli.md"
_NOTE: Final = "<!-- Generated from operator/fin/cli by `make cli-reference`: change that. -->\n\n"


def reference() -> str:
    """Return the reference as Markdown."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="fin")
    text = get_docs_for_click(obj=command, ctx=context, name="fin", title="Command line")
    return _NOTE + text.strip() + "\n"


if __name__ == "__main__":
    FILE.write_text(reference(), encoding="utf-8")
