"""State and events, on both databases."""

import asyncio
import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from gateway.store.errors import StoreLockedError, StoreOverloadedError, StoreSiteError, StoreUnavailableError
from gateway.store.journal import META_LAST_GROUP, read_meta
from gateway.store.unit import StoredEvent, Unit
from tests.integration.store.conftest import Opened
from tests.support.ledger import Entry, assert_whole, body, enter, entries, happening, journal

pytestmark = pytest.mark.integration


async def test_state_and_event_are_durable_together_and_in_the_envelope(opened: Opened) -> None:
    async with opened() as store:
        assert await store.write(enter("单雄信🚒", note="𠮷野家"), name="enter") == "单雄信🚒"
        (event,) = await journal(store)
    envelope = body(event)
    assert (event.seq, event.domain, event.resource, event.name) == (1, "tel", "line-1", "entered")
    assert envelope["data"] == {"entry": "单雄信🚒", "note": "𠮷野家"}
    assert (envelope["id"], envelope["subject"], envelope["gwepoch"], envelope["aggseq"]) == ("duty-1", "call:1", 1, 1)


async def test_numbers_go_on_and_the_epoch_rises_over_a_restart(opened: Opened) -> None:
    async with opened() as store:
        await store.write(enter("a", events=3), name="enter")
    async with opened() as store:
        assert (store.epoch, store.last_seq) == (2, 3)
        await store.write(enter("b"), name="enter")
        await assert_whole(store)
        assert body((await journal(store))[-1])["aggseq"] == 4


async def test_a_look_from_the_command_line_is_no_start(opened: Opened) -> None:
    async with opened(count_start=False) as store:
        assert store.epoch == 1  # nothing was ever started: the first look counts for it
    async with opened() as store:
        assert store.epoch == 2
        await store.write(enter("a", events=2), name="enter")
    for entry in ("b", "c"):
        async with opened(count_start=False) as store:
            assert (store.epoch, store.last_seq) == (2, 2 if entry == "b" else 3)
            await store.write(enter(entry), name="enter")
            marker = await store.read(lambda connection: read_meta(connection)[META_LAST_GROUP])
            assert marker == ("2.2" if entry == "b" else "2.3")  # else a commit in doubt could be taken for another
    async with opened() as store:
        assert store.epoch == 3
        await assert_whole(store)


async def test_a_failing_unit_leaves_nothing_and_hinders_no_neighbour(opened: Opened) -> None:
    def fail_after(entry: str):
        def work(unit: Unit) -> None:
            enter(entry, events=2)(unit)
            raise KeyError(entry)

        return work

    async with opened() as store:
        units = [store.write(fail_after(str(n)) if n % 3 == 1 else enter(str(n)), name="mixed") for n in range(30)]
        results = await asyncio.gather(*units, return_exceptions=True)
        assert [isinstance(result, KeyError) for result in results] == [n % 3 == 1 for n in range(30)]
        assert store.last_seq == 20
        assert store.counters.commits < 30
        await assert_whole(store)


async def test_an_error_of_the_database_is_raised_to_the_one_who_caused_it(opened: Opened) -> None:
    async with opened() as store:
        results = await asyncio.gather(
            *[store.write(enter(entry), name="enter") for entry in ("a", "a", "b")], return_exceptions=True
        )
        assert results[0] == "a"
        assert isinstance(results[1], sa.exc.IntegrityError)
        assert results[2] == "b"
        await assert_whole(store)


@pytest.mark.parametrize(
    ("resource", "aggregate", "time"),
    [
        ("Line 1", "call:1", None),
        ("line/1", "call:1", None),
        ("line-1", "", None),
        ("line-1", "call:1", datetime(2026, 1, 1)),  # noqa: DTZ001  # a time without a zone is the case
    ],
)
async def test_an_event_that_does_not_fit_the_bus_fails_its_unit(
    opened: Opened, resource: str, aggregate: str, time: datetime | None
) -> None:
    def work(unit: Unit) -> None:
        unit.connection.execute(sa.insert(Entry), {"id": "x", "events": 1})
        event = happening("x").event
        unit.emit(type(happening("x"))(event=event, resource=resource, aggregate=aggregate, time=time))

    async with opened() as store:
        with pytest.raises(ValueError, match=r"."):
            await store.write(work, name="enter")
        assert await entries(store) == {}


async def test_a_lone_surrogate_fails_its_unit_alone(opened: Opened) -> None:
    async with opened() as store:
        results = await asyncio.gather(
            store.write(enter("bad", note="\ud83d"), name="enter"),
            store.write(enter("good"), name="enter"),
            return_exceptions=True,
        )
        assert isinstance(results[0], UnicodeEncodeError)
        assert await entries(store) == {"good": 1}
        await assert_whole(store)


