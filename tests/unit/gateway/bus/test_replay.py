import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import pytest

from gateway.bus.memory import MemoryBroker, MemoryPort
from gateway.bus.port import BusConnection, Delivery, Login
from gateway.bus.replay import ReplayRequest, ReplayService
from gateway.bus.topics import Topics
from gateway.core.clock import SystemClock
from gateway.core.errors import ConflictError, InvalidInputError
from gateway.principals.model import Principal, PrincipalKind, Right
from tests.support.bus import MemoryJournal, until

TOPIC = "gw/v1/duty/replay/cad"
CAD = Principal(PrincipalKind.APPLICATION, "cad", (Right("tel.*"),))


@dataclass
class Context:
    principal: Principal = CAD
    command_id: str = "c1"
    expires_at: datetime = datetime(2030, 1, 1, tzinfo=UTC)
    incident: str | None = None
    begun: int = 0

    async def begin_side_effect(self) -> None:
        self.begun += 1


class Standing:
    def __init__(self, connection: BusConnection) -> None:
        self.connection = connection

    async def ready(self) -> BusConnection:
        return self.connection


class Bench:
    def __init__(self, events: int, **more: object) -> None:
        self.broker = MemoryBroker(SystemClock())
        self.journal = MemoryJournal()
        self.journal.tell(events)
        self.more = more

    async def __aenter__(self) -> Self:
        async def ignore(_: Delivery) -> None:
            return

        self.context = MemoryPort(self.broker).connect(Login("gateway"), ignore)
        connection = await self.context.__aenter__()
        self.service = ReplayService(
            self.journal, Standing(connection), Topics("duty"), SystemClock(), per_s=1_000_000, **self.more
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.service.close()
        await self.context.__aexit__(None, None, None)

    def events(self) -> list[int]:
        messages = [json.loads(one.payload) for one in self.broker.published if one.topic == TOPIC]
        return [one["gwseq"] for one in messages if "gwseq" in one]

    async def end(self) -> dict[str, object]:
        def ends() -> list[dict[str, object]]:
            return [json.loads(one.payload) for one in self.broker.published if ("marker", "end") in one.user]

        await until(lambda: bool(ends()))
        return ends()[-1]


async def test_events_come_in_order_and_then_the_marker() -> None:
    async with Bench(700) as bench:
        context = Context()
        started = await bench.service.replay(ReplayRequest(from_seq=101, to_seq=600), context)
        assert (started.from_seq, started.oldest_seq) == (101, 1)
        assert await bench.end() == {"replay": "c1", "from_seq": 101, "to_seq": 600, "count": 500, "next_seq": None}
        assert bench.events() == list(range(101, 601))
        assert context.begun == 1
        assert ("replay", "c1") in bench.broker.published[0].user


async def test_without_an_end_it_goes_up_to_now() -> None:
    async with Bench(30) as bench:
        await bench.service.replay(ReplayRequest(from_seq=25), Context())
        assert (await bench.end())["to_seq"] == 30
        assert bench.events() == list(range(25, 31))


async def test_it_is_bounded_and_tells_where_to_go_on() -> None:
    async with Bench(30, most=10) as bench:
        await bench.service.replay(ReplayRequest(from_seq=5), Context())
        assert (await bench.end())["next_seq"] == 15
        assert bench.events() == list(range(5, 15))


async def test_types_are_filtered() -> None:
    async with Bench(5) as bench:
        await bench.service.replay(ReplayRequest(from_seq=1, types=("tel.other.v1",)), Context())
        assert (await bench.end())["count"] == 0


async def test_sensitive_events_are_withheld_without_the_right() -> None:
    async with Bench(5, sensitive=frozenset({("tel", "rang")})) as bench:
        await bench.service.replay(ReplayRequest(from_seq=1), Context())
        assert (await bench.end())["count"] == 0
    granted = Principal(PrincipalKind.APPLICATION, "cad", (Right("sensitive.tel"),))
    async with Bench(5, sensitive=frozenset({("tel", "rang")})) as bench:
        await bench.service.replay(ReplayRequest(from_seq=1), Context(principal=granted))
        assert (await bench.end())["count"] == 5


async def test_one_at_a_time_for_an_application() -> None:
    async with Bench(5) as bench:
        await bench.service.replay(ReplayRequest(from_seq=1), Context())
        with pytest.raises(ConflictError):
            await bench.service.replay(ReplayRequest(from_seq=1), Context())
        await bench.end()
        await asyncio.sleep(0)
        await bench.service.replay(ReplayRequest(from_seq=1), Context())


@pytest.mark.parametrize(
    ("request_", "principal"),
    [
        (ReplayRequest(from_seq=5, to_seq=4), CAD),
        (ReplayRequest(from_seq=1), Principal(PrincipalKind.OPERATOR, "anna", (Right("*"),))),
    ],
)
async def test_what_cannot_be_replayed_is_refused_before_it_begins(
    request_: ReplayRequest, principal: Principal
) -> None:
    async with Bench(5) as bench:
        context = Context(principal=principal)
        with pytest.raises(InvalidInputError):
            await bench.service.replay(request_, context)
        assert context.begun == 0
