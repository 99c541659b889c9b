"""What the directory tells. No event names a person or a number: it carries the id of the contact."""

from typing import ClassVar

from gateway.core.events import Event


class Imported(Event, frozen=True, kw_only=True):
    """Contacts were imported from a file, all of it or nothing."""

    TYPE: ClassVar[str] = "dir.imported.v1"
    SUMMARY: ClassVar[str] = "Contacts were imported"

    rows: int
    created: int
    changed: int
    unchanged: int


class ContactChanged(Event, frozen=True, kw_only=True):
    """A contact was created, changed or removed; ``fields`` names what changed."""

    TYPE: ClassVar[str] = "dir.contact_changed.v1"
    SUMMARY: ClassVar[str] = "A contact was created, changed or removed"

    id: str
    change: str
    fields: list[str]
    by: str


class UnitChanged(Event, frozen=True, kw_only=True):
    """A unit of the tree was created or changed."""

    TYPE: ClassVar[str] = "dir.unit_changed.v1"
    SUMMARY: ClassVar[str] = "A unit was created or changed"

    name: str
    parent: str
    by: str


EVENTS: tuple[type[Event], ...] = (Imported, ContactChanged, UnitChanged)
"""Imports tell one event for the whole file; the history has every contact of it."""