async def test_listeners_hear_everything_in_order_before_the_writer_goes_on(opened: Opened) -> None:
    heard: list[int] = []
    committed: list[str] = []
    async with opened() as store:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: heard.append(-1))

        def broken(event: StoredEvent) -> None:
            raise RuntimeError(event.seq)

        store.listen(broken)
        end = store.listen(lambda event: heard.append(event.seq))

        def work(unit: Unit) -> None:
            enter("first", events=2)(unit)
            unit.after_commit(lambda: committed.append("first"))

        await store.write(work, name="enter")
        assert [seq for seq in heard if seq > 0] == [1, 2]
        assert heard.count(-1) == 2
        assert committed == ["first"]
        await asyncio.gather(*[store.write(enter(str(n)), name="enter") for n in range(50)])
        assert [seq for seq in heard if seq > 0] == list(range(1, 53))
        end()
        await store.write(enter("last"), name="enter")
        assert heard[-1] == -1


async def test_callbacks_of_a_failed_unit_are_not_called(opened: Opened) -> None:
    called: list[int] = []

    def work(unit: Unit) -> None:
        unit.after_commit(lambda: called.append(1))
        raise LookupError

    async with opened() as store:
        with pytest.raises(LookupError):
            await store.write(work, name="fail")
        await store.write(enter("a"), name="enter")
    assert called == []


async def test_cancelling_the_wait_does_not_undo_the_unit(opened: Opened) -> None:
    gate = threading.Event()

    def held(unit: Unit) -> None:
        assert gate.wait(10)
        enter("held")(unit)

    async with opened() as store:
        task = asyncio.create_task(store.write(held, name="held"))
        after = asyncio.create_task(store.write(enter("after"), name="enter"))
        await asyncio.sleep(0)
        task.cancel()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await after
        assert await entries(store) == {"held": 1, "after": 1}
        await assert_whole(store)


async def test_a_full_queue_refuses_and_recovers(opened: Opened) -> None:
    gate = threading.Event()
    async with opened(queue_units=2) as store:
        started = threading.Event()

        def held(unit: Unit) -> None:
            started.set()
            assert gate.wait(10)

        tasks = [asyncio.create_task(store.write(held, name="held"))]
        assert await asyncio.to_thread(started.wait, 10)
        tasks += [asyncio.create_task(store.write(enter(str(n)), name="enter")) for n in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(StoreOverloadedError):
            await store.write(enter("too many"), name="enter")
        gate.set()
        await asyncio.gather(*tasks)
        await store.write(enter("again"), name="enter")
        assert set(await entries(store)) == {"0", "1", "again"}


async def test_closing_writes_what_waits_and_refuses_the_rest(opened: Opened) -> None:
    async with opened() as store:
        tasks = [asyncio.create_task(store.write(enter(str(n)), name="enter")) for n in range(200)]
        await asyncio.sleep(0)
    assert len(await asyncio.gather(*tasks)) == 200
    with pytest.raises(StoreUnavailableError):
        await store.write(enter("late"), name="enter")


async def test_a_reader_cannot_write(opened: Opened) -> None:
    async with opened() as store:
        with pytest.raises(StoreUnavailableError, match=r"read-?only"):
            await store.read(lambda connection: connection.execute(sa.insert(Entry), {"id": "x", "events": 0}))
        assert await entries(store) == {}


async def test_a_query_without_end_is_broken_off(opened: Opened) -> None:
    endless = sa.text("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t")
    async with opened(statement_timeout_s=0.3) as store:
        with pytest.raises(StoreUnavailableError, match="too long"):
            await store.read(lambda connection: connection.execute(endless))
        results = await asyncio.gather(
            store.write(lambda unit: unit.connection.execute(endless), name="endless"),
            store.write(enter("a"), name="enter"),
            return_exceptions=True,
        )
        assert isinstance(results[0], StoreUnavailableError)
        assert results[1] == "a"
        await assert_whole(store)


async def test_two_gateways_never_write_one_store(opened: Opened, tmp_path) -> None:
    async with opened() as store:
        with pytest.raises(StoreLockedError, match="pid"):
            async with opened():
                pass
        await store.write(enter("a"), name="enter")


async def test_the_store_of_another_site_is_refused(opened: Opened) -> None:
    async with opened(site="duty"):
        pass
    with pytest.raises(StoreSiteError):
        async with opened(site="other"):
            pass
    async with opened(site="duty") as store:
        assert store.epoch == 2


async def test_times_keep_their_zone(opened: Opened) -> None:
    start = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    async with opened() as store:
        await store.write(lambda unit: unit.emit(happening("x", time=start, recovered=True)), name="recover")
        (event,) = await store.events_of_type("tel.entered.v1", start=start, end=datetime(2026, 3, 2, tzinfo=UTC))
        assert body(event)["time"] == "2026-03-01T12:00:00.123456Z"
        assert body(event)["recovered"] is True
        assert (
            await store.events_of_type(
                "tel.entered.v1", start=datetime(2026, 3, 2, tzinfo=UTC), end=datetime.max.replace(tzinfo=UTC)
            )
            == []
        )
