"""Time as an argument: the system's clock, and one that a test moves by hand."""

import asyncio
import contextlib
import heapq
import itertools
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time, monotonic time and waiting. Seconds are floats, wall times are aware and in UTC."""

    def wall(self) -> datetime:
        """Return the time of day, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step back."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Wait *delay_s* seconds."""
        ...

    def timeout(self, delay_s: float) -> contextlib.AbstractAsyncContextManager[object]:
        """Return a context that raises ``TimeoutError`` when its body takes longer than *delay_s*."""
        ...


class SystemClock:
    """The clock of the machine."""

    def wall(self) -> datetime:
        """Return the time of day, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return ``CLOCK_MONOTONIC`` in seconds."""
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(delay_s)

    def timeout(self, delay_s: float) -> contextlib.AbstractAsyncContextManager[object]:
        """See :func:`asyncio.timeout`."""
        return asyncio.timeout(delay_s)


class ManualClock:
    """A clock that stands still until :meth:`advance` moves it, for tests and simulations."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._tie = itertools.count()
        self._waiters: list[tuple[float, int, asyncio.Future[None]]] = []

    def wall(self) -> datetime:
        """Return the start plus what has been advanced."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """Return the seconds advanced so far."""
        return self._elapsed_s

    async def sleep(self, delay_s: float) -> None:
        """Wait until the clock has been advanced by *delay_s*."""
        if delay_s <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (self._elapsed_s + delay_s, next(self._tie), future))
        await future

    @contextlib.asynccontextmanager
    async def timeout(self, delay_s: float) -> AsyncIterator[object]:
        """Time out once the clock has been advanced by *delay_s*."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as scope:

            async def expire() -> None:
                await self.sleep(delay_s)
                scope.reschedule(loop.time())

            timer = asyncio.create_task(expire(), name="manual-clock-timeout")
            try:
                yield scope
            finally:
                timer.cancel()

    async def advance(self, delay_s: float) -> None:
        """Move time on, waking every sleeper in order and letting each run before the next is woken."""
        target = self._elapsed_s + delay_s
        await _settle()
        while self._waiters and self._waiters[0][0] <= target:
            due, _, future = heapq.heappop(self._waiters)
            self._elapsed_s = max(self._elapsed_s, due)
            if not future.done():
                future.set_result(None)
            await _settle()
        self._elapsed_s = target
        await _settle()


async def _settle() -> None:
    # A few turns of the loop, so that what was just woken reaches its next wait.
    for _ in range(10):
        await asyncio.sleep(0)
