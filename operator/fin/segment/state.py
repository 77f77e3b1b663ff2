"""Whether a segment is ready for requests."""

import asyncio
import logging
import socket
from typing import Final

from fin.segment.routes import CurrentRoutes

_PERIOD: Final = 2.0  # s between two looks
_MISSED: Final = 3
"""How often in a row the next segment must be missing before one that was ready is not."""

log = logging.getLogger(__name__)


class State:
    """Ready where the next segments exist, until it is told to end.

    A next segment exists while its Service has a name in the DNS: where its pod restarts, or
    can't be reached, this one stays ready, and answers requests for it with an error at once.
    Else one lost segment would take all before it out of service, and they would come back one
    after the other.
    """

    def __init__(self, routes: CurrentRoutes) -> None:
        self._routes = routes
        self._missing: dict[str, int] = {}
        self._looked = False
        self.draining = False

    def why_not_ready(self) -> str:
        """Say why it is not ready; empty where it is."""
        if self.draining:
            return "it is ending"
        if not self._looked:
            return "it is starting"
        gone = [host for host, missed in self._missing.items() if missed >= _MISSED]
        return f"the next segment does not exist: {', '.join(gone)}" if gone else ""

    async def watch(self) -> None:
        """Look for the next segments again and again."""
        while True:
            await self.look()
            await asyncio.sleep(_PERIOD)

    async def look(self) -> None:
        """Look whether the next segments exist; at the first look one that is missing counts."""
        missing = {}
        for host in sorted(self._routes.next_hosts):
            if not await _exists(host):
                missing[host] = self._missing.get(host, 0) + 1 if self._looked else _MISSED
        before = self.why_not_ready()
        self._missing = missing
        self._looked = True
        if before != self.why_not_ready():
            log.info("ready" if not self.why_not_ready() else self.why_not_ready())


async def _exists(host: str) -> bool:
    try:
        await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        # A DNS that does not answer says nothing about the name.
        return error.errno == socket.EAI_AGAIN
    except UnicodeError:  # a name that can't be one
        return False
    return True
