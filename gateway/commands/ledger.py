"""The ledger: one row for each command, written before anybody is told that it was taken.

A body is kept only while the command is not finished (a restart needs it); a result as long as the row.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import orm

from gateway.commands.answers import Answer, AnswerNote, CommandState, Reply, Source
from gateway.store.types import UtcDateTime
from gateway.store.unit import Base

_OPEN = (CommandState.ACCEPTED.value, CommandState.IN_PROGRESS.value)


class CommandRow(Base):
    """A command of a principal."""

    __tablename__ = "commands"
    __table_args__ = (sa.Index("ix_commands_state_finished_at", "state", "finished_at"),)

    principal: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    command_id: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    body_hash: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    body: orm.Mapped[bytes | None] = orm.mapped_column(sa.LargeBinary)
    incident: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    state: orm.Mapped[str] = orm.mapped_column(sa.String(16))
    result: orm.Mapped[bytes | None] = orm.mapped_column(sa.LargeBinary)
    error: orm.Mapped[bytes | None] = orm.mapped_column(sa.LargeBinary)
    accepted_at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)
    expires_at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)
    changed_at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)
    finished_at: orm.Mapped[datetime | None] = orm.mapped_column(UtcDateTime)
    source: orm.Mapped[str] = orm.mapped_column(sa.String(8))
    reply_topic: orm.Mapped[str] = orm.mapped_column(sa.String(256))
    reply_correlation: orm.Mapped[bytes | None] = orm.mapped_column(sa.LargeBinary)
    answer_pending: orm.Mapped[bool] = orm.mapped_column(sa.Boolean, index=True)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A row of the ledger."""

    note: AnswerNote
    body_hash: str
    body: bytes | None
    incident: str | None
    accepted_at: datetime
    expires_at: datetime

    @property
    def answer(self) -> Answer:
        """How far it is."""
        return self.note.answer

    @property
    def key(self) -> tuple[str, str]:
        """Its principal and id."""
        return self.note.principal, self.note.answer.command_id or ""


def insert(connection: sa.Connection, entry: LedgerEntry) -> None:
    """Write a new command down."""
    answer, reply = entry.answer, entry.note.reply
    connection.execute(
        sa.insert(CommandRow).values(
            principal=entry.note.principal,
            command_id=answer.command_id,
            name=answer.name[:64],
            body_hash=entry.body_hash,
            body=None if answer.final else entry.body,
            incident=entry.incident,
            state=answer.state.value,
            result=answer.result,
            error=None if answer.error is None else msgspec.json.encode(answer.error),
            accepted_at=entry.accepted_at,
            expires_at=entry.expires_at,
            changed_at=answer.at,
            finished_at=answer.at if answer.final else None,
            source=entry.note.source.value,
            reply_topic=reply.topic[:256],
            reply_correlation=reply.correlation,
            answer_pending=answer.final and entry.note.source is Source.BUS,
        )
    )


def find(connection: sa.Connection, principal: str, command_id: str) -> LedgerEntry | None:
    """Return the command that *principal* gave this id."""
    row = connection.execute(sa.select(CommandRow.__table__).where(*_key(principal, command_id))).one_or_none()
    return None if row is None else _entry(row)


def unfinished(connection: sa.Connection) -> list[LedgerEntry]:
    """Return what was accepted and has no final state, oldest first."""
    rows = sa.select(CommandRow.__table__).where(CommandRow.state.in_(_OPEN)).order_by(CommandRow.accepted_at)
    return [_entry(row) for row in connection.execute(rows)]


def pending_answers(connection: sa.Connection, limit: int) -> list[AnswerNote]:
    """Return final answers to the bus that nobody has confirmed, oldest first."""
    rows = (
        sa.select(CommandRow.__table__)
        .where(CommandRow.answer_pending.is_(True))
        .order_by(CommandRow.changed_at, CommandRow.command_id)
        .limit(limit)
    )
    return [_entry(row).note for row in connection.execute(rows)]


def begin(connection: sa.Connection, principal: str, command_id: str, at: datetime) -> bool:
    """Make an accepted command ``in_progress``; tell whether it was accepted."""
    change = (
        sa.update(CommandRow)
        .where(*_key(principal, command_id), CommandRow.state == CommandState.ACCEPTED.value)
        .values(state=CommandState.IN_PROGRESS.value, changed_at=at)
    )
    return connection.execute(change).rowcount == 1


def finish(connection: sa.Connection, principal: str, answer: Answer) -> bool:
    """Give an unfinished command its final state; tell whether it was unfinished."""
    change = (
        sa.update(CommandRow)
        .where(*_key(principal, answer.command_id or ""), CommandRow.state.in_(_OPEN))
        .values(
            state=answer.state.value,
            result=answer.result,
            error=None if answer.error is None else msgspec.json.encode(answer.error),
            body=None,
            changed_at=answer.at,
            finished_at=answer.at,
            answer_pending=CommandRow.source == Source.BUS.value,
        )
    )
    return connection.execute(change).rowcount == 1


def answer_sent(connection: sa.Connection, principal: str, answer: Answer) -> None:
    """Write down that *answer* has reached the broker, if it is the one owed: a conflict's is about the same id."""
    change = (
        sa.update(CommandRow)
        .where(
            *_key(principal, answer.command_id or ""),
            CommandRow.state == answer.state.value,
            CommandRow.changed_at == answer.at,
        )
        .values(answer_pending=False)
    )
    connection.execute(change)


def prune(connection: sa.Connection, before: datetime, limit: int) -> int:
    """Forget up to *limit* commands that ended earlier than *before*; return how many."""
    old = (
        sa.select(CommandRow.principal, CommandRow.command_id)
        .where(CommandRow.state.not_in(_OPEN), CommandRow.finished_at < before)
        .order_by(CommandRow.finished_at)
        .limit(limit)
    )
    rows = connection.execute(old).all()
    for row in rows:
        connection.execute(sa.delete(CommandRow).where(*_key(row.principal, row.command_id)))
    return len(rows)


def _key(principal: str, command_id: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return CommandRow.principal == principal, CommandRow.command_id == command_id


def _entry(row: sa.Row[Any]) -> LedgerEntry:
    answer = Answer(
        command_id=row.command_id,
        name=row.name,
        state=CommandState(row.state),
        at=row.changed_at,
        result=row.result,
        error=None if row.error is None else msgspec.json.decode(row.error),
    )
    return LedgerEntry(
        note=AnswerNote(row.principal, Source(row.source), Reply(row.reply_topic, row.reply_correlation), answer),
        body_hash=row.body_hash,
        body=row.body,
        incident=row.incident,
        accepted_at=row.accepted_at,
        expires_at=row.expires_at,
    )
