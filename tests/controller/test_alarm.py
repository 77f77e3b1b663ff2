"""Many changes become one round, soon but not at once."""

import asyncio
from collections.abc import Callable

import pytest

from fin.controller.alarm import FOREVER, PATIENCE, QUIET, Alarm


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def alarm(clock: Clock) -> Alarm:
    return Alarm(clock)


def test_nothing_is_due_where_nothing_has_happened(alarm: Alarm) -> None:
    assert alarm.at() == FOREVER


def test_a_round_is_due_once_things_are_quiet(alarm: Alarm, clock: Clock) -> None:
    alarm.ring()
    clock.now += 0.7
    alarm.ring()
    assert alarm.at() == clock.now + QUIET


def test_things_that_never_become_quiet_are_not_waited_for(alarm: Alarm, clock: Clock) -> None:
    began = clock.now
    while clock.now < began + PATIENCE:
        alarm.ring()
        assert alarm.at() <= began + PATIENCE
        clock.now += 0.3


def test_the_earliest_appointment_counts(alarm: Alarm, clock: Clock) -> None:
    alarm.set(600)
    alarm.set(5)
    alarm.set(60)
    assert alarm.at() == clock.now + 5


def run(coroutine: Callable[[Alarm], object]) -> None:
    async def main() -> None:
        await coroutine(Alarm())  # type: ignore[misc]

    asyncio.run(main())


def test_waiting_ends_when_a_round_is_due_and_forgets_it() -> None:
    async def wait(alarm: Alarm) -> None:
        alarm.set(0.01)
        await alarm.wait()
        assert alarm.at() == FOREVER

    run(wait)


def test_what_rings_while_a_round_runs_is_for_the_next_one() -> None:
    async def wait(alarm: Alarm) -> None:
        alarm.set(0)
        await alarm.wait()
        alarm.ring()
        assert alarm.at() < FOREVER

    run(wait)


def test_a_ring_wakes_a_task_that_waits_for_ever() -> None:
    async def wait(alarm: Alarm) -> None:
        waiting = asyncio.create_task(alarm.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        alarm.set(0.01)
        await asyncio.wait_for(waiting, 10)

    run(wait)


def test_a_ring_at_the_same_moment_does_not_hide_a_cancellation() -> None:
    async def wait(alarm: Alarm) -> None:
        waiting = asyncio.create_task(alarm.wait())
        await asyncio.sleep(0)
        alarm.ring()
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, 10)

    run(wait)
