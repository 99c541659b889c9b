"""What is kept: jobs, their recipients and segments, and what came in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.types import UtcDateTime
from gateway.store.unit import Base
from sms.rules import Segment, Trace


class SmsJobRow(Base):
    """A text to one or more recipients. ``request`` is who asked and the command's id, so that it is made once."""

    __tablename__ = "sms_job"

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True)
    request: Mapped[str | None] = mapped_column(sa.String(200), unique=True)
    text: Mapped[str] = mapped_column(sa.Text)
    message_class: Mapped[int | None] = mapped_column(sa.Integer)
    priority: Mapped[int] = mapped_column(sa.Integer)
    concatenation: Mapped[int] = mapped_column(sa.Integer)
    segments: Mapped[int] = mapped_column(sa.Integer)
    report: Mapped[bool] = mapped_column(sa.Boolean)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    made_by: Mapped[str] = mapped_column(sa.String(128))
    not_after: Mapped[datetime] = mapped_column(UtcDateTime)
    incident: Mapped[str | None] = mapped_column(sa.String(26))


class SmsRecipientRow(Base):
    """One recipient of a job."""

    __tablename__ = "sms_recipient"

    job_id: Mapped[str] = mapped_column(sa.ForeignKey(SmsJobRow.id), primary_key=True)
    place: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    number: Mapped[str] = mapped_column(sa.String(24), index=True)
    state: Mapped[str] = mapped_column(sa.String(16))
    cause: Mapped[str] = mapped_column(sa.String(32))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SmsSegmentRow(Base):
    """One segment to one recipient. ``sim`` and ``reference`` are what a report is matched by."""

    __tablename__ = "sms_segment"

    job_id: Mapped[str] = mapped_column(sa.String(26), primary_key=True)
    place: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    segment: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(sa.String(16))
    priority: Mapped[int] = mapped_column(sa.Integer)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    not_after: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(sa.Integer)
    modem: Mapped[str] = mapped_column(sa.String(32))
    sim: Mapped[str] = mapped_column(sa.String(16))
    reference: Mapped[int | None] = mapped_column(sa.Integer)
    handed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status: Mapped[int | None] = mapped_column(sa.Integer)

    __table_args__ = (
        sa.ForeignKeyConstraint(["job_id", "place"], [SmsRecipientRow.job_id, SmsRecipientRow.place]),
        sa.Index(None, "state", "priority", "job_id", "place", "segment"),
        sa.Index(None, "sim", "handed_at"),
    )


class SmsPartRow(Base):
    """A segment that came in and waits for the others of its message. ``digest`` tells one that comes again."""

    __tablename__ = "sms_part"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    modem: Mapped[str] = mapped_column(sa.String(32))
    sim: Mapped[str] = mapped_column(sa.String(16))
    sender: Mapped[str] = mapped_column(sa.String(24))
    reference: Mapped[int] = mapped_column(sa.Integer)
    wide: Mapped[bool] = mapped_column(sa.Boolean)
    total: Mapped[int] = mapped_column(sa.Integer)
    number: Mapped[int] = mapped_column(sa.Integer)
    raw: Mapped[str] = mapped_column(sa.String(400))
    arrived_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    message_id: Mapped[str | None] = mapped_column(sa.String(26))


class SmsInboundRow(Base):
    """A message that came in, whole or with gaps."""

    __tablename__ = "sms_inbound"

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True)
    modem: Mapped[str] = mapped_column(sa.String(32))
    sender: Mapped[str] = mapped_column(sa.String(24), index=True)
    text: Mapped[str] = mapped_column(sa.Text)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    arrived_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    missing: Mapped[int] = mapped_column(sa.Integer)
    reply_to: Mapped[str | None] = mapped_column(sa.String(26))


_KEY = (SmsSegmentRow.job_id, SmsSegmentRow.place, SmsSegmentRow.segment)


def of_request(connection: sa.Connection, request: str) -> sa.RowMapping | None:
    """Return the job that a request has made already."""
    query = sa.select(SmsJobRow.__table__).where(SmsJobRow.request == request)
    return connection.execute(query).mappings().one_or_none()


def insert_job(connection: sa.Connection, job: dict[str, Any], numbers: Sequence[str]) -> None:
    """Keep a job with everything to be sent for it."""
    connection.execute(sa.insert(SmsJobRow).values(**job))
    now = job["made_at"]
    connection.execute(
        sa.insert(SmsRecipientRow),
        [
            {"job_id": job["id"], "place": place, "number": number, "state": Segment.QUEUED.value, "cause": "",
             "changed_at": now}
            for place, number in enumerate(numbers)
        ],
    )  # fmt: skip
    blank = {"state": Segment.QUEUED.value, "priority": job["priority"], "due_at": now, "not_after": job["not_after"],
             "attempts": 0, "modem": "", "sim": "", "reference": None, "handed_at": None, "taken_at": None,
             "status": None}  # fmt: skip
    connection.execute(
        sa.insert(SmsSegmentRow),
        [
            {"job_id": job["id"], "place": place, "segment": segment, **blank}
            for place in range(len(numbers))
            for segment in range(1, job["segments"] + 1)
        ],
    )


