"""The Lease on the real API server: one copy writes, another waits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from fin.controller import kinds, lease
from fin.controller.kube import ApiError, Kube, WritingStoppedError
from fin.controller.lease import Lease
from testbed import ControlPlane
from tests.controller.conftest import WithKube


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RETRY", 0.05)
    monkeypatch.setattr(lease, "DURATION", 1)
    monkeypatch.setattr(lease, "RENEW_DEADLINE", 0.7)


class Copy:
    """A copy of the operator, as far as the Lease is concerned."""

    def __init__(self, kube: Kube, area: str, name: str) -> None:
        self.told: list[bool] = []
        self.lease = Lease(kube, area, name, self.told.append)
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = asyncio.create_task(self.lease.run())

    async def kill(self) -> None:
        """Stop without a word."""
        assert self.task is not None
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@contextlib.asynccontextmanager
async def copies(kube: Kube, area: str, *names: str) -> AsyncIterator[list[Copy]]:
    made = [Copy(kube, area, name) for name in names]
    try:
        yield made
    finally:
        for one in made:
            if one.task is not None:
                await one.kill()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def live(kube: Kube, area: str) -> dict[str, Any]:
    found = await kube.get(kinds.LEASE, area, lease.NAME)
    spec: dict[str, Any] = found["spec"]
    return spec


def test_the_first_copy_holds_it_and_the_second_waits(with_kube: WithKube[None], area: str) -> None:
    async def use(kube: Kube) -> None:
        async with copies(kube, area, "one", "two") as (one, two):
            one.start()
            await until(lambda: one.lease.held)
            two.start()
            await until(lambda: two.lease.waiting)
            one.lease.require()
            with pytest.raises(WritingStoppedError, match="is not held"):
                two.lease.require()
            spec = await live(kube, area)
            assert spec["holderIdentity"] == "one"
            assert spec["leaseDurationSeconds"] == lease.DURATION
            assert (one.told, two.told) == ([True], [])

    with_kube(use)


def test_it_is_renewed(with_kube: WithKube[None], area: str) -> None:
    async def use(kube: Kube) -> None:
        async with copies(kube, area, "one") as (one,):
            one.start()
            await until(lambda: one.lease.held)
            first = await live(kube, area)
            later = first
            while later["renewTime"] == first["renewTime"]:
                later = await live(kube, area)
            assert later["acquireTime"] == first["acquireTime"]
            assert later["leaseTransitions"] == first["leaseTransitions"]

    with_kube(use)


def test_a_copy_that_dies_is_followed_by_the_other_once_its_lease_is_over(
    with_kube: WithKube[None], area: str
) -> None:
    async def use(kube: Kube) -> None:
        async with copies(kube, area, "one", "two") as (one, two):
            one.start()
            await until(lambda: one.lease.held)
            two.start()
            await until(lambda: two.lease.waiting)
            await one.kill()
            while not two.lease.held:
                # Never both at once: the dead one's trust ends before the other one begins.
                await asyncio.sleep(0.005)
            assert not one.lease.held
            assert (await live(kube, area))["leaseTransitions"] == 2
            assert not two.lease.waiting

    with_kube(use)


def test_a_copy_that_ends_gives_it_up_at_once(with_kube: WithKube[None], area: str) -> None:
    async def use(kube: Kube) -> None:
        async with copies(kube, area, "one", "two") as (one, two):
            one.start()
            await until(lambda: one.lease.held)
            await one.kill()
            await one.lease.release()
            assert one.told == [True, False]
            assert not one.lease.held
            assert not (await live(kube, area)).get("holderIdentity")
            two.start()
            await until(lambda: two.lease.held)

    with_kube(use)


def test_what_another_copy_has_taken_is_lost_at_once(with_kube: WithKube[None], area: str) -> None:
    async def use(kube: Kube) -> None:
        async with copies(kube, area, "one") as (one,):
            one.start()
            await until(lambda: one.lease.held)
            theft = {"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 3600}}
            await kube.merge(kinds.LEASE, area, lease.NAME, theft)
            await until(lambda: not one.lease.held)
            await until(lambda: one.told == [True, False])
            assert (await live(kube, area))["holderIdentity"] == "thief"

    with_kube(use)


def test_a_deleted_lease_is_made_again(with_kube: WithKube[None], area: str) -> None:
    async def use(kube: Kube) -> None:
        async with copies(kube, area, "one") as (one,):
            one.start()
            await until(lambda: one.lease.held)
            found = await kube.get(kinds.LEASE, area, lease.NAME)
            await kube.delete(kinds.LEASE, area, lease.NAME, found["metadata"]["uid"])
            while True:
                with contextlib.suppress(ApiError):
                    assert (await live(kube, area))["holderIdentity"] == "one"
                    break

    with_kube(use)


def test_without_an_api_server_the_trust_runs_out(
    with_kube: WithKube[None], area: str, control_plane: ControlPlane
) -> None:
    async def use(kube: Kube) -> None:
        async with copies(kube, area, "one") as (one,):
            one.start()
            await until(lambda: one.lease.held)
            await asyncio.to_thread(control_plane.stop_apiserver)
            await until(lambda: one.told[-1] is False)
            with pytest.raises(WritingStoppedError):
                one.lease.require()
            await asyncio.to_thread(control_plane.start_apiserver)
            await until(lambda: one.lease.held)

    with_kube(use)
