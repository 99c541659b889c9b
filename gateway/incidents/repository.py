"""What is kept of incidents."""

from datetime import datetime

import sqlalchemy as sa
from msgspec.structs import asdict
from sqlalchemy.orm import Mapped, mapped_column

from gateway.core.events import Message
from gateway.store.journal import JournalRow
from gateway.store.types import UtcDateTime
from gateway.store.unit import Base, StoredEvent


class Incident(Base):
    """One incident."""

    __tablename__ = "incident"

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True)
    number: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    title: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.String(64))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    opened_by: Mapped[str] = mapped_column(sa.String(128))
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_by: Mapped[str | None] = mapped_column(sa.String(128))


class IncidentLink(Base):
    """Which incident an aggregate belongs to: one at most, the latest said."""

    __tablename__ = "incident_link"

    aggregate: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    incident_id: Mapped[str] = mapped_column(sa.ForeignKey(Incident.id), index=True)
    linked_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    linked_by: Mapped[str] = mapped_column(sa.String(128))


class IncidentNote(Base):
    """What somebody wrote on an incident; never changed."""

    __tablename__ = "incident_note"

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True)
    incident_id: Mapped[str] = mapped_column(sa.ForeignKey(Incident.id), index=True)
    written_at: Mapped[datetime] = mapped_column(UtcDateTime)
    written_by: Mapped[str] = mapped_column(sa.String(128))
    text: Mapped[str] = mapped_column(sa.Text)


class IncidentRecord(Message, frozen=True, kw_only=True):
    """One incident, as others see it."""

    id: str
    number: str | None
    title: str
    kind: str
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    closed_by: str | None


class LinkRecord(Message, frozen=True, kw_only=True):
    """One link of an incident."""

    aggregate: str
    incident_id: str
    linked_at: datetime
    linked_by: str


class NoteRecord(Message, frozen=True, kw_only=True):
    """One note of an incident."""

    id: str
    incident_id: str
    written_at: datetime
    written_by: str
    text: str


_INCIDENT = sa.select(*Incident.__table__.columns)
_LINK = sa.select(*IncidentLink.__table__.columns)
_NOTE = sa.select(*IncidentNote.__table__.columns)


def find(connection: sa.Connection, incident: str) -> IncidentRecord | None:
    """Return one incident."""
    row = connection.execute(_INCIDENT.where(Incident.id == incident)).mappings().one_or_none()
    return None if row is None else IncidentRecord(**row)


def find_number(connection: sa.Connection, number: str) -> IncidentRecord | None:
    """Return the incident with an outside number."""
    row = connection.execute(_INCIDENT.where(Incident.number == number)).mappings().one_or_none()
    return None if row is None else IncidentRecord(**row)


def page(connection: sa.Connection, *, only_open: bool, before: datetime | None, limit: int) -> list[IncidentRecord]:
    """Return incidents, the latest opened first."""
    query = _INCIDENT.order_by(Incident.opened_at.desc(), Incident.id.desc()).limit(limit)
    if only_open:
        query = query.where(Incident.closed_at.is_(None))
    if before is not None:
        query = query.where(Incident.opened_at < before)
    return [IncidentRecord(**row) for row in connection.execute(query).mappings()]


def insert(connection: sa.Connection, record: IncidentRecord) -> None:
    """Keep a new incident."""
    connection.execute(sa.insert(Incident).values(asdict(record)))


def close(connection: sa.Connection, incident: str, *, at: datetime, by: str) -> None:
    """Mark an incident as closed."""
    connection.execute(sa.update(Incident).where(Incident.id == incident).values(closed_at=at, closed_by=by))


def link_of(connection: sa.Connection, aggregate: str) -> str | None:
    """Return the incident that an aggregate belongs to."""
    return connection.scalar(sa.select(IncidentLink.incident_id).where(IncidentLink.aggregate == aggregate))


def put_link(connection: sa.Connection, record: LinkRecord) -> None:
    """Tie an aggregate to an incident, in place of the one before."""
    connection.execute(sa.delete(IncidentLink).where(IncidentLink.aggregate == record.aggregate))
    connection.execute(sa.insert(IncidentLink).values(asdict(record)))


def links(connection: sa.Connection, incident: str) -> list[LinkRecord]:
    """Return what belongs to an incident, oldest link first."""
    query = _LINK.where(IncidentLink.incident_id == incident).order_by(IncidentLink.linked_at, IncidentLink.aggregate)
    return [LinkRecord(**row) for row in connection.execute(query).mappings()]


def latest_links(connection: sa.Connection, limit: int) -> list[LinkRecord]:
    """Return the latest links of all incidents, oldest first."""
    query = _LINK.order_by(IncidentLink.linked_at.desc(), IncidentLink.aggregate).limit(limit)
    return [LinkRecord(**row) for row in reversed(connection.execute(query).mappings().all())]


def insert_note(connection: sa.Connection, record: NoteRecord) -> None:
    """Keep a note."""
    connection.execute(sa.insert(IncidentNote).values(asdict(record)))


def notes(connection: sa.Connection, incident: str) -> list[NoteRecord]:
    """Return the notes of an incident, oldest first."""
    query = _NOTE.where(IncidentNote.incident_id == incident).order_by(IncidentNote.written_at, IncidentNote.id)
    return [NoteRecord(**row) for row in connection.execute(query).mappings()]


def timeline(connection: sa.Connection, incident: str, *, after: int, limit: int) -> list[StoredEvent]:
    """Return what the journal still holds of an incident: events that carry it, and those of whatever is tied to it.

    In the order of their numbers, above *after*. Two queries made one, so that each goes by its index.
    """
    columns = (JournalRow.seq, JournalRow.domain, JournalRow.resource, JournalRow.name, JournalRow.payload)
    tied = sa.select(IncidentLink.aggregate).where(IncidentLink.incident_id == incident)
    carried = sa.select(*columns).where(JournalRow.incident == incident, JournalRow.seq > after)
    linked = sa.select(*columns).where(
        JournalRow.aggregate.in_(tied),
        JournalRow.seq > after,
        sa.or_(JournalRow.incident.is_(None), JournalRow.incident != incident),
    )
    query = sa.union_all(carried, linked).order_by("seq").limit(limit)
    return [StoredEvent(**row) for row in connection.execute(query).mappings()]
