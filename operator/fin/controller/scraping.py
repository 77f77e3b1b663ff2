"""Reads the metrics of segments from their pods, a few at a time."""

import asyncio
import ipaddress
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import aiohttp

from fin.cluster.answering import Pod
from fin.cluster.pods import HTTP_PORT
from fin.cluster.telemetry.counts import Reading
from fin.controller.exposition import UnreadableError, read_counts, read_revision

TIMEOUT: Final = 3.0
"""Seconds for one pod."""

_PARALLEL: Final = 32
_LONGEST: Final = 2**20
"""Bytes of an answer; a segment's has some 5,000."""

# Not compressed: what a few bytes of an answer can become has no limit.
_HEADERS: Final = {"Accept": "text/plain", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a pod could not be read, in words."""

    why: str


class Scraper:
    """A client for the metrics of pods; to be used with ``async with``."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_PARALLEL, force_close=True),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT),
            headers=_HEADERS,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._slots = asyncio.Semaphore(_PARALLEL)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def read(self, pods: Iterable[Pod]) -> dict[Pod, Reading | Failed]:
        """Read pods, each once."""
        unique = list(dict.fromkeys(pods))
        found = await asyncio.gather(*map(self._read, unique))
        return dict(zip(unique, found, strict=True))

    async def _read(self, pod: Pod) -> Reading | Failed:
        async with self._slots:
            try:
                text = await self._get(_url(pod.ip))
                return Reading(pod.uid, time.monotonic(), read_counts(text), read_revision(text))
            except TimeoutError:
                return Failed(f"no answer within {TIMEOUT:g} s")
            except aiohttp.ClientConnectorError as error:
                return Failed(f"no connection: {error.strerror or 'failed'}")
            except (aiohttp.ClientError, OSError, UnreadableError, ValueError) as error:
                return Failed(str(error) or type(error).__name__)

    async def _get(self, url: str) -> str:
        async with self._session.get(url, allow_redirects=False) as answer:
            if answer.status != 200:
                raise UnreadableError(f"status {answer.status}")
            read = bytearray()
            async for chunk in answer.content.iter_any():
                read += chunk
                if len(read) > _LONGEST:
                    raise UnreadableError(f"more than {_LONGEST} bytes")
        return read.decode(errors="replace")


def _url(ip: str) -> str:
    """Address of a pod's metrics; a ValueError where ``ip`` is none."""
    address = ipaddress.ip_address(ip)
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"http://{host}:{HTTP_PORT}/metrics"
