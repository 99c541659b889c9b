"""Real calls through a real Asterisk: what the switchboard tells of them is durable, complete and said once."""

from collections import Counter
from contextlib import AsyncExitStack

import pytest

from gateway.app.stand.sipp import callers, network
from gateway.core.errors import TrunklineError
from gateway.principals.model import SYSTEM
from tests.support.asterisk import NUMBERS, AsteriskStand
from tests.support.switchboard import LINES, switchboard
from tests.support.wait import until
from trunks.telephone.events import LineShown

pytestmark = pytest.mark.integration

CONTACTS = "unit,name,post,phone\n消防支队,单雄信,支队长,138-0000-1111\n".encode()


async def nothing() -> None:
    """No ledger here."""


def kinds(events):
    return [event["type"].split(".")[1] for event in events]


def check_each_call_once(events):
    by_call: dict[str, list[str]] = {}
    for event in events:
        by_call.setdefault(event["subject"], []).append(event["type"])
    for told in by_call.values():
        counts = Counter(told)
        assert counts["tel.call_started.v1"] == counts["tel.call_ended.v1"] == 1, told
        assert max(counts.values()) == 1, told
        assert (told[0], told[-1]) == ("tel.call_started.v1", "tel.call_ended.v1")
    return by_call


async def test_a_caller_is_known_answered_and_told(stand: AsteriskStand) -> None:
    async with AsyncExitStack() as stack:
        phone = await stack.enter_async_context(stand.phone("101"))
        gateway = await stack.enter_async_context(switchboard(stand))
        await gateway.ready()
        report = await gateway.directory.import_file(CONTACTS, principal=SYSTEM)
        assert report.applied
        child = callers(stand.caller())
        await child.start()
        stack.push_async_callback(child.stop)
        (ringing,) = await gateway.told("call_ringing")
        assert ringing["data"]["line"] == "line-1"
        assert ringing["data"]["reason"] == "line"
        assert ringing["data"]["caller"] == "13800001111"
        contact = ringing["data"]["contact"]
        assert (contact["unit"], contact["name"], contact["post"]) == ("消防支队", "单雄信", "支队长")
        assert ringing["data"]["phones"] == ["101"]
        incoming = await phone.wait_for("CALL_INCOMING")
        assert "单雄信" in str(incoming)
        await phone.accept()
        (answered,) = await gateway.told("call_answered")
        assert answered["data"]["phone"] == "101"
        shown = gateway.board.get("tel", "line-1")
        assert shown is not None
        assert isinstance(shown.state, LineShown)
        assert (shown.state.state, shown.state.call) == ("in_call", ringing["data"]["call"])
        await child.check(20)
        (ended,) = await gateway.told("call_ended")
        data = ended["data"]
        assert (data["answered"], data["cause"], data["synthesised"]) == (True, 16, False)
        assert stand.recording(data["recording"], "in")
        events = await gateway.events()
        check_each_call_once(events)
        assert kinds(events) == ["call_started", "call_ringing", "call_answered", "call_ended"]
        assert not any(event.get("recovered") for event in events)
        shown = gateway.board.get("tel", "line-1")
        assert shown is not None
        assert shown.state.state == "idle"  # type: ignore[attr-defined]


async def test_a_dialled_call_reaches_the_network(stand: AsteriskStand) -> None:
    async with AsyncExitStack() as stack:
        far = network(stand.folder / "network", stand.plan.trunk.port, stand.tone(440))
        await far.start()
        stack.push_async_callback(far.stop)
        phone = await stack.enter_async_context(stand.phone("102"))
        gateway = await stack.enter_async_context(switchboard(stand))
        await gateway.ready()
        service = gateway.telephone.service
        for number, position, code in (
            ("消防", None, "tel.number_characters"),
            ("119", "103", "tel.position_unknown"),
            ("119", "101", "tel.position_busy"),
        ):
            with pytest.raises(TrunklineError) as refusal:
                await service.dial(number, position=position, line=None, dialled_by="t", begin=nothing)
            assert refusal.value.code == code
        with pytest.raises(TrunklineError) as refusal:
            await service.dial("119", position="102", line="line-9", dialled_by="t", begin=nothing)
        assert refusal.value.code == "tel.line_not_free"
        call = await service.dial("010-8234 5678", position="102", line=None, dialled_by="local:单", begin=nothing)
        assert call.line == "line-8"
        await phone.wait_for("CALL_INCOMING")
        await phone.accept()
        (answered,) = await gateway.told("call_answered")
        assert (answered["data"]["phone"], answered["data"]["called"]) == ("102", "82345678")
        await service.hang_up(call.id, begin=nothing)
        (ended,) = await gateway.told("call_ended")
        assert (ended["data"]["answered"], ended["data"]["line"]) == (True, "line-8")
        assert ended["data"]["recording"]
        (started,) = await gateway.told("call_started")
        assert (started["data"]["dialled_by"], started["data"]["direction"]) == ("local:单", "out")
        with pytest.raises(TrunklineError) as refusal:
            await service.hang_up(call.id, begin=nothing)
        assert refusal.value.code == "tel.call_unknown"
        check_each_call_once(await gateway.events())


async def test_an_operator_who_does_not_answer_ends_the_dialled_call(stand: AsteriskStand) -> None:
    async with AsyncExitStack() as stack:
        phone = await stack.enter_async_context(stand.phone("102"))
        gateway = await stack.enter_async_context(switchboard(stand))
        await gateway.ready()
        await gateway.telephone.service.dial("119", position=None, line="line-3", dialled_by="t", begin=nothing)
        await phone.wait_for("CALL_INCOMING")
        await phone.hang_up()
        (ended,) = await gateway.told("call_ended")
        assert (ended["data"]["answered"], ended["data"]["recording"]) == (False, "")
        check_each_call_once(await gateway.events())


