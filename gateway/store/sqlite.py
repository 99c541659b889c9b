"""SQLite: a file in the state folder.

WAL with ``synchronous=FULL``: a commit is on the disk when it returns, and readers never wait for the writer.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import event, exc, pool

from gateway.store.errors import StoreUnavailableError
from gateway.store.failure import Failure, reason_of
from gateway.store.options import StoreOptions

log = structlog.get_logger(__name__)

_BUSY_TIMEOUT_S = 2.0
_MB = 1_000_000
_WAL_LIMIT_BYTES = 64 * 1024 * 1024
_STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's virtual machine, well under a millisecond
_PRIMARY_CODE = 0xFF  # the rest of an extended result code tells details
_LOST = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
    }
)


class SqliteDatabase:
    """``trunkline.db`` in the state folder, readable by its owner only."""

    def __init__(self, options: StoreOptions, folder: Path) -> None:
        self._options = options
        self._path = folder / "trunkline.db"
        self._reserve = folder / "trunkline.reserve"
        self._has_reserve = False
        # The transactions are begun here and not by the driver, which would do so only before the first change.
        self._writer = self._engine(begin="BEGIN IMMEDIATE", setup=self._set_up_writer, poolclass=pool.NullPool)
        self._readers = self._engine(
            begin="BEGIN",
            setup=self._set_up_reader,
            poolclass=pool.QueuePool,
            pool_size=options.reader_threads,
            max_overflow=0,
        )

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self._path)

    @property
    def readers(self) -> sa.Engine:
        """Connections with ``query_only``."""
        return self._readers

    def connect_writer(self) -> sa.Connection:
        """Open the file for writing, creating it (0600) when it is missing."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self.keep_reserve()
            return self._writer.connect()
        except OSError as error:
            raise StoreUnavailableError(reason=f"{self._path}: {error.strerror}") from error
        except exc.DBAPIError as error:
            raise StoreUnavailableError(reason=f"{self._path}: {reason_of(error)}") from error

    def failure_of(self, error: exc.SQLAlchemyError) -> Failure:
        """Classify by SQLite's result code."""
        original = getattr(error, "orig", None)
        code = getattr(original, "sqlite_errorcode", None)
        if code is None:
            # Not SQLite's own: a closed connection, or SQLAlchemy refusing to go on with a broken one.
            return Failure.LOST if isinstance(original, sqlite3.ProgrammingError) else Failure.FAULT
        primary = code & _PRIMARY_CODE
        if primary == sqlite3.SQLITE_FULL or (primary == sqlite3.SQLITE_IOERR and self.free_bytes() == 0):
            return Failure.FULL
        if primary == sqlite3.SQLITE_INTERRUPT:
            return Failure.TIMEOUT
        return Failure.LOST if primary in _LOST else Failure.FAULT

    def in_doubt(self, error: exc.SQLAlchemyError) -> bool:
        """An input/output error may strike after the commit record has reached the disk."""
        return self.failure_of(error) is Failure.LOST

    def in_transaction(self, connection: sa.Connection) -> bool:
        """SQLite rolls back by itself when the disk is full or fails, and runs on without a transaction."""
        if connection.invalidated:
            return False
        inside: bool = _raw(connection).in_transaction
        return inside

    @contextlib.contextmanager
    def deadline(self, connection: sa.Connection) -> Iterator[None]:
        """Interrupt from the progress handler, which SQLite calls while it works."""
        raw = _raw(connection)
        end = time.monotonic() + self._options.statement_timeout_s
        raw.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS_BETWEEN_LOOKS)
        try:
            yield
        finally:
            raw.set_progress_handler(None, 0)

    def free_bytes(self) -> int | None:
        """Ask the file system."""
        try:
            status = os.statvfs(self._path.parent)
        except OSError:
            return None
        return status.f_bavail * status.f_frsize

    def keep_reserve(self) -> None:
        """Fill the reserve file with blocks of the disk."""
        size = self._options.reserve_mb * _MB
        if self._has_reserve or size == 0 or (self.free_bytes() or 0) < self._options.min_free_mb * _MB + size:
            return
        try:
            fd = os.open(self._reserve, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, size)
            finally:
                os.close(fd)
        except OSError as error:
            log.warning("no reserve for a full disk", path=str(self._reserve), reason=error.strerror)
        self._has_reserve = True  # as far as it could be; it is tried again after it was used up

    def release_reserve(self) -> bool:
        """Delete the reserve file."""
        self._has_reserve = False
        try:
            self._reserve.unlink()
        except OSError:
            return False
        log.error("disk full, the reserve is used up now", place=self.place, reserve_mb=self._options.reserve_mb)
        return True

    def dispose(self) -> None:
        """Close the readers; the writer's connection belongs to the writer."""
        self._readers.dispose()
        self._writer.dispose()

    def _engine(self, *, begin: str, setup: Any, **how: Any) -> sa.Engine:
        engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(self._path)),
            connect_args={"timeout": _BUSY_TIMEOUT_S, "isolation_level": None, "check_same_thread": False},
            hide_parameters=True,  # they may hold personal data
            **how,
        )
        event.listen(engine, "connect", setup)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    def _set_up_writer(self, raw: sqlite3.Connection, _record: object) -> None:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute(f"PRAGMA journal_size_limit={_WAL_LIMIT_BYTES}")

    def _set_up_reader(self, raw: sqlite3.Connection, _record: object) -> None:
        raw.execute("PRAGMA query_only=ON")


def _raw(connection: sa.Connection) -> sqlite3.Connection:
    raw: Any = connection.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101  # for the type checker: this engine has no other driver
    return raw
