"""The store as the gateway runs it: one writer thread, a few readers, and those who listen."""

import asyncio
import contextvars
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy import exc

from gateway.core.clock import Clock, SystemClock
from gateway.store import journal, schema
from gateway.store.engine import Database, open_database, reading, translated
from gateway.store.errors import StoreOutcomeUnknownError, StoreOverloadedError, StoreUnavailableError
from gateway.store.failure import Failure
from gateway.store.group import Outcome
from gateway.store.jobs import Job
from gateway.store.lock import ExclusiveLock
from gateway.store.options import StoreOptions
from gateway.store.unit import StoredEvent, Unit
from gateway.store.visit import VisitingWriter
from gateway.store.writer import Counters, Writer

log = structlog.get_logger(__name__)

T = TypeVar("T")

_READS_PER_THREAD = 64  # waiting ones; more are refused


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """How the store is. ``trouble`` is empty when it writes; ``free_bytes`` is None where the disk is elsewhere."""

    trouble: str
    queue_units: int
    last_commit_s: float
    free_bytes: int | None
    shedding: bool


class SqlStore:
    """The store on SQLite or PostgreSQL (see :class:`gateway.store.unit.Store` for reading and writing).

    ``folder`` is the state folder; ``site`` is part of every event. ``prepare`` creates or upgrades the tables on the
    writer's connection: the migrations, or in tests ``Base.metadata.create_all``. ``sheddable`` are the types of events
    (``radio.position.v1``) that are left out while the disk is nearly full. Without ``count_start`` opening it is no
    start of the gateway: the epoch stays. All methods belong to the event loop on which :meth:`open` was called.
    """

    def __init__(
        self,
        options: StoreOptions,
        *,
        folder: Path,
        site: str,
        clock: Clock | None = None,
        prepare: Callable[[sa.Connection], None] = schema.upgrade,
        sheddable: Collection[str] = frozenset(),
        count_start: bool = True,
    ) -> None:
        self._options = options
        self._clock = SystemClock() if clock is None else clock
        self._site = site
        self._lock = ExclusiveLock(folder)
        self._database: Database = open_database(options, folder)
        self._writer = (Writer if count_start else VisitingWriter)(
            self._database,
            options,
            site=site,
            clock=self._clock,
            prepare=prepare,
            deliver=self._hand_over,
            sheddable=frozenset(sheddable),
        )
        self._readers = ThreadPoolExecutor(options.reader_threads, thread_name_prefix="store-reader")
        self._reads = 0
        self._listeners: list[Callable[[StoredEvent], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Take the lock, connect, prepare the tables, begin a new epoch (unless this is no start).

        Raises ``StoreLockedError``, ``StoreUnavailableError``, ``StoreSchemaError``, ``StoreSiteError``.
        """
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._lock.acquire)
        try:
            await self._writer.start()
        except BaseException:
            await self.close()
            raise
        log.info("store open", place=self._database.place, epoch=self.epoch, last_seq=self.last_seq)

    async def close(self) -> None:
        """Write what waits, tell it, and let go of everything."""
        await self._writer.stop()
        await asyncio.to_thread(self._readers.shutdown, wait=True)
        await asyncio.to_thread(self._database.dispose)
        self._lock.release()

    @property
    def site(self) -> str:
        """The site of this store."""
        return self._site

    @property
    def epoch(self) -> int:
        """Counts the starts of the gateway, from 1."""
        return self._writer.epoch

    @property
    def last_seq(self) -> int:
        """The number of the newest durable event; 0 when there is none."""
        return self._writer.last_seq

    @property
    def counters(self) -> Counters:
        """What the writer has done since the start."""
        return self._writer.counters

    @property
    def writer_busy_s(self) -> float:
        """How long the writer has been at its present group, seconds: a loop that turns keeps this small."""
        return self._writer.busy_s

    @property
    def writer_alive(self) -> bool:
        """Whether the writer runs: without it nothing is written any more, and only a new start helps."""
        return self._writer.alive

    def health(self) -> StoreHealth:
        """Tell how the store is."""
        return StoreHealth(
            trouble=self._writer.trouble,
            queue_units=self._writer.waiting,
            last_commit_s=self._writer.counters.last_commit_s,
            free_bytes=self._database.free_bytes(),
            shedding=self._writer.shedding,
        )

    # --- state and events -------------------------------------------------------------------------------------------

    async def write(self, work: Callable[[Unit], T], *, name: str) -> T:
        """See :meth:`gateway.store.unit.Store.write`.

        Raises ``StoreOutcomeUnknownError`` when a commit gives no answer for longer than an outage may last.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        # Real time, whatever the clock: a disk takes as long as it takes.
        deadline = time.monotonic() + self._options.outage_wait_s
        self._writer.submit(Job(work, name, future, contextvars.copy_context(), deadline))
        try:
            async with asyncio.timeout(self._options.outage_wait_s + self._options.statement_timeout_s):
                return await future
        except TimeoutError as error:
            if not future.cancelled():
                raise  # the work's own
            raise StoreOutcomeUnknownError(what=name, reason="the disk or the database does not answer") from error

    async def read(self, query: Callable[[sa.Connection], T]) -> T:
        """See :meth:`gateway.store.unit.Store.read`.

        *query* runs a second time when the connection turns out to be broken. Raises ``StoreUnavailableError`` and,
        when too many queries wait, ``StoreOverloadedError``.
        """
        if self._reads >= self._options.reader_threads * _READS_PER_THREAD:
            raise StoreOverloadedError(waiting=self._reads)
        self._reads += 1
        try:
            context = contextvars.copy_context()
            return await asyncio.get_running_loop().run_in_executor(self._readers, context.run, self._query, query)
        finally:
            self._reads -= 1

    async def events_after(self, seq: int, *, limit: int = 500) -> Sequence[StoredEvent]:
        """See :meth:`gateway.store.unit.Store.events_after`."""
        return await self.read(lambda connection: journal.after(connection, seq, limit))

    def listen(self, listener: Callable[[StoredEvent], None]) -> Callable[[], None]:
        """See :meth:`gateway.store.unit.Store.listen`."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # --- the journal ------------------------------------------------------------------------------------------------

    async def oldest_seq(self) -> int:
        """Return the first number that can still be replayed; 0 when there is none."""
        return await self.read(journal.oldest)

    async def event(self, seq: int) -> StoredEvent | None:
        """Return one event, or None when it was pruned or never told."""
        return await self.read(lambda connection: journal.at(connection, seq))

    async def events_of_aggregate(
        self, aggregate: str, *, after_aggseq: int = 0, limit: int = 500
    ) -> Sequence[StoredEvent]:
        """Return the events of one call, message or group, in order."""
        return await self.read(
            lambda connection: journal.of_aggregate(connection, aggregate, after_aggseq=after_aggseq, limit=limit)
        )

    async def events_of_incident(self, incident: str, *, after_seq: int = 0, limit: int = 500) -> Sequence[StoredEvent]:
        """Return the events of one incident, in order."""
        return await self.read(
            lambda connection: journal.of_incident(connection, incident, after_seq=after_seq, limit=limit)
        )

    async def events_of_type(
        self, event_type: str, *, start: datetime, end: datetime, limit: int = 500
    ) -> Sequence[StoredEvent]:
        """Return the events of one type that happened from *start* up to *end* (excluded), by time."""
        return await self.read(
            lambda connection: journal.of_type(connection, event_type, start=start, end=end, limit=limit)
        )

    async def prune(self) -> int:
        """Delete what was published and is older than ``journal_days``, in small batches; return how many rows."""
        before = self._clock.wall() - timedelta(days=self._options.journal_days)
        total = 0
        while count := await self.write(lambda unit: journal.prune(unit.connection, before), name="store.prune"):
            total += count
        return total

    # --- the relay --------------------------------------------------------------------------------------------------

    async def relay_position(self) -> int:
        """Return the number up to which everything is published or quarantined."""
        return await self.read(journal.relay_position)

    async def unsent(self, limit: int = 256) -> Sequence[StoredEvent]:
        """Return the first events that are neither published nor quarantined, in order."""
        return await self.read(lambda connection: journal.unsent(connection, limit))

    async def advance(self, seq: int) -> None:
        """Write down that everything up to *seq* is published or quarantined; it never steps back."""
        await self.write(lambda unit: journal.advance(unit.connection, seq), name="relay.advance")

    async def quarantine(self, seq: int, reason_code: int) -> None:
        """Set one event aside with the broker's MQTT reason code; ``NotFoundError`` when there is no such event."""
        await self.write(
            lambda unit: journal.quarantine(unit.connection, seq, reason_code, unit.now), name="relay.quarantine"
        )

    async def quarantined(self, after: int, *, limit: int = 256) -> Sequence[tuple[StoredEvent, int]]:
        """Return events that are set aside above *after*, in order, each with its reason code."""
        return await self.read(lambda connection: journal.quarantined(connection, after, limit))

    async def release(self, seq: int) -> None:
        """Write down that an event that was set aside has been published after all."""
        await self.write(lambda unit: journal.release(unit.connection, seq), name="relay.release")

    # --- between the threads ----------------------------------------------------------------------------------------

    def _query(self, query: Callable[[sa.Connection], T]) -> T:
        try:
            try:
                return self._query_once(query)
            except exc.DBAPIError as error:
                if self._database.failure_of(error) is not Failure.LOST:
                    raise
            return self._query_once(query)
        except exc.TimeoutError as error:
            raise StoreUnavailableError(reason="no connection became free") from error
        except exc.SQLAlchemyError as error:
            raise translated(self._database, error) from error

    def _query_once(self, query: Callable[[sa.Connection], T]) -> T:
        with reading(self._database) as connection:
            return query(connection)

    def _hand_over(self, outcomes: Sequence[Outcome]) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            log.error("nobody is left to be told", units=len(outcomes))
            return
        loop.call_soon_threadsafe(self._tell, outcomes)

    def _tell(self, outcomes: Sequence[Outcome]) -> None:
        # Each listener in a call of its own: one that raises is reported by the loop and hinders no other. All of them
        # run before the writer of the unit goes on, because the loop keeps the order.
        loop = asyncio.get_running_loop()
        for outcome in outcomes:
            for event in outcome.events:
                for listener in self._listeners:
                    loop.call_soon(self._tell_one, listener, event)
            for callback in outcome.callbacks:
                loop.call_soon(callback)
            future = outcome.job.future
            if future.done():
                continue
            if outcome.error is None:
                future.set_result(outcome.result)
            else:
                future.set_exception(outcome.error)

    def _tell_one(self, listener: Callable[[StoredEvent], None], event: StoredEvent) -> None:
        if listener in self._listeners:
            listener(event)
