"""The one thread that writes.

Units wait in a bounded queue. The writer takes the first, and as many more as are waiting already (up to
``group_units``, for up to ``group_ms``), runs them in one transaction and commits once. It never waits for company:
while one commit is on its way to the disk, the next group gathers by itself.

A group that fails as a whole is rolled back, and each of its units runs again alone, so that only the one at fault
fails. When the connection is lost, the units wait (each up to its own deadline) and run again, because they were surely
not committed. Only a COMMIT whose answer is missing is in doubt: the marker that each group writes tells, after
connecting again, whether it took effect. Whoever cannot wait for that long is told that the outcome is unknown.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
import structlog
from sqlalchemy import exc

from gateway.core.clock import Clock
from gateway.core.supervisor import Backoff
from gateway.store import journal
from gateway.store.engine import Database, translated
from gateway.store.errors import (
    StoreError,
    StoreFullError,
    StoreOutcomeUnknownError,
    StoreOverloadedError,
    StoreSchemaError,
    StoreSiteError,
    StoreTakenOverError,
    StoreUnavailableError,
)
from gateway.store.failure import Failure, reason_of
from gateway.store.group import Group, GroupBrokenError, Order, Outcome
from gateway.store.jobs import Job, JobQueue, another
from gateway.store.options import StoreOptions
from gateway.store.space import Space

log = structlog.get_logger(__name__)

_MB = 1_000_000
_LOSSES_ALONE = 3  # a unit that breaks the connection so often, alone, is itself at fault
_IDLE_LOOK_S = 5.0  # how soon a database that went away is noticed when nobody writes
_BACKOFF = Backoff(first_s=0.05, longest_s=2.0)


@dataclass(slots=True)
class Counters:
    """What the writer has done since the start; written by its thread, read by the metrics."""

    units: int = 0
    failed_units: int = 0
    repeated_units: int = 0
    commits: int = 0
    events: int = 0
    shed_events: int = 0
    refused_units: int = 0
    connections: int = 0
    doubts_resolved: int = 0
    unknown_units: int = 0
    last_commit_s: float = 0.0


class Writer:
    """Runs jobs on its thread. :meth:`submit` and :meth:`stop` are called on the event loop.

    ``prepare`` brings the tables into being, in a transaction of its own, before anything else. ``deliver`` is called
    on the writer's thread with what became durable (or failed), in order, and has to hand it over to the event loop.
    """

    def __init__(
        self,
        database: Database,
        options: StoreOptions,
        *,
        site: str,
        clock: Clock,
        prepare: Callable[[sa.Connection], None],
        deliver: Callable[[Sequence[Outcome]], None],
        sheddable: Collection[str],
    ) -> None:
        self.counters = Counters()
        self.epoch = 0
        self._database = database
        self._options = options
        self._site = site
        self._clock = clock
        self._prepare = prepare
        self._deliver = deliver
        self._space = Space(database, clock, min_free_bytes=options.min_free_mb * _MB, sheddable=sheddable)
        self._jobs = JobQueue(options.queue_units)
        self._trouble = ""
        self._connection: sa.Connection | None = None
        self._order = Order(0)
        self._groups = 0
        self._last_marker = ""
        self._busy_since: float | None = None
        self._running: Group | None = None
        self._doubt: Group | None = None
        self._alone = 0
        self._thread: threading.Thread | None = None

    @property
    def last_seq(self) -> int:
        """The number of the newest durable event."""
        return self._order.last_seq

    @property
    def waiting(self) -> int:
        """How many units wait."""
        return len(self._jobs)

    @property
    def trouble(self) -> str:
        """Why nothing can be written at present; empty when all is well."""
        if self._thread is not None and not self._thread.is_alive():
            return self._trouble or "the writer has ended"
        if self.busy_s > self._options.statement_timeout_s:
            return "the disk or the database does not answer"
        return self._trouble

    @property
    def busy_s(self) -> float:
        """How long the group that is being written has taken so far, seconds; 0 when there is none."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def alive(self) -> bool:
        """Whether the thread runs. Once it has ended nothing is written any more."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def shedding(self) -> bool:
        """Whether telemetry is left out for want of space."""
        return self._space.short

    # --- on the event loop ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the thread and wait until it has connected; raise what it met."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(loop, opened), name="store-writer", daemon=True)
        self._thread.start()
        await asyncio.shield(opened)

    def submit(self, job: Job) -> None:
        """Queue *job*; raise ``StoreOverloadedError`` or, when the writer has ended, the reason of that."""
        try:
            self._jobs.put(job)
        except StoreOverloadedError:
            self.counters.refused_units += 1
            raise

    async def stop(self) -> None:
        """Let what waits be written, then end the thread. A database that is away is not waited for."""
        self._jobs.stop()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    # --- on the writer's thread -------------------------------------------------------------------------------------

    def _run(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        try:
            self._open()
        except Exception as error:  # noqa: BLE001  # handed over to the one who waits for the start
            self._disconnect()
            self._jobs.close(StoreUnavailableError(reason="the store is not open"))
            _settle(loop, opened, error)
            return
        _settle(loop, opened, None)
        reason = StoreUnavailableError(reason="the store is closed")
        try:
            self._loop()
        except StoreTakenOverError as error:
            reason = error
            log.exception("store taken over by another program")
        except BaseException:
            reason = StoreUnavailableError(reason="the writer thread has ended")
            log.exception("store writer ended")
            raise
        finally:
            self._end(reason)

    def _open(self) -> None:
        connection = self._database.connect_writer()
        self._connection = connection
        try:
            with connection.begin():
                self._prepare(connection)
                if not sa.inspect(connection).has_table(journal.Meta.__tablename__):
                    raise StoreSchemaError(reason="the tables are missing")
            with connection.begin():
                known = journal.read_meta(connection)
                if known.get(journal.META_SITE, self._site) != self._site:
                    raise StoreSiteError(found=known[journal.META_SITE], wanted=self._site)
                values = {
                    journal.META_SITE: self._site,
                    journal.META_EPOCH: str(int(known.get(journal.META_EPOCH, "0")) + 1),
                    journal.META_LAST_SEQ: known.get(journal.META_LAST_SEQ, "0"),
                    journal.META_LAST_GROUP: known.get(journal.META_LAST_GROUP, ""),
                    journal.META_RELAY_POSITION: known.get(journal.META_RELAY_POSITION, "0"),
                }
                missing = [{"key": key, "value": value} for key, value in values.items() if key not in known]
                if missing:
                    connection.execute(sa.insert(journal.Meta), missing)
                journal.set_meta(connection, values)
        except exc.SQLAlchemyError as error:
            raise translated(self._database, error) from error
        self.epoch = int(values[journal.META_EPOCH])
        self._order = Order(int(values[journal.META_LAST_SEQ]))
        self._last_marker = values[journal.META_LAST_GROUP]
        self.counters.connections += 1

    def _loop(self) -> None:
        failures = 0
        while True:
            if self._connection is None:
                try:
                    self._reconnect()
                except StoreTakenOverError:
                    raise
                except StoreUnavailableError as error:
                    failures += 1
                    self._trouble = error.title()
                    log.warning("store unavailable", reason=error.title(), waiting=len(self._jobs))
                    if self._jobs.stopping:
                        return
                    self._expire(error)
                    self._jobs.wait_for_stop(_BACKOFF.delay_s(failures))
                    continue
            failures = 0
            self._busy_since = None
            if self._jobs.wait(_IDLE_LOOK_S):
                self._run_group()
            elif self._jobs.stopping:
                return
            else:
                self._look()

    def _run_group(self) -> None:
        connection = self._connection
        assert connection is not None  # noqa: S101  # for the type checker: the loop has just connected
        self._groups += 1
        group = Group(
            self._database,
            connection,
            self._order,
            site=self._site,
            epoch=self.epoch,
            number=self._groups,
            shed=self._space.look(),
        )
        self._running = group
        started = self._busy_since = time.monotonic()
        try:
            self._fill(group, connection, started)
        except GroupBrokenError as broken:
            self._roll_back(group, connection, broken.__cause__)
            return
        try:
            connection.commit()
        except exc.SQLAlchemyError as error:
            if self._database.in_doubt(error):
                log.warning("commit in doubt", reason=reason_of(error), units=len(group.outcomes))
                self._doubt, self._running = group, None
                self._disconnect()
            else:
                self._roll_back(group, connection, error)
            return
        self.counters.last_commit_s = time.monotonic() - started
        self._accept(group)

    def _fill(self, group: Group, connection: sa.Connection, started: float) -> None:
        limit = 1 if self._alone else self._options.group_units
        try:
            connection.begin()
        except exc.SQLAlchemyError as error:
            raise GroupBrokenError from error
        while len(group.outcomes) < limit and (job := self._jobs.take()) is not None:
            group.run(job, self._clock.wall())
            if time.monotonic() - started >= self._options.group_ms / 1000:
                break
        group.write_journal()
        if not self._database.in_transaction(connection):
            raise GroupBrokenError

    def _accept(self, group: Group) -> None:
        group.accept()
        self._running = None
        self._last_marker = group.marker
        self._alone = max(0, self._alone - len(group.outcomes))
        self._trouble = ""
        self.counters.units += len(group.outcomes)
        self.counters.failed_units += sum(outcome.error is not None for outcome in group.outcomes)
        self.counters.commits += 1
        self.counters.events += group.events
        self.counters.shed_events += group.shed_count
        self._deliver(group.outcomes)

    def _roll_back(self, group: Group, connection: sa.Connection, cause: BaseException | None) -> None:
        """The group was surely not committed: give its units back to the queue, or fail the one that is at fault."""
        jobs = [outcome.job for outcome in group.outcomes]
        database_error = cause if isinstance(cause, exc.SQLAlchemyError) else None
        lost = connection.invalidated or (
            database_error is not None and self._database.failure_of(database_error) is Failure.LOST
        )
        full = database_error is not None and self._database.failure_of(database_error) is Failure.FULL
        log.warning(
            "group rolled back",
            units=len(jobs),
            reason="the transaction ended" if database_error is None else reason_of(database_error),
        )
        try:
            connection.rollback()
        except exc.SQLAlchemyError:
            lost = True
        if lost:
            self._disconnect()
        if full:
            self._space.ran_out()
        self._alone = max(0, self._alone - len(jobs))
        if len(jobs) > 1 or lost or (full and self._database.release_reserve()):
            self._run_again(jobs, self._error_of(cause), lost=lost)
        else:
            for job in jobs:
                self._fail(job, self._error_of(cause))
        self._running = None

    def _run_again(self, jobs: list[Job], error: Exception, *, lost: bool) -> None:
        """Put units back to the front, each to run alone; give up one that breaks the connection again and again."""
        if lost and len(jobs) == 1:
            jobs[0].losses += 1
            if jobs[0].losses >= _LOSSES_ALONE:
                self._fail(jobs[0], error)
                return
        self.counters.repeated_units += len(jobs)
        self._alone += len(jobs)
        self._jobs.put_back(jobs)

    def _error_of(self, cause: BaseException | None) -> Exception:
        if isinstance(cause, exc.SQLAlchemyError):
            error = translated(self._database, cause)
            if isinstance(error, StoreFullError):
                self._trouble = error.title()
            return error
        return cause if isinstance(cause, Exception) else StoreUnavailableError(reason="the transaction ended")

    # --- a database that goes away ----------------------------------------------------------------------------------

    def _reconnect(self) -> None:
        connection = self._database.connect_writer()
        self._connection = connection
        try:
            with connection.begin():
                known = journal.read_meta(connection)
        except exc.SQLAlchemyError as error:
            self._disconnect()
            raise StoreUnavailableError(reason=reason_of(error)) from error
        if known.get(journal.META_EPOCH) != str(self.epoch):
            self._disconnect()
            raise StoreTakenOverError(place=self._database.place, holder="another gateway")
        self.counters.connections += 1
        self._trouble = ""
        log.info("store connected again", waiting=len(self._jobs))
        self._resolve_doubt(known[journal.META_LAST_GROUP])
        self._order = Order(int(known[journal.META_LAST_SEQ]))

    def _resolve_doubt(self, marker: str) -> None:
        group, self._doubt = self._doubt, None
        if group is None:
            return
        self.counters.doubts_resolved += 1
        if marker == group.marker:
            log.info("commit in doubt had taken effect", units=len(group.outcomes))
            self._accept(group)
        elif marker == self._last_marker:
            log.info("commit in doubt had not taken effect", units=len(group.outcomes))
            # Whoever was told "unknown" meanwhile must not find it done later.
            jobs = [outcome.job for outcome in group.outcomes if not outcome.job.told]
            self._run_again(jobs, StoreUnavailableError(reason="the connection broke during the commit"), lost=True)
        else:
            self._report_unknown(group, "the database is not the one that was written to")

    def _expire(self, error: StoreUnavailableError) -> None:
        """Fail what has waited long enough for the database to come back."""
        now = time.monotonic()
        for job in self._jobs.take_late(now):
            self._fail(job, another(error))
        if self._doubt is not None and any(outcome.job.deadline <= now for outcome in self._doubt.outcomes):
            self._report_unknown(self._doubt, error.fields.get("reason", error.title()))

    def _look(self) -> None:
        """Notice while idle that the connection is gone."""
        connection = self._connection
        if connection is None:
            return
        try:
            with connection.begin():
                connection.exec_driver_sql("SELECT 1")
        except exc.SQLAlchemyError as error:
            log.warning("store connection lost", reason=reason_of(error))
            self._trouble = reason_of(error)
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except exc.SQLAlchemyError as error:
                log.debug("closing a broken connection failed", reason=reason_of(error))

    # --- the end ----------------------------------------------------------------------------------------------------

    def _fail(self, job: Job, error: Exception) -> None:
        job.told = True
        self.counters.failed_units += 1
        self._deliver([Outcome(job, error=error)])

    def _report_unknown(self, group: Group, reason: str) -> None:
        for job in (outcome.job for outcome in group.outcomes if not outcome.job.told):
            self.counters.unknown_units += 1
            self._fail(job, StoreOutcomeUnknownError(what=job.name, reason=reason))

    def _end(self, reason: StoreError) -> None:
        for job in self._jobs.close(reason):
            self._fail(job, another(reason))
        for group in (self._doubt, self._running):
            if group is not None:
                self._report_unknown(group, reason.title())
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _settle(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None], error: Exception | None) -> None:
    def settle() -> None:
        if not future.done():
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    loop.call_soon_threadsafe(settle)
