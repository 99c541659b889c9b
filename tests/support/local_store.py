"""A store for unit tests: SQLite in memory, every unit run at once on the event loop; it can be made to fail."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from gateway.core.clock import Clock, SystemClock
from gateway.core.errors import UnavailableError
from gateway.core.events import Happening, parse_type, seal
from gateway.store.errors import StoreOutcomeUnknownError
from gateway.store.unit import Base, StoredEvent, Unit

T = TypeVar("T")


class LocalUnit:
    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.happenings: list[Happening] = []
        self.callbacks: list[Callable[[], None]] = []

    def emit(self, happening: Happening) -> None:
        self.happenings.append(happening)

    def after_commit(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)


class LocalStore:
    """``down`` makes every call fail; ``lose_after_commit`` drops the callbacks, as a crash after the commit does."""

    def __init__(self, clock: Clock | None = None, url: str = "sqlite://") -> None:
        self.clock = clock or SystemClock()
        self.down = False
        self.lose_after_commit = False
        self.doubt = {}
        self.run_twice = False
        self.units = 0
        self.happenings: list[Happening] = []
        self.journal: list[StoredEvent] = []
        self._listeners: list[Callable[[StoredEvent], None]] = []
        self._aggseq: dict[str, int] = {}
        self._engine = sa.create_engine(
            url, poolclass=sa.StaticPool, connect_args={"check_same_thread": False, "timeout": 10}
        )
        Base.metadata.create_all(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    def _check(self) -> None:
        if self.down:
            raise UnavailableError(part="store", reason="down for the test")

    async def write(self, work: Callable[[Unit], T], *, name: str) -> T:
        await asyncio.sleep(0)
        self._check()
        if self.run_twice:
            with self._engine.connect() as connection, connection.begin() as transaction:
                work(LocalUnit(connection, self.clock.wall()))
                transaction.rollback()
        with self._engine.begin() as connection:
            unit = LocalUnit(connection, self.clock.wall())
            result = work(unit)
        self.units += 1
        self._after(unit)
        if self.doubt:
            raise StoreOutcomeUnknownError(**self.doubt)
        await asyncio.sleep(0)
        return result

    def _after(self, unit: LocalUnit) -> None:
        for happening in unit.happenings:
            self._tell(happening)
        if not self.lose_after_commit:
            for callback in unit.callbacks:
                callback()

    async def read(self, query: Callable[[sa.Connection], T]) -> T:
        await asyncio.sleep(0)
        self._check()
        with self._engine.connect() as connection:
            return query(connection)

    async def events_after(self, seq: int, *, limit: int = 500) -> Sequence[StoredEvent]:
        self._check()
        return [event for event in self.journal if event.seq > seq][:limit]

    def listen(self, listener: Callable[[StoredEvent], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def types(self) -> list[str]:
        return [happening.event.TYPE for happening in self.happenings]

    def _tell(self, happening: Happening) -> None:
        seq = len(self.journal) + 1
        aggseq = self._aggseq[happening.aggregate] = self._aggseq.get(happening.aggregate, 0) + 1
        domain, event_name, _ = parse_type(happening.event.TYPE)
        envelope = seal(happening, site="t", epoch=1, seq=seq, aggseq=aggseq, now=self.clock.wall())
        stored = StoredEvent(seq, domain, happening.resource, event_name, msgspec.json.encode(envelope))
        self.happenings.append(happening)
        self.journal.append(stored)
        for listener in self._listeners:
            listener(stored)
