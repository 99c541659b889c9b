"""CEL is taken late while others may tell, at once when asked, and never twice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.asterisk.cel import CelReader
from gateway.core.board import Board
from gateway.core.clock import ManualClock
from tests.support.memory_store import MemoryStore
from tests.support.wait import until
from trunks.telephone.book import CallBook
from trunks.telephone.cel import CelFollower
from trunks.telephone.fallback import FallbackSnapshot, Snapshot
from trunks.telephone.lines import Lines
from trunks.telephone.observe import CelObserver, Switchboard
from trunks.telephone.options import TelephoneOptions
from trunks.telephone.phones import Phones


class Quiet:
    def __init__(self) -> None:
        self.readies = 0

    def ready(self) -> None:
        self.readies += 1

    def degraded(self, reason: str) -> None: ...


def record(
    kind: str, at: datetime, uniqueid: str = "1.1", channel: str = "PJSIP/trunk-00000001", extra: str = ""
) -> str:
    fields = [
        kind,
        f"{at.timestamp():.6f}",
        uniqueid,
        "1.1",
        channel,
        "tl-incoming",
        "88110001",
        "13800138000",
        "",
        extra,
    ]
    return ",".join('"' + field.replace('"', '""') + '"' for field in fields) + "\n"


def whole_call(at: datetime) -> str:
    phone = ("1.2", "PJSIP/101-00000002")
    return "".join(
        (
            record("CHAN_START", at),
            record("CHAN_START", at, *phone),
            record("BRIDGE_ENTER", at + timedelta(seconds=1), *phone),
            record("HANGUP", at + timedelta(seconds=2), extra='{"hangupcause":16,"hangupsource":""}'),
            record("LINKEDID_END", at + timedelta(seconds=2), *phone),
        )
    )


class House:
    def __init__(self, file: Path) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock).create()
        self.file = file

    async def begin(self) -> None:
        lines = Lines(TelephoneOptions().lines)
        self.book = CallBook(self.store, Board(), self.clock, lines, lambda _: [])
        position = await self.book.load()
        board = Switchboard("trunk", frozenset({"101"}), lambda _: "line-2")
        self.follower = CelFollower(
            reader=CelReader(self.file),
            observer=CelObserver(board),
            book=self.book,
            clock=self.clock,
            position=position,
        )

    def told(self) -> list[tuple[str, bool]]:
        return [(h.event.TYPE.split(".")[1], h.recovered) for change in self.book._pending for h in change.told]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "trunkline.csv")
    await house.begin()
    yield house
    house.store.close()


async def test_a_call_that_nobody_told_is_told_after_a_while(house: House) -> None:
    reporter = Quiet()
    following = asyncio.create_task(house.follower.run(reporter), name="cel")
    house.file.write_text(whole_call(house.clock.wall()), encoding="utf-8")
    await house.clock.advance(1)
    await until(lambda: reporter.readies >= 1, "a look at the file")
    assert house.told() == []
    while len(house.told()) < 3:
        before = reporter.readies
        await house.clock.advance(1)
        await until(lambda: reporter.readies > before, "another look")  # noqa: B023
    following.cancel()
    assert house.told() == [("call_started", True), ("call_answered", True), ("call_ended", True)]


async def test_what_happened_while_away_is_told_as_recovered_and_once(house: House) -> None:
    house.file.write_text(whole_call(house.clock.wall() - timedelta(minutes=5)), encoding="utf-8")
    await house.follower.catch_up()
    assert house.told() == [("call_started", True), ("call_answered", True), ("call_ended", True)]
    await house.follower.catch_up()
    assert len(house.told()) == 3
    writer = asyncio.create_task(house.book.run(Quiet()), name="writer")
    await house.book.durable()
    writer.cancel()
    await house.begin()
    await house.follower.catch_up()
    assert house.told() == []


async def test_the_snapshot_of_the_fallback_follows_the_phones(tmp_path: Path) -> None:
    clock, phones, reporter = ManualClock(), Phones(["101", "102"]), Quiet()
    path = tmp_path / "snapshot.json"
    keeper = FallbackSnapshot(path, TelephoneOptions(blocked=("13800138000",)), phones, clock)
    keeping = asyncio.create_task(keeper.run(reporter), name="fallback")
    await until(lambda: reporter.readies == 1, "the first snapshot")
    assert Snapshot.read(path).ready == ()
    phones.apply("PJSIP/102", "NOT_INUSE")
    await until(lambda: reporter.readies == 2, "the second snapshot")
    snapshot = Snapshot.read(path)
    assert (snapshot.ready, snapshot.fallback, snapshot.blocked) == (("102",), ("101", "102"), ("13800138000",))
    await clock.advance(40)
    await until(lambda: reporter.readies == 3, "a fresh one without a change")
    assert Snapshot.read(path).written_at > snapshot.written_at
    keeping.cancel()