async def test_when_asterisk_dies_its_calls_are_closed(stand: AsteriskStand) -> None:
    async with AsyncExitStack() as stack:
        phone = await stack.enter_async_context(stand.phone("101", answer="auto"))
        gateway = await stack.enter_async_context(switchboard(stand))
        await gateway.ready()
        child = callers(stand.caller(talk_ms=60_000))
        await child.start()
        stack.push_async_callback(child.stop)
        await gateway.told("call_answered")
        stand.child.process.kill()
        await phone.stop()
        await stand.child.process.stop()
        await stand.child.start()
        (ended,) = await gateway.told("call_ended", deadline_s=30)
        assert (ended["data"]["synthesised"], ended["data"]["cause"], ended["recovered"]) == (True, None, True)
        check_each_call_once(await gateway.events())
        await until(lambda: gateway.board.get("tel", "line-1").state.state == "idle", "line-1 idle")


async def test_a_call_that_ended_while_the_gateway_was_away_is_told_from_cel(stand: AsteriskStand) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(stand.phone("101", answer="auto"))
        async with switchboard(stand) as gateway:
            await gateway.ready()
            child = callers(stand.caller(talk_ms=2500))
            await child.start()
            stack.push_async_callback(child.stop)
            await gateway.told("call_answered")
        await child.check(20)
        second = callers(stand.caller(talk_ms=300, called=NUMBERS[1]))  # begins and ends with nobody there
        await second.start()
        stack.push_async_callback(second.stop)
        await second.check(20)
        await until(lambda: stand.ended(2), "two calls in CEL")
        async with switchboard(stand) as gateway:
            ended = await gateway.told("call_ended", 2, deadline_s=20)
            events = await gateway.events()
        by_call = check_each_call_once(events)
        assert len(by_call) == 2
        assert [event.get("recovered", False) for event in ended] == [True, True]
        assert [event.get("recovered", False) for event in events[:3]] == [False, False, False]
        assert [event["data"]["answered"] for event in ended] == [True, True]
        assert {event["data"]["line"] for event in ended} == {"line-1", "line-2"}
        assert not any(event["data"]["synthesised"] for event in ended)


async def test_a_live_call_is_kept_over_a_restart_of_the_gateway(stand: AsteriskStand) -> None:
    async with AsyncExitStack() as stack:
        phone = await stack.enter_async_context(stand.phone("101", answer="auto"))
        async with switchboard(stand) as gateway:
            await gateway.ready()
            child = callers(stand.caller(talk_ms=60_000))
            await child.start()
            stack.push_async_callback(child.stop)
            await gateway.told("call_answered")
        async with switchboard(stand) as gateway:
            await gateway.ready()
            assert gateway.board.get("tel", "line-1").state.state == "in_call"
            (call,) = gateway.telephone.service.calls()
            await gateway.telephone.service.hang_up(call.id, begin=nothing)
            await phone.wait_for("CALL_CLOSED")
            await gateway.told("call_ended")
            check_each_call_once(await gateway.events())


async def test_dialled_by_hand_at_the_phone_is_a_call_too(stand: AsteriskStand) -> None:
    async with AsyncExitStack() as stack:
        far = network(stand.folder / "network", stand.plan.trunk.port, stand.tone(440))
        await far.start()
        stack.push_async_callback(far.stop)
        phone = await stack.enter_async_context(stand.phone("101"))
        gateway = await stack.enter_async_context(switchboard(stand))
        await gateway.ready()
        await phone.dial("82345678")
        (answered,) = await gateway.told("call_answered")
        assert (answered["data"]["direction"], answered["data"]["called"]) == ("out", "82345678")
        assert answered["data"]["phone"] == "101"
        await phone.hang_up()
        await gateway.told("call_ended")
        check_each_call_once(await gateway.events())


async def test_somebody_is_rung_inside_and_outside(stand: AsteriskStand) -> None:
    async with AsyncExitStack() as stack:
        far = network(stand.folder / "network", stand.plan.trunk.port, stand.tone(440))
        await far.start()
        stack.push_async_callback(far.stop)
        await stack.enter_async_context(stand.phone("101", answer="auto"))
        gateway = await stack.enter_async_context(switchboard(stand))
        await gateway.ready()
        service = gateway.telephone.service
        assert await service.ring("101", '火警 "未确认" 🚒', ring_s=10)
        assert await service.ring("13800138000", "火警", ring_s=10)
        assert not await service.ring("102", "nobody is there", ring_s=5)
        (ended,) = await gateway.told("call_ended", deadline_s=20)
        assert (ended["data"]["direction"], ended["data"]["answered"]) == ("out", True)
        check_each_call_once(await gateway.events())


async def test_without_overflow_more_callers_hear_the_busy_tone_and_are_told_too(stand: AsteriskStand) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(stand.phone("101"))
        gateway = await stack.enter_async_context(switchboard(stand, lines=LINES[:2], overflow=False))
        await gateway.ready()
        child = callers(stand.caller(calls=3, at_once=3, talk_ms=100))
        await child.start()
        stack.push_async_callback(child.stop)
        ringing = await gateway.told("call_ringing", 2)
        assert sorted((event["data"]["line"], event["data"]["reason"]) for event in ringing) == [
            ("line-1", "line"),
            ("line-2", "hunted"),
        ]
        (busy,) = await gateway.told("call_ended")
        assert (busy["data"]["line"], busy["data"]["cause"]) == ("line-unassigned", 17)
        await child.stop()
