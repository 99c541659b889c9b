"""Dialling, ending and ringing in front of an exchange that can refuse, be away, or leave its answer open."""

import asyncio
from types import SimpleNamespace

import pytest

from gateway.core.board import Board
from gateway.core.clock import ManualClock
from gateway.core.errors import TrunklineError
from gateway.directory.options import NumberingOptions
from tests.support.memory_store import MemoryStore
from trunks.telephone.book import CallBook
from trunks.telephone.commands import DIAL, HANGUP, Dial, Hangup, commands
from trunks.telephone.dialling import DiallingRules
from trunks.telephone.errors import DialFailedError, DialUnknownError
from trunks.telephone.lines import Lines
from trunks.telephone.options import TelephoneOptions
from trunks.telephone.phones import Phones
from trunks.telephone.service import TelephoneService


class Exchange:
    def __init__(self) -> None:
        self.available = True
        self.failure: TrunklineError | None = None
        self.done: list[tuple[str, ...]] = []

    async def originate(self, call, phone, digits, line) -> None:
        self.done.append(("originate", phone, digits, line))
        if self.failure is not None:
            raise self.failure

    async def hang_up(self, call) -> None:
        self.done.append(("hang_up", call.linkedid))

    async def ring(self, channel, text, *, ring_s, call=None) -> bool:
        self.done.append(("ring", channel, text))
        if self.failure is not None:
            raise self.failure
        return True


class Desk:
    def __init__(self) -> None:
        options = TelephoneOptions()
        clock = ManualClock()
        self.clock = clock
        self.exchange = Exchange()
        self.lines = Lines(options.lines)
        self.lines.restored()
        self.phones = Phones(["101", "102"])
        self.phones.apply("PJSIP/102", "NOT_INUSE")
        self.book = CallBook(MemoryStore(clock), Board(), clock, self.lines, lambda _: [])
        self.service = TelephoneService(
            exchange=self.exchange,
            book=self.book,
            lines=self.lines,
            phones=self.phones,
            rules=DiallingRules(options.dialling, NumberingOptions()),
            clock=clock,
            trunk_endpoint="trunk",
        )
        self.began = 0
        self.context = SimpleNamespace(
            principal="operator:仇英", incident="i1", begin_side_effect=self.begin, command_id="c", expires_at=None
        )
        self.bound = {command.spec.name: command.handler for command in commands(self.service)}

    async def begin(self) -> None:
        self.began += 1

    async def run(self, name, body):
        task = asyncio.create_task(self.bound[name](body, self.context), name="command")
        await self.clock.advance(3)  # nothing is written down here: the wait for the store ends by itself
        return await task

    async def refusal(self, **body) -> str:
        with pytest.raises(TrunklineError) as refused:
            await self.run(DIAL.name, Dial(**body))
        return refused.value.code


async def test_a_call_is_placed_from_a_free_phone_on_a_free_line() -> None:
    desk = Desk()
    accepted = await desk.run(DIAL.name, Dial(number="138-0013-8000"))
    assert (accepted.line, accepted.position, accepted.digits) == ("line-8", "102", "13800138000")
    assert desk.exchange.done == [("originate", "102", "13800138000", "line-8")]
    (call,) = desk.service.calls()
    assert (call.id, call.dialled_by, call.incident) == (accepted.call, "operator:仇英", "i1")
    assert desk.began == 1
    await desk.run(HANGUP.name, Hangup(call=call.id))
    assert desk.exchange.done[-1] == ("hang_up", f"tl-{call.id}")


async def test_refusals_touch_nothing() -> None:
    desk = Desk()
    assert await desk.refusal(number="火警") == "tel.number_characters"
    assert await desk.refusal(number="119", position="109") == "tel.position_unknown"
    desk.phones.apply("PJSIP/102", "INUSE")
    assert await desk.refusal(number="119", position="102") == "tel.position_busy"
    assert await desk.refusal(number="119") == "tel.position_busy"
    desk.phones.apply("PJSIP/102", "NOT_INUSE")
    assert await desk.refusal(number="119", line="line-9") == "tel.line_not_free"
    for index in range(8):
        desk.lines.offer(f"c{index}", "line-1")
    assert await desk.refusal(number="119", line="line-1") == "tel.line_not_free"
    assert await desk.refusal(number="119") == "tel.no_free_line"
    desk.exchange.available = False
    assert await desk.refusal(number="119") == "tel.unavailable"
    assert desk.exchange.done == desk.service.calls() == []
    assert desk.began == 0


async def test_a_command_that_expired_gives_its_line_back() -> None:
    desk = Desk()

    async def expired() -> None:
        raise DialFailedError(reason="expired")

    desk.context.begin_side_effect = expired
    await desk.refusal(number="119", line="line-3")
    assert desk.lines.can_dial("line-3")
    assert desk.service.calls() == desk.exchange.done == []


async def test_a_refused_call_ends_and_an_unknown_one_stays_open() -> None:
    desk = Desk()
    desk.exchange.failure = DialFailedError(reason="no such phone")
    assert await desk.refusal(number="119") == "tel.dial_failed"
    assert desk.service.calls() == []
    desk.exchange.failure = DialUnknownError()
    assert await desk.refusal(number="119") == "tel.dial_unknown"
    (call,) = desk.service.calls()
    assert desk.lines.of_call(call.id) == "line-8"


async def test_somebody_is_rung() -> None:
    desk = Desk()
    assert await desk.service.ring("101", "火警")
    assert await desk.service.ring("13800138000", "火警")
    assert desk.exchange.done == [("ring", "PJSIP/101", "火警"), ("ring", "PJSIP/13800138000@trunk", "火警")]
    (call,) = desk.service.calls()
    assert (call.direction, call.uniqueid, call.dialled_by) == ("out", call.linkedid, "system:gateway")


async def test_two_dials_at_once_never_take_the_same_phone() -> None:
    desk = Desk()
    desk.phones.apply("PJSIP/101", "NOT_INUSE")
    desk.phones.apply("PJSIP/102", "NOT_INUSE")
    first = await desk.run("tel.dial", Dial(number="119"))
    second = await desk.run("tel.dial", Dial(number="120"))
    assert {first.position, second.position} == {"101", "102"}
    assert await desk.refusal(number="110", position=first.position) == "tel.position_busy"