def next_due(connection: sa.Connection, now: datetime) -> sa.RowMapping | None:
    """Return the segment to send next, with its job's text and its recipient's number."""
    job, segment, to = SmsJobRow, SmsSegmentRow, SmsRecipientRow
    of_job = (job.text, job.message_class, job.concatenation, job.report, job.segments)
    query = (
        sa.select(segment.__table__, *of_job, to.number)
        .join(job, job.id == segment.job_id)
        .join(to, (to.job_id == segment.job_id) & (to.place == segment.place))
        .where(segment.state == Segment.QUEUED.value, segment.due_at <= now, segment.not_after > now)
        .order_by(segment.priority, segment.job_id, segment.place, segment.segment)
        .limit(1)
    )
    return connection.execute(query).mappings().one_or_none()


def look_again_at(connection: sa.Connection, now: datetime) -> datetime | None:
    """Return when a queued segment next becomes due or lapses."""
    queued = SmsSegmentRow.state == Segment.QUEUED.value
    found = [
        connection.execute(sa.select(sa.func.min(column, type_=UtcDateTime)).where(queued, column > now)).scalar()
        for column in (SmsSegmentRow.due_at, SmsSegmentRow.not_after)
    ]
    return min((when for when in found if when is not None), default=None)


def in_state(connection: sa.Connection, state: Segment, *, lapsed_at: datetime | None = None) -> list[sa.RowMapping]:
    """Return the keys of segments in a state; with *lapsed_at* those only whose time is over."""
    query = sa.select(*_KEY).where(SmsSegmentRow.state == state.value)
    if lapsed_at is not None:
        query = query.where(SmsSegmentRow.not_after <= lapsed_at)
    return list(connection.execute(query).mappings())


def queued_of(connection: sa.Connection, job: str, place: int | None = None) -> list[sa.RowMapping]:
    """Return the keys of a job's segments that no modem has seen."""
    query = sa.select(*_KEY).where(SmsSegmentRow.job_id == job, SmsSegmentRow.state == Segment.QUEUED.value)
    if place is not None:
        query = query.where(SmsSegmentRow.place == place)
    return list(connection.execute(query).mappings())


def get_segment(connection: sa.Connection, job: str, place: int, segment: int) -> sa.RowMapping:
    """Return one segment."""
    query = sa.select(SmsSegmentRow.__table__).where(
        SmsSegmentRow.job_id == job, SmsSegmentRow.place == place, SmsSegmentRow.segment == segment
    )
    return connection.execute(query).mappings().one()


def update_segment(connection: sa.Connection, job: str, place: int, segment: int, **values: Any) -> None:
    """Change one segment."""
    connection.execute(
        sa.update(SmsSegmentRow)
        .where(SmsSegmentRow.job_id == job, SmsSegmentRow.place == place, SmsSegmentRow.segment == segment)
        .values(**values)
    )


def states_of(connection: sa.Connection, job: str, place: int) -> list[Segment]:
    """Return the states of a recipient's segments."""
    query = sa.select(SmsSegmentRow.state).where(SmsSegmentRow.job_id == job, SmsSegmentRow.place == place)
    return [Segment(state) for (state,) in connection.execute(query)]


def recipient(connection: sa.Connection, job: str, place: int) -> sa.RowMapping:
    """Return one recipient."""
    query = sa.select(SmsRecipientRow.__table__).where(SmsRecipientRow.job_id == job, SmsRecipientRow.place == place)
    return connection.execute(query).mappings().one()


def recipients(connection: sa.Connection, job: str) -> list[sa.RowMapping]:
    """Return a job's recipients in order."""
    query = sa.select(SmsRecipientRow.__table__).where(SmsRecipientRow.job_id == job).order_by(SmsRecipientRow.place)
    return list(connection.execute(query).mappings())


def update_recipient(connection: sa.Connection, job: str, place: int, **values: Any) -> None:
    """Change one recipient."""
    connection.execute(
        sa.update(SmsRecipientRow).where(SmsRecipientRow.job_id == job, SmsRecipientRow.place == place).values(**values)
    )


def traces(connection: sa.Connection, sim: str, since: datetime) -> list[Trace]:
    """Return what was handed to a SIM since then, that a report may be about."""
    segment, to = SmsSegmentRow, SmsRecipientRow
    query = (
        sa.select(*_KEY, to.number, segment.reference, segment.handed_at, segment.taken_at, segment.state)
        .join(to, (to.job_id == segment.job_id) & (to.place == segment.place))
        .where(
            segment.sim == sim,
            segment.handed_at >= since,
            segment.state.not_in((Segment.QUEUED.value, Segment.SENDING.value)),
        )
    )
    open_states = (Segment.SENT.value, Segment.UNKNOWN.value)
    return [
        Trace(row.job_id, row.place, row.segment, row.number, row.reference, row.handed_at, row.taken_at,
              told=row.state not in open_states)
        for row in connection.execute(query)
        if row.handed_at is not None
    ]  # fmt: skip


def last_job_to(connection: sa.Connection, numbers: Sequence[str]) -> str | None:
    """Return the job that was last made for one of these spellings of a number."""
    query = (
        sa.select(SmsRecipientRow.job_id)
        .where(SmsRecipientRow.number.in_(numbers))
        .order_by(SmsRecipientRow.job_id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()
