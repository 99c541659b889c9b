"""What the directory tells."""

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


EVENTS: tuple[type[Event], ...] = (Imported,)
