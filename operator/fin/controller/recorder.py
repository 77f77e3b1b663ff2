"""Events: what `kubectl describe` tells of an object; a repeat raises the count of the first."""

import asyncio
import logging
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from fin.api.names import DEFAULT_NAMESPACE, FIELD_MANAGER
from fin.controller.kinds import EVENT
from fin.controller.kube import ApiError, JsonObject, Kube, WritingStoppedError

EventType = Literal["Normal", "Warning"]

_MEMORY: Final = 4096
_MESSAGE_LIMIT: Final = 1024
_NAME_LIMIT: Final = 253

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Regarding:
    """The object that an Event is about; ``namespace`` is empty where it has none."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to be said about an object."""

    regarding: Regarding
    type: EventType
    reason: str
    message: str


@dataclass(slots=True)
class _Series:
    name: str
    count: int


class Recorder:
    """Writes Events; what can't be written is logged, and nothing waits for it."""

    def __init__(self, kube: Kube, instance: str) -> None:
        self._kube = kube
        self._instance = instance
        self._series: OrderedDict[Note, _Series] = OrderedDict()

    async def record(self, *notes: Note) -> None:
        """Write Events, several at once."""
        await asyncio.gather(*(self._record(note) for note in notes))

    async def _record(self, note: Note) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            series = self._series.get(note)
            if series is None or not await self._repeat(note, series, now):
                await self._begin(note, now)
        except (ApiError, WritingStoppedError) as error:
            gone = isinstance(error, ApiError) and error.outdated  # with its namespace
            level = logging.DEBUG if gone else logging.WARNING
            where = note.regarding.name
            _log.log(level, "event %s of %s not written: %s", note.reason, where, error)

    async def _begin(self, note: Note, now: str) -> None:
        event = self._event(note, now)
        await self._kube.create(EVENT, event)
        self._series[note] = _Series(event["metadata"]["name"], 1)
        if len(self._series) > _MEMORY:
            self._series.popitem(last=False)

    async def _repeat(self, note: Note, series: _Series, now: str) -> bool:
        """Count one more; False where the Event is gone (the API server keeps them an hour)."""
        patch = {"count": series.count + 1, "lastTimestamp": now}
        try:
            await self._kube.merge(EVENT, _namespace(note.regarding), series.name, patch)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        series.count += 1
        self._series.move_to_end(note)
        return True

    def _event(self, note: Note, now: str) -> JsonObject:
        regarding = note.regarding
        involved: dict[str, Any] = {
            "apiVersion": regarding.api_version,
            "kind": regarding.kind,
            "name": regarding.name,
            "uid": regarding.uid,
        }
        if regarding.namespace:
            involved["namespace"] = regarding.namespace
        suffix = f".{secrets.token_hex(8)}"
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {
                "name": regarding.name[: _NAME_LIMIT - len(suffix)] + suffix,
                "namespace": _namespace(regarding),
            },
            "involvedObject": involved,
            "type": note.type,
            "reason": note.reason,
            "message": _shortened(note.message),
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": FIELD_MANAGER,
            "reportingInstance": self._instance[:128],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }


def _namespace(regarding: Regarding) -> str:
    """Events about objects without a namespace live in `default`, where kubectl looks."""
    return regarding.namespace or DEFAULT_NAMESPACE


def _shortened(message: str) -> str:
    return message if len(message) <= _MESSAGE_LIMIT else message[: _MESSAGE_LIMIT - 1] + "…"
