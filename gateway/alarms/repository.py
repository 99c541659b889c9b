"""What is kept of alarms: the ones on the board, and history."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec.structs import asdict
from sqlalchemy.orm import Mapped, mapped_column

from gateway.alarms.rules import Alarm, AlarmState
from gateway.store.types import UtcDateTime
from gateway.store.unit import Base


class AlarmRow(Base):
    """One alarm, from its raising to history."""

    __tablename__ = "alarm"

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(128), index=True)
    severity: Mapped[int] = mapped_column(sa.SmallInteger)
    source: Mapped[str] = mapped_column(sa.String(32))
    text_en: Mapped[str] = mapped_column(sa.Text)
    text_zh: Mapped[str] = mapped_column(sa.Text)
    urgent: Mapped[bool] = mapped_column(sa.Boolean)
    incident: Mapped[str | None] = mapped_column(sa.String(26))
    state: Mapped[str] = mapped_column(sa.String(16), index=True)
    count: Mapped[int] = mapped_column(sa.BigInteger)
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cleared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_by: Mapped[str | None] = mapped_column(sa.String(128))
    note: Mapped[str] = mapped_column(sa.Text)
    waiting_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    step: Mapped[int] = mapped_column(sa.Integer)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ring_step: Mapped[int | None] = mapped_column(sa.Integer)
    rings: Mapped[int] = mapped_column(sa.Integer)
    ring_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    shelved_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    shelved_by: Mapped[str | None] = mapped_column(sa.String(128))
    shelved_why: Mapped[str] = mapped_column(sa.Text)
    flapping: Mapped[bool] = mapped_column(sa.Boolean)
    quiet_since: Mapped[datetime | None] = mapped_column(UtcDateTime)


_ALL = sa.select(*AlarmRow.__table__.columns)


def put(connection: sa.Connection, alarms: Iterable[Alarm]) -> None:
    """Keep alarms as they are now."""
    for alarm in alarms:
        values = {**asdict(alarm), "state": alarm.state.value}
        if connection.execute(sa.update(AlarmRow).where(AlarmRow.id == alarm.id).values(values)).rowcount == 0:
            connection.execute(sa.insert(AlarmRow).values(values))


def find(connection: sa.Connection, alarm: str) -> Alarm | None:
    """Return one alarm as it is kept."""
    row = connection.execute(_ALL.where(AlarmRow.id == alarm)).mappings().one_or_none()
    return None if row is None else _alarm(row)


def active(connection: sa.Connection) -> list[Alarm]:
    """Return every alarm that is not over, oldest first."""
    query = _ALL.where(AlarmRow.state != AlarmState.OVER.value).order_by(AlarmRow.raised_at, AlarmRow.id)
    return [_alarm(row) for row in connection.execute(query).mappings()]


def history(connection: sa.Connection, *, before: datetime | None, source: str | None, limit: int) -> list[Alarm]:
    """Return alarms, those on the board included, the latest raised first."""
    query = _ALL.order_by(AlarmRow.raised_at.desc(), AlarmRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AlarmRow.raised_at < before)
    if source is not None:
        query = query.where(AlarmRow.source == source)
    return [_alarm(row) for row in connection.execute(query).mappings()]


def _alarm(row: Mapping[Any, Any]) -> Alarm:
    values = {str(name): value for name, value in row.items()}
    return Alarm(**{**values, "state": AlarmState(values["state"])})
