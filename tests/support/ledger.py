"""A small feature to test the store with: each entry is a row and an event, or neither."""

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import sqlalchemy as sa
from sqlalchemy import orm

from gateway.core.events import Event, Happening
from gateway.store.store import SqlStore
from gateway.store.unit import Base, StoredEvent, Unit


class Entry(Base):
    __tablename__ = "test_entry"

    id: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    events: orm.Mapped[int]


class Entered(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "tel.entered.v1"

    entry: str
    note: str = ""


class Position(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "radio.position.v1"

    entry: str


def happening(entry: str, *, aggregate: str = "call:1", note: str = "", **how: Any) -> Happening:
    return Happening(event=Entered(entry=entry, note=note), resource="line-1", aggregate=aggregate, **how)


def enter(entry: str, *, events: int = 1, aggregate: str = "call:1", note: str = "") -> Callable[[Unit], str]:
    def work(unit: Unit) -> str:
        unit.connection.execute(sa.insert(Entry), {"id": entry, "events": events})
        for _ in range(events):
            unit.emit(happening(entry, aggregate=aggregate, note=note))
        return entry

    return work


async def entries(store: SqlStore) -> dict[str, int]:
    return dict(await store.read(lambda connection: connection.execute(sa.select(Entry.id, Entry.events)).all()))


async def journal(store: SqlStore) -> list[StoredEvent]:
    found: list[StoredEvent] = []
    while batch := await store.events_after(found[-1].seq if found else 0):
        found += batch
    return found


def body(event: StoredEvent) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(event.payload)
    return decoded


async def assert_whole(store: SqlStore) -> None:
    """The numbers have no gap, and state and journal tell the same (telemetry is told without a state)."""
    events = await journal(store)
    assert [event.seq for event in events] == list(range(1, store.last_seq + 1))
    told: dict[str, int] = {}
    counts: dict[str, int] = {}
    for event in events:
        envelope = body(event)
        assert envelope["gwseq"] == event.seq
        assert envelope["aggseq"] == counts.get(envelope["subject"], 0) + 1
        counts[envelope["subject"]] = envelope["aggseq"]
        if event.name == "position":
            continue
        told[envelope["data"]["entry"]] = told.get(envelope["data"]["entry"], 0) + 1
    assert told == {entry: count for entry, count in (await entries(store)).items() if count}
