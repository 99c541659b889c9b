"""What the store needs of a database engine, and which engine a configuration names."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import exc

from gateway.store.errors import StoreFullError, StoreUnavailableError, StoreUrlError
from gateway.store.failure import Failure, reason_of
from gateway.store.options import StoreOptions


class Database(Protocol):
    """One kind of database. Every method blocks; none is called on the event loop."""

    @property
    def place(self) -> str:
        """Where it is, for people; without secrets."""
        ...

    @property
    def readers(self) -> sa.Engine:
        """Connections that can only read."""
        ...

    def connect_writer(self) -> sa.Connection:
        """Open the one connection that writes.

        Raises ``StoreUnavailableError``, or ``StoreLockedError`` when another program is the writer.
        """
        ...

    def failure_of(self, error: exc.SQLAlchemyError) -> Failure:
        """Classify an error of the driver."""
        ...

    def in_doubt(self, error: exc.SQLAlchemyError) -> bool:
        """Tell whether a COMMIT that ended in *error* may have taken effect."""
        ...

    def in_transaction(self, connection: sa.Connection) -> bool:
        """Tell whether the transaction still stands; a database may have rolled it back by itself."""
        ...

    def deadline(self, connection: sa.Connection) -> contextlib.AbstractContextManager[None]:
        """Break off what runs inside when it takes longer than ``statement_timeout_s``."""
        ...

    def free_bytes(self) -> int | None:
        """Return the free space on its disk, None where that cannot be known."""
        ...

    def keep_reserve(self) -> None:
        """Keep some space back for a full disk, when there is enough of it."""
        ...

    def release_reserve(self) -> bool:
        """Give back the space kept for a full disk; False when there is none (any more)."""
        ...

    def dispose(self) -> None:
        """Close everything."""
        ...


def open_database(options: StoreOptions, folder: Path) -> Database:
    """Return the database that *options* name; *folder* is the state folder, where SQLite keeps its file.

    Connects to nothing yet. Raises ``StoreUrlError`` and ``SecretError``.
    """
    # One engine's modules are of no use to the other, and psycopg is slow to import.
    if not options.url:
        from gateway.store.sqlite import SqliteDatabase  # noqa: PLC0415

        return SqliteDatabase(options, folder)
    try:
        url = sa.make_url(options.url)
    except exc.ArgumentError as error:
        raise StoreUrlError(reason="it is not a URL") from error
    if url.drivername != "postgresql+psycopg":
        raise StoreUrlError(reason="it must begin with postgresql+psycopg://")
    if url.password is not None:
        raise StoreUrlError(reason="it holds a password; put that into store.password")
    from gateway.store.postgres import PostgresDatabase  # noqa: PLC0415

    return PostgresDatabase(options, url)


def translated(database: Database, error: exc.SQLAlchemyError) -> Exception:
    """Return what the caller of the store is to see instead of *error*.

    A fault of the statement itself (``IntegrityError`` …) is the caller's own and stays what it is.
    """
    kind = database.failure_of(error)
    match kind:
        case Failure.FULL:
            found: Exception = StoreFullError(place=database.place)
        case Failure.TIMEOUT:
            found = StoreUnavailableError(reason="a statement took too long")
        case Failure.LOST:
            found = StoreUnavailableError(reason=reason_of(error))
        case Failure.FAULT:
            return error
    found.__cause__ = error
    return found


@contextlib.contextmanager
def reading(database: Database) -> Iterator[sa.Connection]:
    """Lend a reader connection within one read-only transaction, with a deadline."""
    with database.readers.connect() as connection, database.deadline(connection):
        yield connection
