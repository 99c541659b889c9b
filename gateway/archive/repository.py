"""What is kept about documents: records, holds, and files that have still to be removed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec.structs import asdict
from sqlalchemy.orm import Mapped, mapped_column

from gateway.archive.rules import Hold, Scope
from gateway.core.events import Message
from gateway.store.types import UtcDateTime
from gateway.store.unit import Base


class DocumentRow(Base):
    """One document. Many may have the same file; a deleted one stays as a tombstone."""

    __tablename__ = "document"

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True)
    digest: Mapped[str] = mapped_column(sa.String(64), index=True)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    kind: Mapped[str] = mapped_column(sa.String(32))
    media_type: Mapped[str] = mapped_column(sa.String(128))
    name: Mapped[str] = mapped_column(sa.Text)
    unit: Mapped[str] = mapped_column(sa.Text)
    aggregate: Mapped[str | None] = mapped_column(sa.String(128), index=True)
    incident: Mapped[str | None] = mapped_column(sa.String(26), index=True)
    tags: Mapped[list[str]] = mapped_column(sa.JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    created_by: Mapped[str] = mapped_column(sa.String(128))
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_by: Mapped[str | None] = mapped_column(sa.String(128))


class HoldRow(Base):
    """One hold."""

    __tablename__ = "document_hold"

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True)
    scope: Mapped[str] = mapped_column(sa.String(16))
    value: Mapped[str] = mapped_column(sa.String(128))
    since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(sa.Text)
    placed_by: Mapped[str] = mapped_column(sa.String(128))
    placed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_by: Mapped[str | None] = mapped_column(sa.String(128))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_why: Mapped[str] = mapped_column(sa.Text)


class RemovalRow(Base):
    """A file whose last record was deleted and that has still to be removed from the disk."""

    __tablename__ = "document_removal"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)


class Document(Message, frozen=True, kw_only=True):
    """One document, as others see it."""

    id: str
    digest: str
    size: int
    kind: str
    media_type: str
    name: str
    unit: str
    aggregate: str | None
    incident: str | None
    tags: tuple[str, ...]
    created_at: datetime
    created_by: str
    deleted_at: datetime | None = None
    deleted_by: str | None = None


_ALL = sa.select(*DocumentRow.__table__.columns)
_HOLDS = sa.select(*HoldRow.__table__.columns)
_LIVE = DocumentRow.deleted_at.is_(None)


def insert(connection: sa.Connection, document: Document) -> None:
    """Keep a record."""
    connection.execute(sa.insert(DocumentRow).values({**asdict(document), "tags": list(document.tags)}))


def find(connection: sa.Connection, document: str) -> Document | None:
    """Return one record, deleted or not."""
    row = connection.execute(_ALL.where(DocumentRow.id == document)).mappings().one_or_none()
    return None if row is None else _document(row)


def search(  # noqa: PLR0917
    connection: sa.Connection,
    kind: str | None,
    aggregate: str | None,
    incident: str | None,
    before: datetime | None,
    limit: int,
) -> list[Document]:
    """Return live records, the latest first."""
    query = _ALL.where(_LIVE).order_by(DocumentRow.created_at.desc(), DocumentRow.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(DocumentRow.kind == kind)
    if aggregate is not None:
        query = query.where(DocumentRow.aggregate == aggregate)
    if incident is not None:
        query = query.where(DocumentRow.incident == incident)
    if before is not None:
        query = query.where(DocumentRow.created_at < before)
    return [_document(row) for row in connection.execute(query).mappings()]


def live_after(connection: sa.Connection, document: str, limit: int) -> list[Document]:
    """Return live records in the order of their ids, for walking through all of them."""
    query = _ALL.where(_LIVE, DocumentRow.id > document).order_by(DocumentRow.id).limit(limit)
    return [_document(row) for row in connection.execute(query).mappings()]


def references(connection: sa.Connection, digest: str) -> int:
    """Return how many live records have a file."""
    query = sa.select(sa.func.count()).select_from(DocumentRow).where(DocumentRow.digest == digest, _LIVE)
    return connection.execute(query).scalar_one()


def bury(connection: sa.Connection, document: Document, *, at: datetime, by: str) -> None:
    """Make a record a tombstone; with the last of them its file is to be removed."""
    connection.execute(sa.update(DocumentRow).where(DocumentRow.id == document.id).values(deleted_at=at, deleted_by=by))
    if references(connection, document.digest) == 0:
        forget_removal(connection, document.digest)
        connection.execute(sa.insert(RemovalRow).values(digest=document.digest))


def removals(connection: sa.Connection) -> list[str]:
    """Return the files that have still to be removed."""
    return list(connection.scalars(sa.select(RemovalRow.digest).order_by(RemovalRow.digest)))


def forget_removal(connection: sa.Connection, digest: str) -> None:
    """The file is gone, or is wanted again."""
    connection.execute(sa.delete(RemovalRow).where(RemovalRow.digest == digest))


def holds(connection: sa.Connection, *, ended: bool = False) -> list[Hold]:
    """Return holds, the latest first; without *ended* those that stand."""
    query = _HOLDS.order_by(HoldRow.placed_at.desc(), HoldRow.id.desc())
    if not ended:
        query = query.where(HoldRow.ended_at.is_(None))
    return [_hold(row) for row in connection.execute(query).mappings()]


def find_hold(connection: sa.Connection, hold: str) -> Hold | None:
    """Return one hold."""
    row = connection.execute(_HOLDS.where(HoldRow.id == hold)).mappings().one_or_none()
    return None if row is None else _hold(row)


def insert_hold(connection: sa.Connection, hold: Hold) -> None:
    """Keep a hold."""
    connection.execute(sa.insert(HoldRow).values({**asdict(hold), "scope": hold.scope.value}))


def end_hold(connection: sa.Connection, hold: str, *, at: datetime, by: str, why: str) -> None:
    """Keep that a hold was ended."""
    connection.execute(sa.update(HoldRow).where(HoldRow.id == hold).values(ended_at=at, ended_by=by, ended_why=why))


def _document(row: Mapping[Any, Any]) -> Document:
    values = {str(name): value for name, value in row.items()}
    return Document(**{**values, "tags": tuple(values["tags"])})


def _hold(row: Mapping[Any, Any]) -> Hold:
    values = {str(name): value for name, value in row.items()}
    return Hold(**{**values, "scope": Scope(values["scope"])})
