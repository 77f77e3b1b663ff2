"""Progress on standard error, where somebody watches it; errors in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import TaskID

from fin.profiling.progress import Progress


@contextmanager
def bars() -> Iterator[Progress]:
    """Show a bar for each thing that takes time; on a terminal only."""
    console = Console(stderr=True)
    with Bars(console=console, transient=True, disable=not console.is_terminal) as shown:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=1)
            shown.update(tasks[what], completed=share)

        yield tell


def say_error(error: object) -> None:
    """Say what is wrong."""
    typer.echo(f"{typer.style('error:', fg='red', bold=True)} {error}", err=True)
