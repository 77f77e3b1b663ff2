"""Where the demonstration plays: what it says, how long things take, and how it waits."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from testbed.errors import TestbedError

_WIDTH = 100
_SECONDS_BETWEEN_LOOKS = 0.3


class DemoError(TestbedError):
    """A step did not do what it claims; the text says what is missing."""


class Stage:
    """Prints steps on standard output; in colour on a terminal only."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        if hasattr(sys.stdout, "reconfigure"):
            # A line at a time into a pipe too, and no error where a character can't be written.
            sys.stdout.reconfigure(line_buffering=True, errors="replace")
        self._console = Console(
            width=None if self._terminal else _WIDTH, highlight=False, markup=False
        )
        self._step = 0
        self._begin = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begin

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Say what is being done and, once it is, how long it took."""
        self._step += 1
        begin = time.monotonic()
        self._console.print()
        self._console.print(f"{self._step}. {title}", style="bold cyan")
        yield
        self._console.print(f"   done in {time.monotonic() - begin:.1f} s", style="green")

    def say(self, text: str, style: str = "") -> None:
        """Print a paragraph of a step."""
        self.show(Text(text, style=style))

    def show(self, what: RenderableType) -> None:
        """Print something, set in under its step."""
        with self._console.capture() as captured:
            self._console.print(Padding(what, (0, 0, 0, 3)))
        lines = [line.rstrip() for line in captured.get().splitlines()]
        self._console.out("\n".join(lines).strip("\n"), highlight=False)

    def command(self, words: str) -> None:
        """Print a command that is run, as one would type it."""
        self.say(f"$ {words}", style="dim")

    def print_as_is(self, text: str) -> None:
        """Print what a command printed; never broken into lines, but cut where a terminal ends."""
        for line in text.rstrip().splitlines():
            shown = f"   {line.rstrip()}"
            if self._terminal:
                self._console.print(shown, no_wrap=True, overflow="ellipsis")
            else:
                self._console.out(shown, highlight=False)

    def print_to_copy(self, text: str) -> None:
        """Print a line that can be copied from the terminal in one piece."""
        self._console.out(f"   {text}", highlight=False)

    def fail(self, error: Exception, log: str) -> None:
        """Say what went wrong, and how the operator's log ends."""
        where = f" in step {self._step}" if self._step else ""
        self._console.print()
        self._console.print(f"The demo failed{where}: {error}", style="bold red", soft_wrap=True)
        if log:
            self._console.print("The operator's log ends with:", style="red")
            self.print_as_is(log)

    def until(
        self,
        condition: Callable[[], bool],
        timeout: float,
        what: str,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """Wait for a condition.

        Parameters
        ----------
        condition
            What to wait for.
        timeout
            Seconds after which it is an error.
        what
            The condition in words.
        alive
            Raises an error where waiting is of no use any more.

        Raises
        ------
        DemoError
            It did not hold in time.
        """
        deadline = time.monotonic() + timeout
        with self._console.status(f"waiting for {what}"):
            while not condition():
                alive()
                if time.monotonic() > deadline:
                    raise DemoError(f"waited {timeout:g} s for {what} in vain")
                time.sleep(_SECONDS_BETWEEN_LOOKS)
