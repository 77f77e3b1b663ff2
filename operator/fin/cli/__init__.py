"""The ``fin`` program, one file a command."""

import io
import sys

import typer

from fin.cli.compare import compare
from fin.cli.live.explain import explain
from fin.cli.live.top import top
from fin.cli.live.whatif import whatif
from fin.cli.plan import plan
from fin.cli.profile import profile
from fin.cli.run import run
from fin.cli.segment import segment
from fin.cli.version import version

app = typer.Typer(
    name="fin",
    help="Run early-exit neural networks over mobile, edge and cloud nodes at the least energy "
    "that meets each app's latency and accuracy.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(plan)
app.command()(compare)
app.add_typer(profile)
app.command()(top)
app.command()(explain)
app.command()(whatif)
app.command()(run)
app.command()(segment)
app.command()(version)


def main() -> None:
    """Run the program; it ends with the exit status of the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack a character
    app(prog_name="fin")
