"""When the next round begins: soon after things change, once they are quiet."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

QUIET: Final = 1.0
"""Seconds without a change after which a round begins."""

PATIENCE: Final = 10.0
"""Seconds after the first change at which a round begins all the same."""

FOREVER: Final = float("inf")


class Alarm:
    """Rings of many changes become one round; used in one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first = FOREVER
        self._last = FOREVER
        self._due = FOREVER
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Tell of a change."""
        self._last = self._clock()
        self._first = min(self._first, self._last)
        self._rung.set()

    def set(self, seconds: float) -> None:
        """Begin a round in so many seconds at the latest, whatever happens."""
        self._due = min(self._due, self._clock() + seconds)
        self._rung.set()

    def at(self) -> float:
        """When the next round is due, by the clock; infinite where nothing has happened."""
        return min(self._last + QUIET, self._first + PATIENCE, self._due)

    async def wait(self) -> None:
        """Wait until a round is due; what rings from now on is for the one after it."""
        while (left := self.at() - self._clock()) > 0:
            self._rung.clear()
            # Not asyncio.wait_for: until Python 3.12 it may swallow a cancellation.
            with suppress(TimeoutError):
                async with asyncio.timeout(None if left == FOREVER else left):
                    await self._rung.wait()
        self._first = self._last = self._due = FOREVER
