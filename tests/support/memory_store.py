"""A small store for tests: SQLite in memory, units run at once on the event loop, a crash at any step on request."""

import asyncio
from datetime import datetime

import sqlalchemy as sa

from gateway.core.causation import attributed
from gateway.core.clock import Clock
from gateway.core.events import Happening, seal
from gateway.store.unit import Base, StoredEvent


class CrashPlan:
    """Counts the steps of a run; from step number *at* on, everything that asks hangs, as after SIGKILL."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.steps = 0
        self.crashed = asyncio.Event()

    async def step(self) -> None:
        self.steps += 1
        if self.at is not None and self.steps >= self.at:
            self.crashed.set()
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)


class MemoryUnit:
    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.happenings: list[Happening] = []
        self.callbacks = []

    def emit(self, happening: Happening) -> None:
        self.happenings.append(attributed(happening))

    def after_commit(self, callback) -> None:
        self.callbacks.append(callback)


class MemoryStore:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.plan = CrashPlan()
        self.engine = sa.create_engine(
            "sqlite://", poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False}
        )
        self.events: list[StoredEvent] = []
        self.happenings: list[Happening] = []
        self.failing: Exception | None = None
        self.doubtful: Exception | None = None
        self.listeners = []
        self.turn = asyncio.Lock()
        self.names: list[str] = []

    def create(self) -> "MemoryStore":
        Base.metadata.create_all(self.engine)
        return self

    def close(self) -> None:
        self.engine.dispose()

    async def write(self, work, *, name):
        plan = self.plan  # a unit that hangs in a crashed life never reaches the next one
        async with self.turn:
            await plan.step()
            if self.failing is not None:
                raise self.failing
            self.names.append(name)
            with self.engine.begin() as connection:
                unit = MemoryUnit(connection, self.clock.wall())
                result = work(unit)
            self.happenings += unit.happenings
            for happening in unit.happenings:
                self._tell(happening, unit.now)
        await plan.step()
        if self.doubtful is not None:
            raise self.doubtful  # it is written, and the writer does not know it
        for callback in unit.callbacks:
            callback()
        return result

    async def read(self, query):
        plan = self.plan
        await plan.step()
        with self.engine.connect() as connection:
            return query(connection)

    async def events_after(self, seq, *, limit=500):
        return [event for event in self.events if event.seq > seq][:limit]

    def listen(self, listener):
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def crash(self) -> None:
        """Begin a new life on the same database."""
        self.turn = asyncio.Lock()
        self.plan = CrashPlan()

    def _tell(self, happening: Happening, now: datetime) -> None:
        seq = len(self.events) + 1
        envelope = seal(happening, site="test", epoch=1, seq=seq, aggseq=seq, now=now)
        domain, name, _ = happening.event.TYPE.split(".")
        stored = StoredEvent(seq, domain, happening.resource, name, bytes(envelope.data))
        self.events.append(stored)
        for listener in self.listeners:
            listener(stored)
