"""What is looked after all the time: the store's health, and old rows that leave the journal and the ledger."""

import asyncio
from typing import Protocol

from gateway.core.clock import Clock
from gateway.core.supervisor import Reporter
from gateway.store.store import SqlStore

_EVERY_S = 3600.0
_LOOK_S = 1.0


class Prunable(Protocol):
    """Something with rows that grow old."""

    async def prune(self) -> int:
        """Delete what is older than its setting allows; return how many rows."""
        ...


class Housekeeping:
    """The adapter that prunes, an hour apart."""

    name = "housekeeping"

    def __init__(self, *prunables: Prunable, clock: Clock) -> None:
        self._prunables = prunables
        self._clock = clock

    async def run(self, reporter: Reporter) -> None:
        """Prune until cancelled."""
        while True:
            for prunable in self._prunables:
                await prunable.prune()
            reporter.ready()
            await self._clock.sleep(_EVERY_S)


class StoreWatch:
    """The adapter that shows how the store is, so that a database that is away is seen like any other part."""

    name = "store"

    def __init__(self, store: SqlStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self, reporter: Reporter) -> None:
        """Look every second until cancelled."""
        while True:
            health = await asyncio.to_thread(self._store.health)
            if health.trouble:
                reporter.degraded(health.trouble)
            elif health.shedding:
                reporter.degraded("the disk is nearly full: telemetry is left out")
            else:
                reporter.ready()
            await self._clock.sleep(_LOOK_S)
