"""What is told of documents and holds. Names of documents stay in the store: they may hold personal data."""

from datetime import datetime
from typing import ClassVar

from gateway.core.events import Event


class DocumentAdded(Event, frozen=True, kw_only=True):
    """A document was put in."""

    TYPE: ClassVar[str] = "ops.document_added.v1"
    SUMMARY: ClassVar[str] = "A document was archived."

    id: str
    digest: str
    kind: str
    media_type: str
    size: int
    aggregate: str | None
    by: str


class DocumentDeleted(Event, frozen=True, kw_only=True):
    """A document was deleted, by ``rule`` or by a person; its record stays as a tombstone."""

    TYPE: ClassVar[str] = "ops.document_deleted.v1"
    SUMMARY: ClassVar[str] = "A document was deleted."

    id: str
    digest: str
    kind: str
    rule: str | None
    why: str
    by: str


class DocumentFound(Event, frozen=True, kw_only=True):
    """A file without a record was adopted as a document of the kind ``orphan``."""

    TYPE: ClassVar[str] = "ops.document_found.v1"
    SUMMARY: ClassVar[str] = "A file without a record was adopted."

    id: str
    digest: str
    size: int


class DocumentFailed(Event, frozen=True, kw_only=True):
    """The file of documents is missing or damaged (``what``)."""

    TYPE: ClassVar[str] = "ops.document_failed.v1"
    SUMMARY: ClassVar[str] = "A document's file is missing or damaged."

    digest: str
    what: str


class HoldAdded(Event, frozen=True, kw_only=True):
    """Something must be kept."""

    TYPE: ClassVar[str] = "ops.hold_added.v1"
    SUMMARY: ClassVar[str] = "A hold was placed."

    id: str
    scope: str
    value: str
    since: datetime | None
    until: datetime | None
    by: str


class HoldEnded(Event, frozen=True, kw_only=True):
    """A hold was ended."""

    TYPE: ClassVar[str] = "ops.hold_ended.v1"
    SUMMARY: ClassVar[str] = "A hold was ended."

    id: str
    by: str


EVENTS: tuple[type[Event], ...] = (
    DocumentAdded,
    DocumentDeleted,
    DocumentFound,
    DocumentFailed,
    HoldAdded,
    HoldEnded,
)
