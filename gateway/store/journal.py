"""The journal of everything told: its tables, and what is asked of them.

Rows are written by :mod:`gateway.store.group` in the transaction of the state that they tell of. They are at the same
time the outbox (rows above the relay's position are not published yet) and the journal that is replayed; pruning takes
old rows away from the front only, so that what is kept never has a gap.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm

from gateway.core.errors import NotFoundError
from gateway.store.types import BIG_KEY, UtcDateTime
from gateway.store.unit import Base, StoredEvent

PRUNE_BATCH = 500


class JournalRow(Base):
    """One event. ``time`` is when it happened, ``recorded_at`` when it was written down."""

    __tablename__ = "journal"

    seq: orm.Mapped[int] = orm.mapped_column(BIG_KEY, primary_key=True, autoincrement=False)
    epoch: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)
    domain: orm.Mapped[str] = orm.mapped_column(sa.String(16))
    resource: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    name: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    type: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    aggregate: orm.Mapped[str] = orm.mapped_column(sa.Text)
    aggseq: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)
    time: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)
    recorded_at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)
    incident: orm.Mapped[str | None] = orm.mapped_column(sa.Text)
    payload: orm.Mapped[bytes] = orm.mapped_column(sa.LargeBinary)

    __table_args__ = (
        sa.Index(None, "aggregate", "aggseq", unique=True),
        sa.Index(None, "type", "time"),
        sa.Index(
            None,
            "incident",
            "seq",
            sqlite_where=sa.text("incident IS NOT NULL"),
            postgresql_where=sa.text("incident IS NOT NULL"),
        ),
    )


class AggregateMark(Base):
    """Where an aggregate's count stood when its last row was pruned, so that it goes on from there."""

    __tablename__ = "aggregate_mark"

    aggregate: orm.Mapped[str] = orm.mapped_column(sa.Text, primary_key=True)
    aggseq: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)


class Quarantined(Base):
    """An event that the broker refuses for what it is; it does not hold up those behind it."""

    __tablename__ = "quarantine"

    seq: orm.Mapped[int] = orm.mapped_column(BIG_KEY, primary_key=True, autoincrement=False)
    reason_code: orm.Mapped[int] = orm.mapped_column(sa.Integer)
    at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)
    payload: orm.Mapped[bytes] = orm.mapped_column(sa.LargeBinary)


class Meta(Base):
    """What the store knows of itself, one value a key (see the ``META_…`` names)."""

    __tablename__ = "meta"

    key: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    value: orm.Mapped[str] = orm.mapped_column(sa.Text)


META_SITE = "site"
META_EPOCH = "epoch"
META_LAST_SEQ = "last_seq"
META_LAST_GROUP = "last_group"
META_RELAY_POSITION = "relay_position"

_EVENT = (JournalRow.seq, JournalRow.domain, JournalRow.resource, JournalRow.name, JournalRow.payload)
_SET_META = (
    sa.update(Meta).where(Meta.key == sa.bindparam("of_key")).values(value=sa.bindparam("new_value", type_=sa.Text))
)


def read_meta(connection: sa.Connection) -> dict[str, str]:
    """Return every key with its value."""
    return dict(connection.execute(sa.select(Meta.key, Meta.value)).all())


def set_meta(connection: sa.Connection, values: dict[str, str]) -> None:
    """Change values whose keys exist."""
    connection.execute(_SET_META, [{"of_key": key, "new_value": value} for key, value in values.items()])


def last_aggseq(connection: sa.Connection, aggregate: str) -> int:
    """Return how many events *aggregate* has had; 0 when it is new."""
    newest = sa.select(sa.func.max(JournalRow.aggseq)).where(JournalRow.aggregate == aggregate).scalar_subquery()
    mark = sa.select(AggregateMark.aggseq).where(AggregateMark.aggregate == aggregate).scalar_subquery()
    return int(connection.execute(sa.select(sa.func.coalesce(newest, mark, 0))).scalar_one())


# --- what subscribers and the console ask ---------------------------------------------------------------------------


def after(connection: sa.Connection, seq: int, limit: int) -> list[StoredEvent]:
    """Return the events above *seq*, in order."""
    return _events(connection, sa.select(*_EVENT).where(JournalRow.seq > seq).order_by(JournalRow.seq).limit(limit))


def at(connection: sa.Connection, seq: int) -> StoredEvent | None:
    """Return one event."""
    found = _events(connection, sa.select(*_EVENT).where(JournalRow.seq == seq))
    return found[0] if found else None


def of_aggregate(connection: sa.Connection, aggregate: str, *, after_aggseq: int, limit: int) -> list[StoredEvent]:
    """Return the events of one call, message or group, in order."""
    chosen = sa.and_(JournalRow.aggregate == aggregate, JournalRow.aggseq > after_aggseq)
    return _events(connection, sa.select(*_EVENT).where(chosen).order_by(JournalRow.aggseq).limit(limit))


def of_incident(connection: sa.Connection, incident: str, *, after_seq: int, limit: int) -> list[StoredEvent]:
    """Return the events that belong to one incident, in order."""
    chosen = sa.and_(JournalRow.incident == incident, JournalRow.seq > after_seq)
    return _events(connection, sa.select(*_EVENT).where(chosen).order_by(JournalRow.seq).limit(limit))


