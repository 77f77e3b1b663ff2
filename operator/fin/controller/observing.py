"""The task that observes: reads segments every so often, beside the rounds."""

import asyncio
import logging

from fin.controller.alarm import Alarm
from fin.controller.collector import Collector
from fin.controller.rounds import Rounds

_log = logging.getLogger(__name__)


class Observing:
    """Reads all segments every ``period`` seconds, tells what is new, and asks for a round.

    A copy of the operator without the Lease has no apps to observe.
    """

    def __init__(self, collector: Collector, rounds: Rounds, alarm: Alarm, period: float) -> None:
        self._collector = collector
        self._rounds = rounds
        self._alarm = alarm
        self._period = period

    async def run(self) -> None:
        """Observe until cancelled; whatever fails, the next reading may succeed."""
        while True:
            await asyncio.sleep(self._period)
            try:
                await self._rounds.show(await self._collector.collect())
                if self._collector.proposals:
                    self._alarm.ring()
            except Exception:
                _log.exception("observing: failed by a mistake in the operator")
