"""The supervised adapter ``release``: ends requests whose time is over and keeps the board of releases."""

import asyncio

from gateway.core.clock import Clock
from gateway.core.supervisor import Reporter
from gateway.release.service import ReleaseService

LONGEST_SLEEP_S = 60.0
SHORTEST_SLEEP_S = 0.05


class ReleaseExpiry:
    """Wakes at every change and whenever a request lapses."""

    name = "release"

    def __init__(self, service: ReleaseService, clock: Clock) -> None:
        self._service = service
        self._clock = clock
        self._woken = asyncio.Event()
        service.wake = self._woken.set

    async def run(self, reporter: Reporter) -> None:
        """Run until cancelled."""
        while True:
            first = await self._service.expire()
            self._woken.clear()
            await self._service.show()
            reporter.ready()
            left_s = LONGEST_SLEEP_S if first is None else (first - self._clock.wall()).total_seconds()
            try:
                async with self._clock.timeout(min(max(left_s, SHORTEST_SLEEP_S), LONGEST_SLEEP_S)):
                    await self._woken.wait()
            except TimeoutError:
                continue
