"""A COMMIT whose answer is lost: it took effect, it did not, or nobody can tell."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.store import journal
from gateway.store.errors import StoreOutcomeUnknownError, StoreUnavailableError
from gateway.store.options import StoreOptions
from gateway.store.sqlite import SqliteDatabase
from gateway.store.store import SqlStore
from gateway.store.unit import Base
from tests.support.ledger import assert_whole, enter, entries


class FailingDatabase(SqliteDatabase):
    """The next commit is carried out or not, as ``fault`` does it, and then fails."""

    fault: Callable[[sa.Connection], None] | None = None
    away = False

    def connect_writer(self) -> sa.Connection:
        if self.away:
            raise StoreUnavailableError(reason="away")
        connection = super().connect_writer()

        def commit() -> None:
            fault, self.fault = self.fault, None
            if fault is None:
                sa.Connection.commit(connection)
                return
            fault(connection)
            cause = sqlite3.OperationalError("disk I/O error")
            cause.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise sa.exc.OperationalError("COMMIT", {}, cause)

        connection.commit = commit
        return connection


@pytest.fixture
def database(tmp_path: Path) -> FailingDatabase:
    return FailingDatabase(StoreOptions(reserve_mb=0), tmp_path)


@pytest.fixture
def store(tmp_path: Path, database: FailingDatabase, monkeypatch: pytest.MonkeyPatch) -> SqlStore:
    monkeypatch.setattr("gateway.store.store.open_database", lambda _options, _folder: database)
    options = StoreOptions(reserve_mb=0, outage_wait_s=0.2)
    return SqlStore(options, folder=tmp_path, site="duty", prepare=Base.metadata.create_all)


@pytest.mark.parametrize("committed", [True, False])
async def test_the_marker_tells_and_the_unit_is_done_exactly_once(
    store: SqlStore, database: FailingDatabase, *, committed: bool
) -> None:
    heard: list[int] = []
    await store.open()
    store.listen(lambda event: heard.append(event.seq))
    await store.write(enter("before"), name="enter")
    database.fault = sa.Connection.commit if committed else sa.Connection.rollback
    assert await store.write(enter("doubtful", events=2), name="enter") == "doubtful"
    await store.write(enter("after"), name="enter")
    assert heard == [1, 2, 3, 4]
    assert store.counters.doubts_resolved == 1
    assert store.counters.repeated_units == (0 if committed else 1)
    await assert_whole(store)
    await store.close()


@pytest.mark.parametrize("committed", [True, False])
async def test_who_cannot_wait_is_told_unknown_and_it_is_not_done_later(
    store: SqlStore, database: FailingDatabase, *, committed: bool
) -> None:
    heard: list[int] = []
    await store.open()
    store.listen(lambda event: heard.append(event.seq))

    def fault(connection: sa.Connection) -> None:
        database.away = True
        (sa.Connection.commit if committed else sa.Connection.rollback)(connection)

    database.fault = fault
    with pytest.raises(StoreOutcomeUnknownError):
        await store.write(enter("doubtful"), name="enter")
    database.away = False
    await store.write(enter("after"), name="enter")
    assert set(await entries(store)) == ({"doubtful", "after"} if committed else {"after"})
    assert heard == ([1, 2] if committed else [1])
    assert store.counters.unknown_units == 1
    await assert_whole(store)
    await store.close()


async def test_a_database_that_is_not_the_one_written_to_is_no_proof(
    store: SqlStore, database: FailingDatabase
) -> None:
    await store.open()
    await store.write(enter("before"), name="enter")

    def restored_from_a_backup(connection: sa.Connection) -> None:
        connection.rollback()
        with connection.begin():
            journal.set_meta(connection, {journal.META_LAST_GROUP: "1.999"})

    database.fault = restored_from_a_backup
    with pytest.raises(StoreOutcomeUnknownError, match="not the one"):
        await store.write(enter("doubtful"), name="enter")
    await store.close()


async def test_closing_while_in_doubt_tells_unknown(store: SqlStore, database: FailingDatabase) -> None:
    await store.open()

    def fault(connection: sa.Connection) -> None:
        database.away = True
        connection.rollback()

    database.fault = fault
    task = asyncio.create_task(store.write(enter("doubtful"), name="enter"))
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(StoreOutcomeUnknownError):
        await task


async def test_a_commit_that_never_answers_is_told_unknown_in_time(
    tmp_path: Path, database: FailingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.store.open_database", lambda _options, _folder: database)
    options = StoreOptions(reserve_mb=0, outage_wait_s=0.1, statement_timeout_s=0.1)
    store = SqlStore(options, folder=tmp_path, site="duty", prepare=Base.metadata.create_all)
    await store.open()
    gate = threading.Event()

    def hangs(connection: sa.Connection) -> None:
        assert gate.wait(10)
        connection.commit()

    database.fault = hangs
    with pytest.raises(StoreOutcomeUnknownError, match="not answer"):
        await store.write(enter("slow"), name="enter")
    assert "not answer" in store.health().trouble
    gate.set()
    await store.write(enter("after"), name="enter")
    assert set(await entries(store)) == {"slow", "after"}
    await store.close()
