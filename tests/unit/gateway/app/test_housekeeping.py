import asyncio

from gateway.app.housekeeping import Housekeeping
from gateway.core.clock import ManualClock


class Rows:
    def __init__(self) -> None:
        self.pruned = 0

    async def prune(self) -> int:
        self.pruned += 1
        return 0


class Told:
    def ready(self) -> None:
        """Tell nobody."""

    def degraded(self, reason: str) -> None:
        """Tell nobody."""


async def test_the_ledger_is_tidied_every_five_minutes_and_the_journal_every_hour() -> None:
    clock = ManualClock()
    journal, ledger = Rows(), Rows()
    task = asyncio.create_task(Housekeeping(journal, ledger, clock=clock).run(Told()), name="housekeeping")
    await clock.advance(0)
    assert (journal.pruned, ledger.pruned) == (1, 1)
    for _ in range(24):
        await clock.advance(300)
    assert (journal.pruned, ledger.pruned) == (3, 25)
    task.cancel()
    await asyncio.wait([task])
