"""A PostgreSQL server that crashes, ends sessions, or goes away in the middle of a commit."""

import asyncio
import signal
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.store.engine import open_database
from gateway.store.errors import StoreLockedError, StoreTakenOverError, StoreUnavailableError
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Unit
from tests.integration.store.conftest import Opened
from tests.support.ledger import Entry, assert_whole, enter, entries
from tests.support.postgres import PostgresCluster

pytestmark = pytest.mark.integration


@pytest.fixture
def options(postgres_options: StoreOptions) -> StoreOptions:
    return postgres_options


async def _until_in_trouble(store: SqlStore) -> None:
    async with asyncio.timeout(20):
        while not store.health().trouble:  # noqa: ASYNC110  # the writer's thread knows no event of the loop
            await asyncio.sleep(0.01)


async def test_units_wait_for_a_server_that_crashes_and_comes_back(opened: Opened, postgres: PostgresCluster) -> None:
    async with opened() as store:
        await store.write(enter("before"), name="enter")
        crashing = [asyncio.create_task(store.write(enter(f"a{n}"), name="enter")) for n in range(300)]
        await asyncio.gather(*crashing[:20])
        await asyncio.to_thread(postgres.stop, signal.SIGQUIT)
        waiting = [asyncio.create_task(store.write(enter(f"b{n}"), name="enter")) for n in range(20)]
        await _until_in_trouble(store)
        with pytest.raises(StoreUnavailableError):
            await store.read(lambda connection: connection.execute(sa.select(Entry)).all())
        postgres.start()
        await asyncio.gather(*crashing, *waiting)
        assert len(await entries(store)) == 321
        assert store.health().trouble == ""
        await assert_whole(store)


async def test_a_unit_that_cannot_wait_any_longer_was_surely_not_carried_out(
    opened: Opened, postgres: PostgresCluster
) -> None:
    async with opened(outage_wait_s=0.2) as store:
        await asyncio.to_thread(postgres.stop, signal.SIGINT)
        try:
            with pytest.raises(StoreUnavailableError):
                await store.write(enter("late"), name="enter")
        finally:
            postgres.start()
        await store.write(enter("next"), name="enter")
        assert await entries(store) == {"next": 1}
        await assert_whole(store)


async def test_broken_sessions_are_replaced_for_writer_and_readers(opened: Opened, postgres: PostgresCluster) -> None:
    async with opened() as store:
        await store.write(enter("a"), name="enter")
        await asyncio.gather(*[entries(store) for _ in range(8)])
        await asyncio.to_thread(postgres.end_sessions)
        assert await asyncio.gather(*[entries(store) for _ in range(8)]) == [{"a": 1}] * 8
        await store.write(enter("b"), name="enter")
        await assert_whole(store)


async def test_a_crash_in_the_middle_of_the_commit_is_resolved(opened: Opened, postgres: PostgresCluster) -> None:
    with postgres.connect() as connection:
        row = connection.execute("SELECT pg_postmaster_start_time()::text").fetchone()
    assert row is not None
    slow_commit = [
        f"""CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_sleep(60) WHERE pg_postmaster_start_time() = '{row[0]}'; RETURN NULL; END $$""",
        """CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON test_entry DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW WHEN (NEW.id = 'slow') EXECUTE FUNCTION slow()""",
    ]
    async with opened() as store:
        for statement in slow_commit:
            await store.write(lambda unit, text=statement: unit.connection.execute(sa.text(text)), name="ddl")
        await store.write(enter("before"), name="enter")
        inside = threading.Event()

        def slow(unit: Unit) -> str:
            inside.set()
            return enter("slow")(unit)

        task = asyncio.create_task(store.write(slow, name="slow"))
        assert await asyncio.to_thread(inside.wait, 10)
        await _until_committing(postgres)
        await asyncio.to_thread(postgres.stop, signal.SIGQUIT)
        postgres.start()
        assert await task == "slow"
        assert store.counters.doubts_resolved == 1
        assert await entries(store) == {"before": 1, "slow": 1}
        await store.write(enter("after"), name="enter")
        await assert_whole(store)


async def _until_committing(postgres: PostgresCluster) -> None:
    def committing() -> bool:
        with postgres.connect() as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'"
            row = connection.execute(query).fetchone()
            return row is not None and row[0] > 0

    async with asyncio.timeout(20):
        while not await asyncio.to_thread(committing):  # noqa: ASYNC110  # only the server knows
            await asyncio.sleep(0.01)


async def test_a_second_gateway_with_a_folder_of_its_own_is_refused(opened: Opened, tmp_path: Path) -> None:
    async with opened() as store:
        with pytest.raises(StoreLockedError, match="trunkline writer"):
            async with opened(folder=tmp_path / "other"):
                pass
        await store.write(enter("a"), name="enter")


async def test_a_gateway_that_was_replaced_writes_no_more(
    opened: Opened, options: StoreOptions, postgres: PostgresCluster, tmp_path: Path
) -> None:
    async with opened() as store:
        await store.write(enter("a"), name="enter")
        with postgres.connect(str(sa.make_url(options.url).database)) as connection:
            connection.execute("UPDATE meta SET value = '9' WHERE key = 'epoch'")
        postgres.end_sessions()
        with pytest.raises(StoreTakenOverError):
            await store.write(enter("b"), name="enter")
        assert await entries(store) == {"a": 1}
        with pytest.raises(StoreTakenOverError):
            await store.write(enter("c"), name="enter")


async def test_the_password_is_in_no_error(options: StoreOptions, postgres: PostgresCluster, tmp_path: Path) -> None:
    database = open_database(options, tmp_path)
    assert postgres.password not in database.place
    await asyncio.to_thread(postgres.stop, signal.SIGINT)
    try:
        with pytest.raises(StoreUnavailableError) as raised:
            database.connect_writer()
        assert postgres.password not in str(raised.value.as_dict())
    finally:
        postgres.start()
