"""What is told of incidents. A note's text stays in the store: the bus carries its id only."""

from typing import ClassVar

from gateway.core.events import Event


class IncidentOpened(Event, frozen=True, kw_only=True):
    """An incident was opened."""

    TYPE: ClassVar[str] = "ops.incident_opened.v1"
    SUMMARY: ClassVar[str] = "An incident was opened."

    id: str
    number: str | None
    title: str
    kind: str
    by: str


class IncidentClosed(Event, frozen=True, kw_only=True):
    """An incident was closed."""

    TYPE: ClassVar[str] = "ops.incident_closed.v1"
    SUMMARY: ClassVar[str] = "An incident was closed."

    id: str
    number: str | None
    by: str


class IncidentLinked(Event, frozen=True, kw_only=True):
    """A call, message, fax or document now belongs to an incident; ``before`` is the one that it belonged to."""

    TYPE: ClassVar[str] = "ops.incident_linked.v1"
    SUMMARY: ClassVar[str] = "Something was tied to an incident."

    id: str
    aggregate: str
    before: str | None
    by: str


class IncidentNoted(Event, frozen=True, kw_only=True):
    """A note was written on an incident."""

    TYPE: ClassVar[str] = "ops.incident_noted.v1"
    SUMMARY: ClassVar[str] = "A note was written on an incident."

    id: str
    note: str
    by: str


EVENTS: tuple[type[Event], ...] = (IncidentOpened, IncidentClosed, IncidentLinked, IncidentNoted)
