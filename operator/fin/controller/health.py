"""Whether the operator is alive and ready."""

import asyncio
import time
from typing import Final

from fin.controller.lease import Lease
from fin.controller.rounds import RESYNC, Rounds
from fin.controller.watching import Watches

_LOOP_STUCK: Final = 30.0
_WATCHES_DEAD: Final = 300.0
_NO_ROUND: Final = 3 * RESYNC


class Health:
    """Judges the parts of a running operator, from any thread."""

    def __init__(self, lease: Lease, rounds: Rounds, watches: Watches) -> None:
        self._lease = lease
        self._rounds = rounds
        self._watches = watches
        self._beat_at = time.monotonic()

    async def run(self) -> None:
        """Show that the event loop is not stuck, until cancelled."""
        while True:
            self._beat_at = time.monotonic()
            await asyncio.sleep(1)

    def live(self) -> list[str]:
        """What only a restart can mend."""
        wrong = []
        if (stuck := time.monotonic() - self._beat_at) > _LOOP_STUCK:
            wrong.append(f"the event loop has been stuck for {stuck:.0f} s")
        if (dead := self._watches.silent_for) > _WATCHES_DEAD:
            wrong.append(f"not every kind has been watched for {dead:.0f} s")
        if self._lease.held:
            since = time.monotonic() - max(self._rounds.succeeded_at, self._lease.held_since)
            if since > _NO_ROUND:
                wrong.append(f"no round has succeeded for {since:.0f} s")
        return wrong

    def ready(self) -> list[str]:
        """What is missing until apps are planned; a copy that waits for the Lease is ready."""
        wrong = self.live()
        if self._lease.held and not self._rounds.succeeded:
            wrong.append("the first round is not done")
        elif not self._lease.held and not self._lease.waiting:
            wrong.append("the Lease was not reached")
        return wrong