def of_type(
    connection: sa.Connection, event_type: str, *, start: datetime, end: datetime, limit: int
) -> list[StoredEvent]:
    """Return the events of one type that happened from *start* up to *end* (excluded), by time."""
    chosen = sa.and_(JournalRow.type == event_type, JournalRow.time >= start, JournalRow.time < end)
    order = (JournalRow.time, JournalRow.seq)
    return _events(connection, sa.select(*_EVENT).where(chosen).order_by(*order).limit(limit))


def oldest(connection: sa.Connection) -> int:
    """Return the first sequence number that can still be replayed; 0 when nothing was ever told."""
    return connection.execute(sa.select(sa.func.min(JournalRow.seq))).scalar_one() or 0


def _events(connection: sa.Connection, query: sa.Select[int, str, str, str, bytes]) -> list[StoredEvent]:
    return [
        StoredEvent(seq, domain, resource, name, payload)
        for seq, domain, resource, name, payload in connection.execute(query)
    ]


# --- what the relay asks --------------------------------------------------------------------------------------------


def relay_position(connection: sa.Connection) -> int:
    """Return the number up to which everything is published or quarantined."""
    return int(connection.execute(sa.select(Meta.value).where(Meta.key == META_RELAY_POSITION)).scalar_one())


def unsent(connection: sa.Connection, limit: int) -> list[StoredEvent]:
    """Return the first events that are neither published nor quarantined, in order."""
    return _events(
        connection,
        sa.select(*_EVENT)
        .outerjoin(Quarantined, Quarantined.seq == JournalRow.seq)
        .where(JournalRow.seq > relay_position(connection), Quarantined.seq.is_(None))
        .order_by(JournalRow.seq)
        .limit(limit),
    )


def advance(connection: sa.Connection, seq: int) -> None:
    """Write down that everything up to *seq* is published or quarantined; the position never steps back."""
    newest = connection.execute(sa.select(sa.func.max(JournalRow.seq))).scalar_one() or 0
    if seq > newest:
        raise ValueError(f"the relay cannot have published {seq}: the newest event is {newest}")
    if seq > relay_position(connection):
        set_meta(connection, {META_RELAY_POSITION: str(seq)})


def quarantine(connection: sa.Connection, seq: int, reason_code: int, now: datetime) -> None:
    """Set one event aside with the broker's reason code; a second time changes nothing."""
    payload = connection.execute(sa.select(JournalRow.payload).where(JournalRow.seq == seq)).scalar_one_or_none()
    if payload is None:
        raise NotFoundError(what="event", name=seq)
    if connection.execute(sa.select(Quarantined.seq).where(Quarantined.seq == seq)).scalar_one_or_none() is None:
        row = {"seq": seq, "reason_code": reason_code, "at": now, "payload": payload}
        connection.execute(sa.insert(Quarantined), row)


def quarantined(connection: sa.Connection, after: int, limit: int) -> list[tuple[StoredEvent, int]]:
    """Return events that are set aside above *after*, in order, each with the broker's reason code."""
    rows = connection.execute(
        sa.select(*_EVENT, Quarantined.reason_code)
        .join(Quarantined, Quarantined.seq == JournalRow.seq)
        .where(Quarantined.seq > after)
        .order_by(Quarantined.seq)
        .limit(limit)
    )
    return [(StoredEvent(*row[:-1]), row[-1]) for row in rows]


def release(connection: sa.Connection, seq: int) -> None:
    """Write down that an event that was set aside has been published after all."""
    connection.execute(sa.delete(Quarantined).where(Quarantined.seq == seq))


# --- what time asks -------------------------------------------------------------------------------------------------


def prune(connection: sa.Connection, before: datetime, limit: int = PRUNE_BATCH) -> int:
    """Delete up to *limit* of the oldest rows that were recorded before *before*; return how many.

    Rows that are not sent yet, those set aside and the newest row stay, whatever their age.
    """
    newest = sa.select(sa.func.max(JournalRow.seq)).scalar_subquery()
    rows = connection.execute(
        sa.select(JournalRow.seq, JournalRow.recorded_at, JournalRow.aggregate, JournalRow.aggseq)
        .where(
            JournalRow.seq <= relay_position(connection),
            JournalRow.seq < newest,
            JournalRow.seq.not_in(sa.select(Quarantined.seq)),
        )
        .order_by(JournalRow.seq)
        .limit(limit)
    )
    marks: dict[str, int] = {}
    last = count = 0
    for seq, recorded_at, aggregate, aggseq in rows.all():
        if recorded_at >= before:
            break
        last, count = seq, count + 1
        marks[aggregate] = aggseq
    connection.execute(sa.delete(Quarantined).where(Quarantined.seq <= last, Quarantined.at < before))
    if count:
        connection.execute(sa.delete(JournalRow).where(JournalRow.seq <= last))
        _mark(connection, marks)
    return count


def _mark(connection: sa.Connection, marks: dict[str, int]) -> None:
    alive = set(
        connection.execute(sa.select(JournalRow.aggregate).where(JournalRow.aggregate.in_(marks)).distinct()).scalars()
    )
    gone: Sequence[dict[str, str | int]] = [
        {"aggregate": aggregate, "aggseq": aggseq} for aggregate, aggseq in marks.items() if aggregate not in alive
    ]
    if gone:
        connection.execute(
            sa.delete(AggregateMark).where(AggregateMark.aggregate.in_([row["aggregate"] for row in gone]))
        )
        connection.execute(sa.insert(AggregateMark), gone)
