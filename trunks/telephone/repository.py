"""Calls in the store, and how far CEL has been read."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import orm

from gateway.directory.contact import ContactRef
from gateway.store.types import UtcDateTime
from gateway.store.unit import Base, Unit
from trunks.telephone.calls import Call

_KNOWN_AGAIN = timedelta(days=1)
_CEL = "cel"


class CallRow(Base):
    """One call. ``recording`` follows from ``uniqueid``; ``contact`` is a snapshot."""

    __tablename__ = "tel_calls"

    id: orm.Mapped[str] = orm.mapped_column(sa.String(26), primary_key=True)
    direction: orm.Mapped[str] = orm.mapped_column(sa.String(3))
    line: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    uniqueid: orm.Mapped[str | None] = orm.mapped_column(sa.String(150), unique=True)
    linkedid: orm.Mapped[str] = orm.mapped_column(sa.String(150), unique=True)
    caller: orm.Mapped[str] = orm.mapped_column(sa.String(80))
    called: orm.Mapped[str] = orm.mapped_column(sa.String(80))
    contact: orm.Mapped[dict[str, Any] | None] = orm.mapped_column(sa.JSON(none_as_null=True))
    dialled_by: orm.Mapped[str] = orm.mapped_column(sa.String(100))
    incident: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    started_at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime, index=True)
    ringing_at: orm.Mapped[datetime | None] = orm.mapped_column(UtcDateTime)
    answered_at: orm.Mapped[datetime | None] = orm.mapped_column(UtcDateTime)
    phone: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    ended_at: orm.Mapped[datetime | None] = orm.mapped_column(UtcDateTime, index=True)
    cause: orm.Mapped[int | None]
    cause_text: orm.Mapped[str] = orm.mapped_column(sa.String(80))
    synthesised: orm.Mapped[bool]
    recovered: orm.Mapped[bool]
    causation: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    traceparent: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    revision: orm.Mapped[int]


class CelPositionRow(Base):
    """How far a reader of CEL has come; ``position`` is the reader's own JSON."""

    __tablename__ = "tel_cel_position"

    name: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    position: orm.Mapped[str] = orm.mapped_column(sa.String(200))


class CallRepository:
    """Reads and writes calls; without state of its own."""

    @staticmethod
    def put(unit: Unit, call: Call) -> bool:
        """Write *call*; False when this revision of it is written already, or another call has its legs.

        Then nothing is written, and nothing of it is to be told: a unit whose outcome was unknown is safely repeated.
        """
        connection, table = unit.connection, CallRow.__table__
        values = _row(call)
        written = connection.execute(sa.select(table.c.revision).where(table.c.id == call.id)).scalar()
        if written is not None:
            if written >= call.revision:
                return False
            connection.execute(sa.update(CallRow).where(CallRow.id == call.id).values(**values))
            return True
        same = [table.c.linkedid == call.linkedid]
        if call.uniqueid:
            same.append(table.c.uniqueid == call.uniqueid)
        if connection.execute(sa.select(table.c.id).where(sa.or_(*same))).first() is not None:
            return False
        connection.execute(sa.insert(CallRow), [values])
        return True

    @staticmethod
    def remembered(connection: sa.Connection) -> list[Call]:
        """Return the open calls and those of the last day of activity: what CEL may still speak of."""
        table = CallRow.__table__
        newest = connection.execute(sa.select(sa.func.max(table.c.started_at))).scalar()
        query = sa.select(table).order_by(table.c.started_at)
        if newest is not None:
            recent = table.c.started_at > newest - _KNOWN_AGAIN
            query = query.where(sa.or_(table.c.ended_at.is_(None), recent))
        return [_call(row) for row in connection.execute(query).mappings()]

    @staticmethod
    def latest(connection: sa.Connection, limit: int) -> list[Call]:
        """Return the newest calls, the newest first."""
        table = CallRow.__table__
        query = sa.select(table).order_by(table.c.started_at.desc()).limit(limit)
        return [_call(row) for row in connection.execute(query).mappings()]

    @staticmethod
    def cel_position(connection: sa.Connection) -> str | None:
        """Return how far CEL has been read."""
        query = sa.select(CelPositionRow.position).where(CelPositionRow.name == _CEL)
        return connection.execute(query).scalar()

    @staticmethod
    def put_cel_position(unit: Unit, position: str) -> None:
        """Write down how far CEL has been read."""
        where = CelPositionRow.name == _CEL
        if not unit.connection.execute(sa.update(CelPositionRow).where(where).values(position=position)).rowcount:
            unit.connection.execute(sa.insert(CelPositionRow), [{"name": _CEL, "position": position}])


def _row(call: Call) -> dict[str, Any]:
    values = {field.name: getattr(call, field.name) for field in fields(call)}
    values["uniqueid"] = call.uniqueid or None  # several calls may have no leg on the trunk yet
    values["contact"] = None if call.contact is None else msgspec.to_builtins(call.contact)
    values["caller"], values["called"] = call.caller[:80], call.called[:80]
    return values


def _call(row: Mapping[Any, Any]) -> Call:
    contact = row["contact"]
    values = {**row, "uniqueid": row["uniqueid"] or ""}
    values["contact"] = None if contact is None else msgspec.convert(contact, ContactRef)
    return Call(**values)
