"""Passes samples on to the next segment, over connections that stay."""

import asyncio
import random
from collections.abc import Mapping
from typing import Final

import aiohttp
import orjson

from fin.segment.config import Stage
from fin.segment.errors import Kind, Refusal
from fin.segment.trace import Trace

PATH: Final = "/fin/v1/hop"
TIMEOUT: Final = "Fin-Timeout-Seconds"
"""Header with the seconds that are left for a request."""

_TRIES: Final = 2
_PAUSE: Final = 0.05  # s, at most, before another try
_CONNECT: Final = 2.0  # s
# Less than the server's: a connection that the other side is about to close is not used.
_KEEP: Final = 30.0  # s
_DNS: Final = 10  # s

# What a refusal behind us means to those before us. Others are nothing that the client can mend.
_KINDS: Final = {
    Kind.NOT_FOUND.status: Kind.UNAVAILABLE,  # another segment answers there
    Kind.BUSY.status: Kind.BUSY,
    Kind.UNAVAILABLE.status: Kind.UNAVAILABLE,
    Kind.TOO_LATE.status: Kind.TOO_LATE,
}


class Hops:
    """The connections to other segments."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # the segment itself takes no more requests than its limit
                keepalive_timeout=_KEEP,
                ttl_dns_cache=_DNS,
            ),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def run(self, stage: Stage, frame: bytes, deadline: float, trace: Trace) -> bytes:
        """Have a stage run on its segment; ``deadline`` in the time of the event loop.

        Where the connection fails there is one more try: inference changes nothing, so it is
        safe even if the first had begun. What the segment itself refuses is not tried again:
        that would make a busy one busier, and each segment of the chain would double it.

        Raises
        ------
        Refusal
            As the segment says, or where it can't be reached.
        """
        left = _TRIES
        while True:
            left -= 1
            try:
                return await self._ask(stage, frame, deadline, trace.headers)
            except aiohttp.ClientError as error:
                refusal = Refusal(
                    Kind.UNAVAILABLE,
                    f"segment {stage.segment} at {stage.address} can't be reached: {error}",
                )
            soon = random.uniform(0, _PAUSE)
            if not left or asyncio.get_running_loop().time() + soon >= deadline:
                raise refusal
            await asyncio.sleep(soon)

    async def _ask(
        self, stage: Stage, frame: bytes, deadline: float, headers: Mapping[str, str]
    ) -> bytes:
        seconds = max(0.001, deadline - asyncio.get_running_loop().time())
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=min(_CONNECT, seconds))
        async with self._session.post(
            f"http://{stage.address}{PATH}",
            data=frame,
            headers={**headers, TIMEOUT: f"{seconds:.6f}"},
            timeout=timeout,
        ) as answer:
            body = await answer.read()
        if answer.status == 200:
            return body
        kind = _KINDS.get(answer.status, Kind.INTERNAL)
        raise Refusal(kind, f"segment {stage.segment} at {stage.address}: {_told(body)}")

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


def _told(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "it is not a segment: its answer can't be read"
