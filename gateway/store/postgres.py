"""PostgreSQL 15 and later, by psycopg 3.

An advisory lock, held by the writer's session, makes this gateway the only writer of the database. The server lets go
of it when that session has ended, and not before: so once the lock is taken again after a broken connection, the old
session's last transaction is either committed or gone.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import event, exc, pool

from gateway.core.options import Secret
from gateway.store.errors import StoreLockedError, StoreUnavailableError
from gateway.store.failure import Failure, reason_of
from gateway.store.options import StoreOptions

WRITER_LOCK = 0x7472756E6B  # "trunk": the number of the advisory lock, one in each database

_DISK_FULL = "53100"
_TIMEOUTS = frozenset({"57014", "55P03"})  # query canceled, lock not available
_STATEMENT_COMPLETION_UNKNOWN = "40003"
_READ_ONLY = "25006"
_LOST_CLASSES = frozenset({"08", "57", "58"})  # connection, operator intervention, system error
_UNSURE_CLASSES = _LOST_CLASSES | {"XX"}

_SESSION = {
    "timezone": "UTC",
    "synchronous_commit": "on",
    "lock_timeout": "2s",
    # A session whose gateway has vanished lets go of the advisory lock within half a minute.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
}


class PostgresDatabase:
    """The database that ``store.url`` names."""

    def __init__(self, options: StoreOptions, url: sa.URL) -> None:
        self._url = url
        if options.password != Secret():
            url = url.set(password=options.password.read())
        timeout = f"{int(options.statement_timeout_s * 1000)}ms"
        self._writer = sa.create_engine(
            url,
            poolclass=pool.NullPool,
            hide_parameters=True,  # they may hold personal data
            connect_args=_connect_args(options, "trunkline writer", statement_timeout=timeout)
            | {"target_session_attrs": "read-write"},
        )
        self._readers = sa.create_engine(
            url,
            hide_parameters=True,
            pool_size=options.reader_threads,
            max_overflow=0,
            pool_timeout=options.connect_timeout_s,
            connect_args=_connect_args(
                options, "trunkline reader", statement_timeout=timeout, default_transaction_read_only="on"
            ),
        )
        event.listen(self._writer, "connect", self._take_lock)

    @property
    def place(self) -> str:
        """The URL without the password."""
        return self._url.render_as_string(hide_password=True)

    @property
    def readers(self) -> sa.Engine:
        """Connections whose transactions are read-only."""
        return self._readers

    def connect_writer(self) -> sa.Connection:
        """Connect and become the only writer."""
        try:
            return self._writer.connect()
        except exc.DBAPIError as error:
            raise StoreUnavailableError(reason=f"{self.place}: {reason_of(error)}") from error

    def failure_of(self, error: exc.SQLAlchemyError) -> Failure:
        """Classify by SQLSTATE."""
        if isinstance(error, exc.PendingRollbackError):
            return Failure.LOST
        state = _state_of(error)
        if state == _DISK_FULL:
            return Failure.FULL
        if state in _TIMEOUTS:
            return Failure.TIMEOUT
        broken = isinstance(error, exc.DBAPIError) and error.connection_invalidated
        no_answer = state is None and isinstance(getattr(error, "orig", None), psycopg.OperationalError)
        if broken or no_answer or state == _READ_ONLY or (state or "")[:2] in _LOST_CLASSES:
            return Failure.LOST
        return Failure.FAULT

    def in_doubt(self, error: exc.SQLAlchemyError) -> bool:
        """Only the server's own word that the transaction failed is sure."""
        state = _state_of(error)
        return state is None or state == _STATEMENT_COMPLETION_UNKNOWN or state[:2] in _UNSURE_CLASSES

    def in_transaction(self, connection: sa.Connection) -> bool:
        """Ask libpq, which knows without asking the server."""
        if connection.invalidated:
            return False
        raw = _raw(connection)
        return raw.info.transaction_status is psycopg.pq.TransactionStatus.INTRANS

    @contextlib.contextmanager
    def deadline(self, connection: sa.Connection) -> Iterator[None]:  # noqa: ARG002
        """``statement_timeout`` of the session does it, statement by statement."""
        yield

    def free_bytes(self) -> int | None:
        """Its disk is elsewhere."""
        return None

    def keep_reserve(self) -> None:
        """There is none."""

    def release_reserve(self) -> bool:
        """There is none."""
        return False

    def dispose(self) -> None:
        """Close the readers; the writer's connection belongs to the writer."""
        self._readers.dispose()
        self._writer.dispose()

    def _take_lock(self, raw: Any, _record: object) -> None:
        # Waits up to lock_timeout: after a restart the server may take a moment to notice that the old session ended.
        with raw.cursor() as cursor:
            try:
                cursor.execute("SELECT pg_advisory_lock(%s)", (WRITER_LOCK,))
            except psycopg.errors.LockNotAvailable as error:
                raw.rollback()
                holder = _holder(cursor)
                raw.close()
                raise StoreLockedError(place=self.place, holder=holder) from error
        raw.commit()


def _holder(cursor: Any) -> str:
    cursor.execute(
        "SELECT a.application_name, a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND (l.classid::bigint << 32 | l.objid::bigint) = %s",
        (WRITER_LOCK,),
    )
    found = cursor.fetchone()
    return "?" if found is None else f"{found[0]}, server process {found[1]}"


def _connect_args(options: StoreOptions, name: str, **session: str) -> dict[str, Any]:
    settings = " ".join(f"-c {key}={value}" for key, value in (_SESSION | session).items())
    return {
        "application_name": name,
        "connect_timeout": options.connect_timeout_s,
        "options": settings,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    }


def _state_of(error: exc.SQLAlchemyError) -> str | None:
    original = getattr(error, "orig", None)
    state = getattr(original, "sqlstate", None)
    return state if isinstance(state, str) else None


def _raw(connection: sa.Connection) -> psycopg.Connection[Any]:
    raw: Any = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101  # for the type checker: this engine has no other driver
    return raw
