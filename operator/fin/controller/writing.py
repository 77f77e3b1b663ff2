"""Does what a round decided: actions and status, several apps at once."""

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from typing import Final

from fin.api.names import API_VERSION
from fin.cluster.actions import Action, Apply
from fin.cluster.status import StatusPatch
from fin.cluster.world import World
from fin.controller import kinds
from fin.controller.kube import ApiError, Kube, WritingStoppedError
from fin.controller.recorder import Note, Recorder, Regarding
from fin.planning.problem import AppKey

FRESH: Final = 30.0
"""Seconds after which a snapshot is too old to act on."""

_INVALID: Final = 422

_log = logging.getLogger(__name__)


class OutdatedError(Exception):
    """The world moved on while a round acted; the next round sees it as it is."""


class FailedWritesError(Exception):
    """Writes that the API server refused, or did not answer."""


class Writer:
    """Writes for one round at a time."""

    def __init__(self, kube: Kube, recorder: Recorder) -> None:
        self._kube = kube
        self._recorder = recorder
        self._invalid: Set[str] = frozenset()

    async def act(
        self, actions: Iterable[Action], world: World, taken_at: float, done: Counter[str]
    ) -> None:
        """Do the actions: those of one app in order, until one fails.

        ``taken_at`` is when the snapshot was taken, by the monotonic clock; ``done`` counts
        the objects that are written and deleted.

        Raises
        ------
        WritingStoppedError
            This copy of the operator may not write any more.
        OutdatedError
            An object was not as the snapshot had it, or the snapshot is too old.
        FailedWritesError
            Another refusal; the app is told of it by an Event.
        """
        by_app: dict[AppKey, list[Action]] = defaultdict(list)
        for action in actions:
            by_app[action.app].append(action)
        errors = await asyncio.gather(
            *(self._act_for(each, done, taken_at) for each in by_app.values())
        )
        failed = {key: e for key, e in zip(by_app, errors, strict=True) if e is not None}
        await self._recorder.record(*_refusals(world, failed))
        _raise_worst(failed.values())

    async def _act_for(
        self, actions: Iterable[Action], done: Counter[str], taken_at: float
    ) -> Exception | None:
        """Do the actions of one app; return what stopped them."""
        try:
            for action in actions:
                if time.monotonic() - taken_at > FRESH:
                    return OutdatedError("the snapshot is too old to act on")
                done[await self._do(action)] += 1
        except (ApiError, WritingStoppedError) as error:
            return error
        return None

    async def _do(self, action: Action) -> str:
        if isinstance(action, Apply):
            kind = kinds.kind_of(action.object)
            if action.uid is None:
                await self._kube.create(kind, action.object)
            else:
                await self._kube.apply(kind, _of(action.object, action.uid))
            return "written"
        kind = kinds.BY_NAME[action.kind]
        try:
            await self._kube.delete(kind, action.namespace, action.name, action.uid)
        except ApiError as error:
            if not error.outdated:  # else it is gone already
                raise
        return "deleted"

    async def write_status(self, patches: Iterable[StatusPatch]) -> None:
        """Write status. What is gone needs none, and what a newer CRD finds invalid gets none.

        Raises
        ------
        WritingStoppedError
            This copy of the operator may not write any more.
        FailedWritesError
            A status was refused for another reason, or not answered.
        """
        found = await asyncio.gather(*map(self._write_status, patches))
        errors = [error for error in found if error is not None]
        invalid = {str(error) for error in errors if _is_invalid(error)}
        for message in invalid - self._invalid:
            _log.warning("status: %s", message)
        self._invalid = invalid
        _raise_worst(e for e in errors if not _is_outdated(e) and not _is_invalid(e))

    async def _write_status(self, patch: StatusPatch) -> Exception | None:
        metadata = {"name": patch.name, "uid": patch.uid}
        if patch.namespace:
            metadata["namespace"] = patch.namespace
        obj = {
            "apiVersion": API_VERSION,
            "kind": patch.kind,
            "metadata": metadata,
            "status": patch.status,
        }
        try:
            await self._kube.apply(kinds.BY_NAME[patch.kind], obj, subresource="status")
        except (ApiError, WritingStoppedError) as error:
            return error
        return None


def _of(obj: Mapping[str, object], uid: str) -> dict[str, object]:
    """Name the live object's uid in what is applied, so that no other is written."""
    metadata = obj["metadata"]
    assert isinstance(metadata, Mapping)
    return {**obj, "metadata": {**metadata, "uid": uid}}


def _refusals(world: World, failed: Mapping[AppKey, Exception]) -> Iterable[Note]:
    for key, error in failed.items():
        if isinstance(error, ApiError) and not error.outdated and key in world.apps:
            uid = world.apps[key].metadata.uid
            regarding = Regarding(API_VERSION, kinds.APP.name, *key, uid)
            yield Note(regarding, "Warning", "WriteRefused", str(error))


def _is_outdated(error: Exception) -> bool:
    return isinstance(error, OutdatedError) or (isinstance(error, ApiError) and error.outdated)


def _is_invalid(error: Exception) -> bool:
    return isinstance(error, ApiError) and error.status == _INVALID and not error.outdated


def _raise_worst(errors: Iterable[Exception]) -> None:
    """Raise for the worst of what went wrong: no more writing, then refusals, then the rest."""
    found = sorted(errors, key=lambda e: (not isinstance(e, WritingStoppedError), _is_outdated(e)))
    for error in found:
        if isinstance(error, WritingStoppedError):
            raise error
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        kind = OutdatedError if _is_outdated(error) else FailedWritesError
        raise kind(f"{error}{more}") from error
