import asyncio

import pytest

from gateway.core.clock import ManualClock
from gateway.store.pruner import JournalPruner
from tests.integration.store.conftest import Opened
from tests.support.ledger import enter

pytestmark = pytest.mark.integration


class _Reporter:
    def __init__(self) -> None:
        self.pruned = asyncio.Event()

    def ready(self) -> None:
        self.pruned.set()

    def degraded(self, reason: str) -> None:
        raise AssertionError(reason)


async def test_it_prunes_at_the_start_and_every_hour(opened: Opened) -> None:
    clock = ManualClock()
    reporter = _Reporter()
    async with opened(clock=clock, journal_days=1) as store:
        await store.write(enter("a", events=3), name="enter")
        await store.advance(3)
        task = asyncio.create_task(JournalPruner(store, clock).run(reporter), name="journal")
        await asyncio.wait_for(reporter.pruned.wait(), 10)
        assert await store.oldest_seq() == 1
        for advanced_s in (86_400, 3_601):
            reporter.pruned.clear()
            await clock.advance(advanced_s)
            await asyncio.wait_for(reporter.pruned.wait(), 10)
        assert await store.oldest_seq() == 3
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
