"""Computing beside the event loop."""

import asyncio
import threading

import pytest

from fin.controller.threads import in_thread


def test_the_result_comes_back_and_the_loop_goes_on() -> None:
    async def main() -> tuple[int, int]:
        free = threading.Event()

        def compute(value: int) -> int:
            assert free.wait(10)
            return value * 2

        result = asyncio.create_task(in_thread(compute, 21))
        ticks = 0
        while ticks < 3:
            await asyncio.sleep(0)
            ticks += 1
        free.set()
        return await result, ticks

    assert asyncio.run(main()) == (42, 3)


def test_an_error_comes_back() -> None:
    def fail() -> None:
        raise ValueError("no plan")

    with pytest.raises(ValueError, match="no plan"):
        asyncio.run(in_thread(fail))


def test_nobody_has_to_wait_for_it() -> None:
    free = threading.Event()

    async def main() -> None:
        task = asyncio.create_task(in_thread(free.wait, 10))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    free.set()
