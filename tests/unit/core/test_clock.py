import asyncio

import pytest

from gateway.core.clock import ManualClock


async def test_sleepers_wake_in_the_order_of_their_times():
    clock = ManualClock()
    woken = []

    async def sleeper(delay_s: float) -> None:
        await clock.sleep(delay_s)
        woken.append((delay_s, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(delay_s)) for delay_s in (3, 1, 2)]
    await clock.advance(2.5)
    assert woken == [(1, 1), (2, 2)]
    await clock.advance(0.5)
    assert woken == [(1, 1), (2, 2), (3, 3)]
    await asyncio.gather(*tasks)


async def test_a_timeout_follows_the_clock():
    clock = ManualClock()

    async def wait() -> None:
        async with clock.timeout(5):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await clock.advance(4)
    assert not task.done()
    await clock.advance(1)
    with pytest.raises(TimeoutError):
        await task
