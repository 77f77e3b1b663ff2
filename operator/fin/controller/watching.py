"""kopf's watches, in a thread of their own: they only wake the planner."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import kopf
from kubernetes.aio.client import Configuration

from fin.controller.changes import Changes
from fin.controller.connection import connection_info
from fin.controller.kinds import Kind
from fin.controller.selectors import WATCHED

_ERROR_BACKOFFS: Final = (1, 1, 2, 3, 5)
_RESTART: Final = 2.0
_RESTART_MOST: Final = 30.0
_INCOMPLETE: Final = 30.0
"""Seconds for which fewer watches than kinds are borne."""

_IDENTITY: Final[Any] = "fin"
"""For peering, which is off. Else kopf asks for the name of a user who has none in a container."""

_SETTLED: Final = 120.0
"""Seconds after which watches count as settled, so that the next failure waits little again."""

_log = logging.getLogger(__name__)


class Watches:
    """Runs kopf in its own thread and event loop, and again whenever it ends.

    kopf cancels every task of its event loop when it stops, hence a loop of its own.

    ``wake`` is called when something has changed that matters, ``on_restart`` when kopf has
    ended by itself: both in that thread.
    """

    def __init__(
        self,
        configuration: Configuration,
        wake: Callable[[], None],
        on_restart: Callable[[], None],
    ) -> None:
        self._configuration = configuration
        self._wake = wake
        self._on_restart = on_restart
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watches", daemon=True)
        self._alive_at = time.monotonic()

    def start(self) -> None:
        """Begin to watch."""
        self._alive_at = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End the watches, and wait a little for their thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    @property
    def silent_for(self) -> float:
        """Seconds since all watches were last seen alive."""
        return time.monotonic() - self._alive_at

    def _run(self) -> None:
        pause = _RESTART
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                asyncio.run(self._watch())
            except Exception as error:  # whatever ends kopf, the watches must go on
                _log.warning("watches ended: %s", error)
            if self._stop.is_set():
                return
            self._on_restart()
            settled = time.monotonic() - began > _SETTLED
            pause = _RESTART if settled else min(2 * pause, _RESTART_MOST)
            _log.warning("watches start again in %g s", pause)
            self._stop.wait(pause)

    async def _watch(self) -> None:
        ended = asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(_note)
        # kopf spares the tasks that are older than itself.
        observer = asyncio.create_task(self._observe(ended))
        try:
            await kopf.operator(
                registry=self._registry(),
                settings=_settings(),
                clusterwide=True,
                standalone=True,
                identity=_IDENTITY,
                stop_flag=ended,
            )
        finally:
            observer.cancel()
            await asyncio.sleep(0.25)  # aiohttp closes its connections a moment later

    async def _observe(self, ended: asyncio.Event) -> None:
        """End kopf when asked to, or where a watch has ended: it goes on without that one."""
        complete_at = time.monotonic()
        while not self._stop.is_set():
            names = [task.get_name() for task in asyncio.all_tasks()]
            if sum(name.startswith("watcher for ") for name in names) == len(WATCHED):
                complete_at = self._alive_at = time.monotonic()
            elif time.monotonic() - complete_at > _INCOMPLETE:
                _log.warning("not every kind is watched")
                break
            await asyncio.sleep(0.5)
        ended.set()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.ConnectionInfo:
            return await connection_info(self._configuration)

        changes = Changes()
        for kind in WATCHED:
            kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id="changed")(
                self._handler(kind, changes)
            )
        return registry

    def _handler(self, kind: Kind, changes: Changes) -> Callable[..., Awaitable[None]]:
        async def changed(*, event: kopf.RawEvent, **_: Any) -> None:
            try:
                matters = changes.matters(kind, event["type"], event["object"])
            except Exception:
                _log.exception("a %s could not be read; planning all the same", kind.name)
                matters = True
            if matters:
                self._wake()

        return changed


def _note(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Note what kopf has left behind when it failed, such as a task that nobody asked."""
    _log.debug("watches: %s: %s", context.get("message"), context.get("exception"))


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False  # Events are our own recorder's
    settings.scanning.disabled = True  # no rights on CRDs and namespaces are needed
    settings.process.ultimate_exiting_timeout = None
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 30
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = _ERROR_BACKOFFS
    for kind, selector in WATCHED.items():
        key = (kind.group, kind.version, kind.plural)
        if selector.labels:
            settings.watching.label_selectors[key] = selector.labels
        if selector.fields:
            settings.watching.field_selectors[key] = selector.fields
    return settings
