"""One group of units in one transaction: what a unit may do, and how events get their place in the order.

A unit that fails is rolled back to its savepoint and leaves nothing behind, no number either: the numbers are given
after it has succeeded. All rows of the journal go in together just before the commit, together with a marker by which
the writer can tell later whether this very group was committed.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import exc

from gateway.core.causation import attributed
from gateway.core.events import Happening, parse_type, seal
from gateway.core.ids import is_level
from gateway.store import journal
from gateway.store.engine import Database, translated
from gateway.store.failure import Failure
from gateway.store.jobs import Job
from gateway.store.unit import StoredEvent

_REMEMBERED_AGGREGATES = 4096
_INSERT = sa.insert(journal.JournalRow)


@dataclass(slots=True)
class Outcome:
    """What became of a job: its result or its error, and what has to be told once it is durable."""

    job: Job
    result: Any = None
    error: Exception | None = None
    events: list[StoredEvent] = field(default_factory=list)
    callbacks: list[Callable[[], None]] = field(default_factory=list)


class GroupBrokenError(Exception):
    """The transaction is gone with all units of the group; ``__cause__`` tells why. Never leaves the store."""


class UnitOfWork:
    """The unit as its work sees it (see :class:`gateway.store.unit.Unit`)."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self.happenings: list[Happening] = []
        self.callbacks: list[Callable[[], None]] = []

    @property
    def connection(self) -> sa.Connection:
        """The writer's connection, inside the transaction."""
        return self._connection

    @property
    def now(self) -> datetime:
        """The time of this unit, UTC."""
        return self._now

    def emit(self, happening: Happening) -> None:
        """Tell an event; raise ``ValueError`` when it cannot be put on the bus as it is."""
        parse_type(happening.event.TYPE)
        if not is_level(happening.resource):
            raise ValueError(f"not a topic level: {happening.resource!r}")
        if not happening.aggregate:
            raise ValueError("an event without an aggregate")
        if happening.time is not None and happening.time.tzinfo is None:
            raise ValueError(f"a time without a zone: {happening.time!r}")
        self.happenings.append(attributed(happening))

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call *callback* on the event loop once the unit is durable."""
        self.callbacks.append(callback)


class Order:
    """The place of the next event: the last number given, and the counts of the aggregates that are alive."""

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq
        self._aggseqs: OrderedDict[str, int] = OrderedDict()

    def last_aggseq(self, connection: sa.Connection, aggregate: str) -> int:
        """Return the committed count of *aggregate*, from memory or from the journal."""
        known = self._aggseqs.get(aggregate)
        return journal.last_aggseq(connection, aggregate) if known is None else known

    def accept(self, last_seq: int, aggseqs: dict[str, int]) -> None:
        """Remember what a committed group has used."""
        self.last_seq = last_seq
        for aggregate, aggseq in aggseqs.items():
            self._aggseqs[aggregate] = aggseq
            self._aggseqs.move_to_end(aggregate)
        while len(self._aggseqs) > _REMEMBERED_AGGREGATES:
            self._aggseqs.popitem(last=False)


class Group:
    """The units that share one transaction. Used on the writer thread only."""

    def __init__(
        self,
        database: Database,
        connection: sa.Connection,
        order: Order,
        *,
        site: str,
        epoch: int,
        number: int,
        shed: Collection[str],
    ) -> None:
        self.outcomes: list[Outcome] = []
        self.marker = f"{epoch}.{number}"
        self.shed_count = 0
        self._database = database
        self._connection = connection
        self._order = order
        self._site = site
        self._epoch = epoch
        self._shed = shed
        self._last_seq = order.last_seq
        self._aggseqs: dict[str, int] = {}
        self._rows: list[dict[str, Any]] = []

    @property
    def events(self) -> int:
        """How many events are told by this group."""
        return len(self._rows)

    def run(self, job: Job, now: datetime) -> None:
        """Run one unit within a savepoint; raise ``GroupBrokenError`` when it took the whole transaction with it."""
        unit = UnitOfWork(self._connection, now)
        outcome = Outcome(job, callbacks=unit.callbacks)
        self.outcomes.append(outcome)
        self._execute("SAVEPOINT unit")
        try:
            with self._database.deadline(self._connection):
                outcome.result = job.context.run(job.work, unit)
                rows, aggseqs, events = self._seal(unit)
        except Exception as error:  # noqa: BLE001  # whatever the work raises is its caller's, and is raised there
            self._undo(error)
            outcome.error = translated(self._database, error) if isinstance(error, exc.SQLAlchemyError) else error
            outcome.callbacks = []
            return
        self._execute("RELEASE SAVEPOINT unit")
        outcome.events = events
        self._last_seq += len(rows)
        self._aggseqs |= aggseqs
        self._rows += rows

    def write_journal(self) -> None:
        """Insert the rows of all units, and the marker of this group."""
        try:
            if self._rows:
                self._connection.execute(_INSERT, self._rows)
            values = {journal.META_LAST_SEQ: str(self._last_seq), journal.META_LAST_GROUP: self.marker}
            journal.set_meta(self._connection, values)
        except exc.SQLAlchemyError as error:
            raise GroupBrokenError from error

    def accept(self) -> None:
        """Remember the numbers used: the group is committed."""
        self._order.accept(self._last_seq, self._aggseqs)

    def _seal(self, unit: UnitOfWork) -> tuple[list[dict[str, Any]], dict[str, int], list[StoredEvent]]:
        rows: list[dict[str, Any]] = []
        aggseqs: dict[str, int] = {}
        events: list[StoredEvent] = []
        for happening in unit.happenings:
            event_type = happening.event.TYPE
            if event_type in self._shed:
                self.shed_count += 1
                continue
            aggregate = happening.aggregate
            before = aggseqs.get(aggregate, self._aggseqs.get(aggregate))
            if before is None:
                before = self._order.last_aggseq(self._connection, aggregate)
            seq = self._last_seq + len(rows) + 1
            aggseqs[aggregate] = before + 1
            envelope = seal(
                happening, site=self._site, epoch=self._epoch, seq=seq, aggseq=aggseqs[aggregate], now=unit.now
            )
            payload = msgspec.json.encode(envelope)
            domain, name, _ = parse_type(event_type)
            rows.append(
                {
                    "seq": seq,
                    "epoch": self._epoch,
                    "domain": domain,
                    "resource": happening.resource,
                    "name": name,
                    "type": event_type,
                    "aggregate": aggregate,
                    "aggseq": aggseqs[aggregate],
                    "time": envelope.time,
                    "recorded_at": unit.now,
                    "incident": happening.incident,
                    "payload": payload,
                }
            )
            events.append(StoredEvent(seq, domain, happening.resource, name, payload))
        return rows, aggseqs, events

    def _execute(self, statement: str) -> None:
        try:
            self._connection.exec_driver_sql(statement)
        except exc.SQLAlchemyError as error:
            raise GroupBrokenError from error

    def _undo(self, error: Exception) -> None:
        if isinstance(error, exc.SQLAlchemyError) and self._database.failure_of(error) in {Failure.LOST, Failure.FULL}:
            raise GroupBrokenError from error
        try:
            self._connection.exec_driver_sql("ROLLBACK TO SAVEPOINT unit")
            self._connection.exec_driver_sql("RELEASE SAVEPOINT unit")
        except exc.SQLAlchemyError:
            # The transaction went with the unit: what the unit met is the reason, not the missing savepoint.
            raise GroupBrokenError from error
