"""The task that asks entries which revision they follow, while something waits for that."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Final

from fin.cluster.answering import Pod
from fin.cluster.telemetry.counts import Reading
from fin.controller.alarm import Alarm
from fin.controller.scraping import Scraper

PERIOD: Final = 1.0
"""Seconds between two times that entries are asked."""

_log = logging.getLogger(__name__)


class Following:
    """Knows what entries follow by what they say; asks for a round where that is new."""

    def __init__(self, scraper: Scraper, alarm: Alarm) -> None:
        self._scraper = scraper
        self._alarm = alarm
        self._pods: frozenset[Pod] = frozenset()
        self._any = asyncio.Event()
        self._told: dict[str, str] = {}

    @property
    def told(self) -> Mapping[str, str]:
        """The revision that each entry follows, by its pod's uid; those that answered."""
        return self._told

    def ask(self, pods: Iterable[Pod]) -> None:
        """Ask these from now on, and forget others."""
        self._pods = frozenset(pods)
        known = {pod.uid for pod in self._pods}
        self._told = {uid: revision for uid, revision in self._told.items() if uid in known}
        if self._pods:
            self._any.set()
        else:
            self._any.clear()

    async def run(self) -> None:
        """Ask until cancelled; whatever fails, the next time may succeed."""
        while True:
            await self._any.wait()
            await asyncio.sleep(PERIOD)
            try:
                await self._look()
            except Exception:
                _log.exception("following: failed by a mistake in the operator")

    async def _look(self) -> None:
        pods = self._pods
        found = await self._scraper.read(pods)
        if pods != self._pods:
            return
        told = {pod.uid: read.revision for pod, read in found.items() if isinstance(read, Reading)}
        if told != self._told:
            self._told = told
            self._alarm.ring()
