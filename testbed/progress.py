"""Progress of long work: one line kept up to date on a terminal, sparse lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

_SECONDS_BETWEEN_LINES = 30.0

Update = Callable[[int, int | None], None]
"""Takes what is done and, where known, the total."""


class Reporter:
    """Says on standard error what is going on."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)

    def say(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def task(self, description: str) -> Iterator[Update]:
        """Show the progress of one task for as long as the context lasts."""
        if self._console.is_terminal:
            with self._bar(description) as update:
                yield update
        else:
            self.say(f"{description} ...")
            yield self._lines(description)

    @contextmanager
    def _bar(self, description: str) -> Iterator[Update]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(description, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)

    def _lines(self, description: str) -> Update:
        last = time.monotonic()

        def update(done: int, total: int | None) -> None:
            nonlocal last
            if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                share = f"{100 * done // total} %" if total else str(done)
                self.say(f"{description}: {share}")

        return update
