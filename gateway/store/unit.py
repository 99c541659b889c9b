"""What a feature sees of the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy import orm

from gateway.core.events import Happening

T = TypeVar("T")


class Base(orm.DeclarativeBase):
    """The models of all features share one metadata, so that one migration history covers them."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Unit(Protocol):
    """One unit of work, run on the writer thread inside a transaction.

    It may be run a second time when a neighbour in the same group failed, so it has no effect outside the database
    except through :meth:`after_commit`. It blocks the writer: no network, no file, no sleep.
    """

    @property
    def connection(self) -> sa.Connection:
        """Core statements on the ORM models: ``unit.connection.execute(sa.insert(Call), …)``."""
        ...

    @property
    def now(self) -> datetime:
        """The time of this unit, UTC."""
        ...

    def emit(self, happening: Happening) -> None:
        """Tell an event. It gets its sequence number after the unit has succeeded, and is durable with the unit.

        Within a command it names that command, unless it names a cause (:mod:`gateway.core.causation`).
        """
        ...

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call *callback* on the event loop once the unit is durable."""
        ...


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of the journal. ``payload`` is the envelope as JSON, byte for byte as it is published."""

    seq: int
    domain: str
    resource: str
    name: str
    payload: bytes


class Store(Protocol):
    """The store as features use it (the implementation is :class:`gateway.store.store.SqlStore`)."""

    async def write(self, work: Callable[[Unit], T], *, name: str) -> T:
        """Run *work* on the writer thread and return its result once it is durable on disk.

        Units run one at a time, in the order of the calls. An exception of *work* rolls back its changes and its events
        alone and is raised here. Cancelling the wait does not undo the unit. Raises ``StoreUnavailableError`` when the
        database cannot be written, ``StoreOverloadedError`` when the queue is full.
        """
        ...

    async def read(self, query: Callable[[sa.Connection], T]) -> T:
        """Run *query* on a reader thread with a connection of its own, in a read-only transaction."""
        ...

    async def events_after(self, seq: int, *, limit: int = 500) -> Sequence[StoredEvent]:
        """Return up to *limit* journal rows with a sequence number above *seq*, in order."""
        ...

    def listen(self, listener: Callable[[StoredEvent], None]) -> Callable[[], None]:
        """Call *listener* on the event loop for every event once it is durable, in order; the result ends that."""
        ...
