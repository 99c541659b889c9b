"""What may be done with incidents."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from gateway.core.errors import ConflictError, NotFoundError
from gateway.core.events import Event, Happening, Message
from gateway.core.ids import new_id
from gateway.incidents import repository
from gateway.incidents.events import IncidentClosed, IncidentLinked, IncidentNoted, IncidentOpened
from gateway.incidents.index import IncidentIndex
from gateway.incidents.options import IncidentOptions
from gateway.incidents.repository import IncidentRecord, LinkRecord, NoteRecord
from gateway.principals.model import Principal
from gateway.store.unit import Store, StoredEvent, Unit


class IncidentView(Message, frozen=True, kw_only=True):
    """One incident with what belongs to it."""

    incident: IncidentRecord
    links: Sequence[LinkRecord]
    notes: Sequence[NoteRecord]


class IncidentService:
    """Opens and closes incidents and ties to them whatever has an aggregate.

    A closed incident still takes links and notes: reports are written afterwards.
    """

    def __init__(self, store: Store, options: IncidentOptions) -> None:
        self._store = store
        self._limit = options.index_links
        self.index = IncidentIndex(options.index_links)

    async def start(self) -> None:
        """Fill the index from the store."""
        for link in await self._store.read(lambda connection: repository.latest_links(connection, self._limit)):
            self.index.put(link.aggregate, link.incident_id)

    async def open(
        self, *, title: str, kind: str, principal: Principal, number: str | None = None, aggregates: Sequence[str] = ()
    ) -> IncidentRecord:
        """Open an incident and tie *aggregates* to it. An outside number that is taken is a conflict."""
        incident = new_id()

        def work(unit: Unit) -> IncidentRecord:
            if number is not None:
                other = repository.find_number(unit.connection, number)
                if other is not None:
                    raise ConflictError(what=number, reason=f"incident {other.id} has this number")
            record = IncidentRecord(
                id=incident,
                number=number,
                title=title,
                kind=kind,
                opened_at=unit.now,
                opened_by=str(principal),
                closed_at=None,
                closed_by=None,
            )
            repository.insert(unit.connection, record)
            opened = IncidentOpened(id=incident, number=number, title=title, kind=kind, by=str(principal))
            unit.emit(_happening(incident, opened))
            for aggregate in aggregates:
                self.link_in(unit, incident, aggregate, principal)
            return record

        return await self._store.write(work, name="incident-open")

    async def close(self, incident: str, *, principal: Principal) -> IncidentRecord:
        """Close an incident; one that is closed already is a conflict."""

        def work(unit: Unit) -> IncidentRecord:
            record = _get(unit.connection, incident)
            if record.closed_at is not None:
                raise ConflictError(what=f"incident {incident}", reason="it is closed already")
            repository.close(unit.connection, incident, at=unit.now, by=str(principal))
            unit.emit(_happening(incident, IncidentClosed(id=incident, number=record.number, by=str(principal))))
            return _get(unit.connection, incident)

        return await self._store.write(work, name="incident-close")

    async def link(self, incident: str, aggregate: str, *, principal: Principal) -> None:
        """Tie *aggregate* to an incident, in place of the one that it belonged to."""
        await self._store.write(
            lambda unit: self.link_in(unit, incident, aggregate, principal),
            name="incident-link",
        )

    def link_in(self, unit: Unit, incident: str, aggregate: str, principal: Principal) -> None:
        """Tie *aggregate* to an incident within the unit of a feature. A link that stands already tells nothing."""
        _get(unit.connection, incident)
        before = repository.link_of(unit.connection, aggregate)
        if before == incident:
            return
        repository.put_link(
            unit.connection,
            LinkRecord(aggregate=aggregate, incident_id=incident, linked_at=unit.now, linked_by=str(principal)),
        )
        linked = IncidentLinked(id=incident, aggregate=aggregate, before=before, by=str(principal))
        unit.emit(_happening(incident, linked))
        unit.after_commit(partial(self.index.put, aggregate, incident))

    async def note(self, incident: str, text: str, *, principal: Principal) -> NoteRecord:
        """Write a note on an incident."""
        note = new_id()

        def work(unit: Unit) -> NoteRecord:
            _get(unit.connection, incident)
            record = NoteRecord(
                id=note, incident_id=incident, written_at=unit.now, written_by=str(principal), text=text
            )
            repository.insert_note(unit.connection, record)
            unit.emit(_happening(incident, IncidentNoted(id=incident, note=note, by=str(principal))))
            return record

        return await self._store.write(work, name="incident-note")

    async def view(self, incident: str) -> IncidentView:
        """Return one incident with its links and notes."""

        def query(connection: sa.Connection) -> IncidentView:
            return IncidentView(
                incident=_get(connection, incident),
                links=repository.links(connection, incident),
                notes=repository.notes(connection, incident),
            )

        return await self._store.read(query)

    async def timeline(self, incident: str, *, after: int = 0, limit: int = 500) -> list[StoredEvent]:
        """Return the events of an incident in order, those told before it was opened included."""

        def query(connection: sa.Connection) -> list[StoredEvent]:
            _get(connection, incident)
            return repository.timeline(connection, incident, after=after, limit=limit)

        return await self._store.read(query)

    async def page(
        self, *, only_open: bool = False, before: datetime | None = None, limit: int = 100
    ) -> list[IncidentRecord]:
        """Return incidents, the latest opened first."""
        return await self._store.read(
            lambda connection: repository.page(connection, only_open=only_open, before=before, limit=limit)
        )


def _get(connection: sa.Connection, incident: str) -> IncidentRecord:
    record = repository.find(connection, incident)
    if record is None:
        raise NotFoundError(what="incident", name=incident)
    return record


def _happening(incident: str, event: Event) -> Happening:
    return Happening(event=event, resource="incidents", aggregate=f"incident:{incident}", incident=incident)
