"""The Lease: of all copies of the operator only its holder writes."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from fin.controller.kinds import LEASE
from fin.controller.kube import ApiError, JsonObject, Kube, Request, WritingStoppedError

NAME: Final = "fin-operator"
DURATION: Final = 15
"""Seconds after which others may take an unrenewed Lease."""

RENEW_DEADLINE: Final = 10.0
"""Seconds that the holder trusts a renewal; a write begun in them ends within DURATION."""

RETRY: Final = 2.0

_log = logging.getLogger(__name__)


class Lease:
    """Takes the Lease and keeps it; ``on_change`` is told when it is won or lost.

    Times are those of this machine's monotonic clock alone: another holder counts as gone when
    its Lease did not change for as long as it runs, whatever its timestamps say.
    """

    def __init__(
        self, kube: Kube, namespace: str, identity: str, on_change: Callable[[bool], None]
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._identity = identity
        self._on_change = on_change
        self._trusted_until = 0.0
        self._was_held = False
        self.held_since = 0.0
        self._seen: tuple[str, str] = ("", "")  # another holder, and the version of its Lease
        self._seen_at = 0.0
        self._waiting_for: str | None = None

    @property
    def waiting(self) -> bool:
        """Whether another copy was last seen to hold it."""
        return self._waiting_for is not None and not self.held

    @property
    def held(self) -> bool:
        """Whether this copy may write now."""
        return time.monotonic() < self._trusted_until

    def require(self) -> None:
        """Raise ``WritingStoppedError`` unless this copy may write now."""
        if not self.held:
            raise WritingStoppedError(f"the Lease {self._namespace}/{NAME} is not held")

    async def run(self) -> None:
        """Take the Lease and keep renewing it, until cancelled."""
        while True:
            asked_at = time.monotonic()
            try:
                held = await self._take_or_renew()
            except ApiError as error:
                # Not answered, or beaten by another copy: what was trusted so far runs out.
                _log.warning("lease: %s", error)
                if error.status == 409:
                    self._trusted_until = 0.0
            else:
                self._trusted_until = asked_at + RENEW_DEADLINE if held else 0.0
            self._tell()
            await asyncio.sleep(RETRY)

    async def release(self) -> None:
        """Give the Lease up, so that the next copy need not wait; best effort."""
        if not self.held:
            return
        self._trusted_until = 0.0
        self._tell()
        try:
            lease = await self._read()
            if lease is not None and lease["spec"].get("holderIdentity") == self._identity:
                lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                await self._write(lease)
        except ApiError as error:
            _log.warning("lease: not released: %s", error)

    def _tell(self) -> None:
        if self.held != self._was_held:
            self._was_held = self.held
            self.held_since = time.monotonic()
            _log.info("lease: %s", "held by this copy" if self.held else "lost")
            self._on_change(self._was_held)

    async def _take_or_renew(self) -> bool:
        lease = await self._read()
        if lease is None:
            metadata = {"name": NAME, "namespace": self._namespace}
            await self._write({"metadata": metadata, "spec": self._spec({})})
            return True
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder not in ("", self._identity) and not self._expired(lease, holder):
            if holder != self._waiting_for:
                self._waiting_for = holder
                _log.info("lease: held by %s; waiting", holder)
            return False
        self._waiting_for = None
        lease["spec"] = self._spec(spec)
        await self._write(lease)
        return True

    def _expired(self, lease: JsonObject, holder: str) -> bool:
        now = time.monotonic()
        seen = (holder, lease["metadata"]["resourceVersion"])
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        return now - self._seen_at > (lease["spec"].get("leaseDurationSeconds") or DURATION)

    def _spec(self, old: JsonObject) -> JsonObject:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours = old.get("holderIdentity") == self._identity
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": DURATION,
            "renewTime": now,
            "acquireTime": old.get("acquireTime", now) if ours else now,
            "leaseTransitions": (old.get("leaseTransitions") or 0) + (not ours),
        }

    async def _read(self) -> JsonObject | None:
        try:
            return await self._kube.once(
                Request("get", LEASE, "GET", LEASE.path(self._namespace, NAME))
            )
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def _write(self, lease: JsonObject) -> None:
        """Create the Lease, or replace the version of it that was read."""
        body = {"apiVersion": LEASE.api_version, "kind": LEASE.name} | lease
        if "resourceVersion" in lease["metadata"]:
            request = Request("update", LEASE, "PUT", LEASE.path(self._namespace, NAME), {}, body)
        else:
            request = Request("create", LEASE, "POST", LEASE.path(self._namespace), {}, body)
        await self._kube.once(request)
