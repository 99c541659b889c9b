"""The relay's position, quarantine, pruning and the questions asked of the journal, on both databases."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.core.clock import ManualClock
from gateway.core.errors import NotFoundError
from gateway.store.journal import Quarantined
from gateway.store.unit import Unit
from tests.integration.store.conftest import Opened
from tests.support.ledger import body, enter, happening, journal

pytestmark = pytest.mark.integration


async def test_the_relay_goes_on_where_it_stood(opened: Opened) -> None:
    async with opened() as store:
        await store.write(enter("a", events=5), name="enter")
        assert [event.seq for event in await store.unsent(2)] == [1, 2]
        await store.advance(2)
        await store.advance(1)
        assert await store.relay_position() == 2
    async with opened() as store:
        assert [event.seq for event in await store.unsent()] == [3, 4, 5]
        with pytest.raises(ValueError, match="newest"):
            await store.advance(6)


async def test_what_the_broker_refuses_is_set_aside(opened: Opened) -> None:
    async with opened() as store:
        await store.write(enter("a", events=3), name="enter")
        await store.quarantine(2, 0x95)
        await store.quarantine(2, 0x95)
        assert [event.seq for event in await store.unsent()] == [1, 3]
        rows = await store.read(
            lambda c: c.execute(sa.select(Quarantined.seq, Quarantined.reason_code, Quarantined.payload)).all()
        )
        assert [(seq, code) for seq, code, _ in rows] == [(2, 0x95)]
        assert rows[0][2] == (await journal(store))[1].payload
        with pytest.raises(NotFoundError):
            await store.quarantine(9, 0x95)


async def test_the_journal_is_asked_by_number_aggregate_and_incident(opened: Opened) -> None:
    def work(unit: Unit) -> None:
        unit.emit(happening("a", aggregate="call:1", incident="火警-1"))
        unit.emit(happening("b", aggregate="call:2"))
        unit.emit(happening("c", aggregate="call:1", incident="火警-1"))

    async with opened() as store:
        await store.write(work, name="enter")
        assert [event.seq for event in await store.events_after(1, limit=1)] == [2]
        assert [event.seq for event in await store.events_of_aggregate("call:1")] == [1, 3]
        assert [event.seq for event in await store.events_of_aggregate("call:1", after_aggseq=1)] == [3]
        assert [event.seq for event in await store.events_of_incident("火警-1", after_seq=1)] == [3]
        found = await store.event(2)
        assert found is not None
        assert body(found)["subject"] == "call:2"
        assert await store.event(4) is None


async def test_pruning_takes_only_what_is_sent_and_old_and_counts_go_on(opened: Opened) -> None:
    clock = ManualClock()
    async with opened(clock=clock, journal_days=30) as store:
        await store.write(enter("old", events=700, aggregate="line:8"), name="enter")
        await store.advance(650)
        assert await store.prune() == 0
        await clock.advance(timedelta(days=31).total_seconds())
        await store.write(enter("young", aggregate="call:1"), name="enter")
        assert await store.prune() == 650
        assert [await store.oldest_seq(), store.last_seq] == [651, 701]
        await store.advance(701)
        assert await store.prune() == 50
        assert [event.seq for event in await journal(store)] == [701]
        await clock.advance(timedelta(days=31).total_seconds())
        assert await store.prune() == 0
    async with opened(clock=clock) as store:
        # The count of an aggregate goes on, though none of its rows is left.
        await store.write(enter("again", aggregate="line:8"), name="enter")
        newest = (await journal(store))[-1]
        assert (newest.seq, body(newest)["aggseq"]) == (702, 701)
        await store.advance(702)
        assert await store.prune() == 1
