"""The book in front of its store: durable in order, once, also when the store is away or its outcome unknown."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import msgspec
import pytest
import sqlalchemy as sa

from gateway.core.board import Board
from gateway.core.causation import Cause, caused_by
from gateway.core.clock import ManualClock
from gateway.directory.contact import ContactRef
from gateway.store.errors import StoreOutcomeUnknownError, StoreUnavailableError
from tests.support.memory_store import MemoryStore
from tests.support.wait import until
from trunks.telephone.book import CallBook
from trunks.telephone.calls import Answered, Gone, HungUp, Joined, Ringing, Started
from trunks.telephone.lines import Lines
from trunks.telephone.options import TelephoneOptions

WHO = ContactRef(id="c1", unit="消防支队", name="单雄信", post="支队长", kind="mobile")
LEG = {"uniqueid": "1.1", "linkedid": "1.1"}


class Quiet:
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def ready(self) -> None: ...

    def degraded(self, reason: str) -> None:
        self.reasons.append(reason)


class House:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock).create()
        self.reporter = Quiet()
        self.begin()

    def begin(self) -> None:
        self.board = Board()
        self.lines = Lines(TelephoneOptions().lines)
        self.book = CallBook(self.store, self.board, self.clock, self.lines, lambda _: [WHO])

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.book.run(self.reporter), name="writer")
        try:
            yield
        finally:
            task.cancel()

    def started(self, at: datetime | None = None) -> Started:
        return Started(at=at or self.clock.wall(), **LEG, direction="in", caller="13800138000", line="line-1")

    def ended(self) -> HungUp:
        return HungUp(at=self.clock.wall(), **LEG, cause=16)

    def told(self) -> list[str]:
        return [event.name for event in self.store.events]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    await house.book.load()
    house.book.restored()
    yield house
    house.store.close()


async def test_a_call_is_on_the_board_at_once_and_then_durable(house: House) -> None:
    house.book.observe(house.started())
    shown = house.board.get("tel", "line-1")
    assert shown is not None
    assert shown.state.state == "ringing"
    assert (shown.state.party.number, shown.state.party.name) == ("13800138000", "单雄信")
    async with house.writing():
        await house.book.durable()
    assert house.told() == ["call_started"]


async def test_every_event_of_a_call_names_the_command_that_dialled_it(house: House) -> None:
    leg = {"uniqueid": "", "linkedid": "tl-abc"}
    dialled = Started(at=house.clock.wall(), **leg, direction="out", called="110", line="line-1", call_id="abc")
    with caused_by(Cause("c-1", "00-trace")):
        house.book.observe(dialled)
    house.book.observe(house.started())  # somebody calls in meanwhile
    async with house.writing():
        await house.book.durable()
    house.begin()
    await house.book.load()
    house.book.observe(HungUp(at=house.clock.wall(), uniqueid="tl-abc", linkedid="tl-abc", cause=16))
    async with house.writing():
        await house.book.durable()
    told = [(one.event.TYPE, one.causation, one.traceparent) for one in house.store.happenings]
    assert told == [
        ("tel.call_started.v1", "c-1", "00-trace"),
        ("tel.call_started.v1", None, None),
        ("tel.call_ended.v1", "c-1", "00-trace"),
    ]


async def test_nothing_is_lost_while_the_store_is_away(house: House) -> None:
    house.store.failing = StoreUnavailableError(reason="test")
    async with house.writing():
        call = house.book.observe(house.started())
        assert call is not None
        await until(lambda: bool(house.reporter.reasons), "degraded")
        house.book.observe(house.ended())
        house.book.read_cel_to("42")
        house.store.failing = None
        await house.clock.advance(1)
        await house.book.durable()
    assert house.told() == ["call_started", "call_ended"]
    house.begin()
    assert await house.book.load() == "42"
    again = house.book.find("1.1")
    assert again is not None
    assert (again.id, again.contact, again.cause, again.revision) == (call.id, WHO, 16, 2)


async def test_a_write_of_unknown_outcome_is_repeated_without_telling_twice(house: House) -> None:
    write = house.store.write
    outcomes = iter([True, False, False])

    async def doubtful(work, *, name):
        result = await write(work, name=name)
        if next(outcomes, False):
            raise StoreOutcomeUnknownError(what=name, reason="test")
        return result

    house.store.write = doubtful
    for seen in (
        house.started(),
        Joined(at=house.clock.wall(), uniqueid="1.2", linkedid="1.1", phone="101"),
        house.ended(),
    ):
        house.book.observe(seen)
    async with house.writing():
        await until(lambda: bool(house.reporter.reasons), "degraded")
        await house.clock.advance(1)
        await house.book.durable()
    assert house.told() == ["call_started", "call_answered", "call_ended"]


async def test_a_change_that_cannot_be_written_does_not_hold_up_the_others(house: House) -> None:
    write = house.store.write

    async def picky(work, *, name):
        if any(change.call is not None and change.call.caller == "poison" for change in _batch(work)):
            raise sa.exc.DataError("x", {}, Exception())
        return await write(work, name=name)

    house.store.write = picky
    house.book.observe(house.started())
    house.book.observe(
        Started(at=house.clock.wall(), uniqueid="2.2", linkedid="2.2", direction="in", caller="poison", line="line-2")
    )
    house.book.observe(house.ended())
    async with house.writing():
        await house.book.durable()
    assert house.told() == ["call_started", "call_ended"]


def _batch(work):
    (cell,) = [cell for cell in work.__closure__ if isinstance(cell.cell_contents, list)]
    return cell.cell_contents


async def test_after_a_restart_open_calls_are_on_their_lines_and_known(house: House) -> None:
    async with house.writing():
        house.book.observe(house.started())
        house.book.observe(Joined(at=house.clock.wall(), uniqueid="1.2", linkedid="1.1", phone="101"))
        await house.book.durable()
    house.begin()
    await house.book.load()
    assert house.lines.now("line-1").state.value == "in_call"
    async with house.writing():
        for seen in (house.started(), Answered(at=house.clock.wall(), **LEG)):
            house.book.observe(seen)
        house.book.observe(Gone(at=house.clock.wall(), **LEG, reason="gone"))
        await house.book.durable()
    assert house.told() == ["call_started", "call_answered", "call_ended"]
    envelope = msgspec.json.decode(house.store.events[-1].payload)
    assert envelope["synthesised"] is True


async def test_what_is_told_late_is_told_as_recovered(house: House) -> None:
    house.book.observe(house.started(house.clock.wall() - timedelta(minutes=3)))
    house.book.observe(Ringing(at=house.clock.wall(), **LEG, phones=("101",), reason="fallback"))
    changes = [happening for change in house.book._pending for happening in change.told]
    assert [happening.recovered for happening in changes] == [True, False]
    assert changes[0].time == house.clock.wall() - timedelta(minutes=3)


async def test_memory_is_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunks.telephone.book._MOST_ENDED", 10)
    monkeypatch.setattr("trunks.telephone.book._MOST_PENDING", 100)
    for index in range(200):
        leg = f"{index}.1"
        house.book.observe(Answered(at=house.clock.wall(), uniqueid=f"x{index}", linkedid=f"x{index}"))
        house.book.observe(Started(at=house.clock.wall(), uniqueid=leg, linkedid=leg, direction="in", line="line-1"))
        house.book.observe(HungUp(at=house.clock.wall(), uniqueid=leg, linkedid=leg, cause=16))
    assert len(house.book._calls) == 10
    assert len(house.book._legs) == 10
    assert len(house.book._pending) == 100
    assert len(house.book._early) <= 256
