"""What is looked after all the time: the store's health, and old rows that leave the journal and the ledger."""

import asyncio
from typing import Protocol

from gateway.core.clock import Clock
from gateway.core.supervisor import Reporter
from gateway.store.store import SqlStore

_LOOK_S = 1.0
_EVERY_S = 300.0
_JOURNAL_EVERY = 12  # of these


class Prunable(Protocol):
    """Something with rows that grow old."""

    async def prune(self) -> int:
        """Delete what is older than its setting allows; return how many rows."""
        ...


class Housekeeping:
    """The adapter that prunes the ledger of commands every five minutes and the journal every hour."""

    name = "housekeeping"

    def __init__(self, journal: Prunable, ledger: Prunable, *, clock: Clock) -> None:
        self._journal = journal
        self._ledger = ledger
        self._clock = clock

    async def run(self, reporter: Reporter) -> None:
        """Prune until cancelled."""
        rounds = 0
        while True:
            if rounds % _JOURNAL_EVERY == 0:
                await self._journal.prune()
            await self._ledger.prune()
            rounds += 1
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
