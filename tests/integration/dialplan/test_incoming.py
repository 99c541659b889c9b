"""Calls from the trunk into a real Asterisk, with and without a gateway to ask."""

import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from config.asterisk.fallback import Snapshot
from gateway.app.stand.sipp import callers
from tests.support import fastagi, sound
from tests.support.asterisk import NUMBERS, AsteriskStand, asterisk_stand
from tests.support.wait import until

pytestmark = pytest.mark.integration


async def _answered_call(stand: AsteriskStand, number: str = "101", **changes) -> float:
    """One whole call to a phone that answers with 440 Hz; returns how long it took until the phone rang."""
    async with stand.phone(number, silence=False, speech=await wave(stand, 440)) as phone:
        child = callers(stand.caller(**changes))
        await child.start()
        start = time.monotonic()
        try:
            await phone.wait_for("CALL_INCOMING")
            rang = time.monotonic() - start
            await phone.accept()
            await child.check(20)
        finally:
            await child.stop()
        await until(stand.ended, "the end of the call in CEL")
    return rang


async def wave(stand: AsteriskStand, frequency: int) -> Path:
    """A WAV file of a tone, as a telephone plays it."""
    import struct
    import wave as wav

    path = stand.folder / f"{frequency}.wav"
    samples = sound.decode(sound.tone(frequency, 30))
    with wav.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sound.RATE)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return path


def _arrivals(stand: AsteriskStand) -> list[str]:
    return [row["uniqueid"] for row in stand.cel() if row["eventtype"] == "CHAN_START" and "/trunk-" in row["channame"]]


def _lines(stand: AsteriskStand) -> str:
    return (stand.plan.folders.state / "log" / "messages.log").read_text(encoding="utf-8")


async def test_the_gateway_decides_and_both_directions_are_recorded(stand):
    treatment = {"TL_CALL": "01call", "TL_TREATMENT": "ring", "TL_PHONES": "PJSIP/102", "TL_RING_S": "10"}
    async with fastagi.answering(stand.plan.fastagi_port, treatment) as requests:
        await _answered_call(stand, "102")
    assert [request["agi_arg_1"] for request in requests] == ["line-1"]
    assert requests[0]["agi_callerid"] == "13800001111"
    (uniqueid,) = _arrivals(stand)
    assert sound.heard(stand.recording(uniqueid, "in"), 1000) > 1.0
    assert sound.heard(stand.recording(uniqueid, "out"), 440) > 1.0
    assert requests[0]["agi_uniqueid"] == uniqueid
    (wire,) = (path.read_text(errors="replace") for path in stand.folder.glob("caller-*/*messages.log"))
    assert "sip:102@" not in wire  # who answered is not told


async def test_cel_tells_the_whole_life_of_a_call(stand):
    async with fastagi.answering(stand.plan.fastagi_port, {"TL_TREATMENT": "ring", "TL_PHONES": "PJSIP/101"}):
        await _answered_call(stand)
    rows = stand.cel()
    (uniqueid,) = _arrivals(stand)
    assert {row["linkedid"] for row in rows} == {uniqueid}
    kinds = [row["eventtype"] for row in rows if row["uniqueid"] == uniqueid]
    assert kinds[0] == "CHAN_START"
    assert [kind for kind in kinds if kind in {"ANSWER", "BRIDGE_ENTER", "BRIDGE_EXIT", "HANGUP", "CHAN_END"}] == [
        "ANSWER",
        "BRIDGE_ENTER",
        "BRIDGE_EXIT",
        "HANGUP",
        "CHAN_END",
    ]
    assert rows[-1]["eventtype"] == "LINKEDID_END"
    (hangup,) = (row for row in rows if row["uniqueid"] == uniqueid and row["eventtype"] == "HANGUP")
    assert '"hangupcause":16' in hangup["eventextra"]
    assert hangup["cidnum"] == "13800001111"
    times = [float(row["eventtime"]) for row in rows]
    assert abs(times[0] - time.time()) < 60
    assert all("." in row["eventtime"] for row in rows)


@pytest.mark.parametrize(("treatment", "status"), [("busy", 486), ("refuse", 403)])
async def test_the_gateway_sends_a_caller_away(stand, treatment, status):
    async with fastagi.answering(stand.plan.fastagi_port, {"TL_TREATMENT": treatment}):
        child = callers(stand.caller())
        await child.start()
        assert await child.wait(10) != 0
        await until(stand.ended, "the end of the call in CEL")
    errors = "".join(path.read_text() for path in stand.folder.glob("caller-*/*errors.log"))
    assert f"SIP/2.0 {status}" in errors


async def test_without_a_gateway_the_phones_ring_within_a_second(stand):
    rang = await _answered_call(stand)
    assert rang < 1.0
    (uniqueid,) = _arrivals(stand)
    assert sound.heard(stand.recording(uniqueid, "in"), 1000) > 1.0
    assert sound.heard(stand.recording(uniqueid, "out"), 440) > 1.0


@pytest.mark.parametrize("fault", ["deaf", "stopped"])
async def test_a_hung_gateway_costs_only_its_guard(stand, fault, tmp_path):
    port = stand.plan.fastagi_port
    async with fastagi.deaf(port) if fault == "deaf" else fastagi.stopped(port, tmp_path / "hung.log"):
        rang = await _answered_call(stand)
    assert stand.plan.answer_guard_s - 0.5 < rang < stand.plan.answer_guard_s + 1.0
    (uniqueid,) = _arrivals(stand)
    assert sound.heard(stand.recording(uniqueid, "in"), 1000) > 1.0


async def test_a_gateway_that_answers_without_a_decision_gets_the_fallback(stand):
    async with fastagi.answering(stand.plan.fastagi_port, {"TL_CALL": "01call"}):
        assert await _answered_call(stand) < 1.0


async def test_phones_that_nobody_answers_are_not_the_end(tmp_path):
    async with asterisk_stand(tmp_path, ring_s=1) as stand:
        treatment = {"TL_TREATMENT": "ring", "TL_PHONES": "PJSIP/102", "TL_RING_S": "1"}
        async with fastagi.answering(stand.plan.fastagi_port, treatment):
            await _answered_call(stand, "101")


async def test_the_snapshot_tells_who_rings(stand):
    Snapshot(time.time(), ready=("102",)).write(stand.plan.fallback.snapshot)
    async with stand.phone("101") as other:
        await _answered_call(stand, "102")
        assert not [event for event in other.events if event["type"] == "CALL_INCOMING"]


async def test_a_blocked_caller_is_refused_without_a_gateway(stand):
    Snapshot(time.time(), ready=("101",), blocked=("13800001111",)).write(stand.plan.fallback.snapshot)
    child = callers(stand.caller())
    await child.start()
    assert await child.wait(10) != 0
    await until(stand.ended, "the end of the call in CEL")


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"written_at": "soon"}', b"\xff\xfe", b"[" * 100_000, b'{"ready": 1}']
)
async def test_a_spoilt_snapshot_rings_every_phone(stand, content):
    stand.plan.fallback.snapshot.write_bytes(content)
    assert await _answered_call(stand, talk_ms=300) < 1.0


async def test_a_fallback_script_that_hangs_costs_only_its_guard(stand):
    # a fifo that nobody writes to: open() never returns
    import os

    os.mkfifo(stand.plan.fallback.snapshot)
    assert await _answered_call(stand, talk_ms=300) < stand.plan.answer_guard_s + 1.0


async def test_nobody_there_is_heard_and_tried_again(tmp_path):
    async with asterisk_stand(tmp_path, ring_s=1, fallback_rounds=2) as stand:
        child = callers(stand.caller())
        await child.start()
        assert await child.wait(30) != 0
        await until(stand.ended, "the end of the call in CEL")
        (uniqueid,) = _arrivals(stand)
        out = stand.recording(uniqueid, "out")
    assert min(sound.heard(out, frequency, 0.05) for frequency in (950, 1400, 1800)) > 0.4


@pytest.mark.parametrize("fault", ["gone", "deaf"])
async def test_a_caller_who_hangs_up_early_leaves_nothing(stand, fault):
    async with AsyncExitStack() as stack:
        if fault == "deaf":
            await stack.enter_async_context(fastagi.deaf(stand.plan.fastagi_port))
        phone = await stack.enter_async_context(stand.phone("101"))
        # a telephone as the caller: sipp's scenario does not cancel
        caller = await stack.enter_async_context(stand.network_caller())
        await caller.dial(NUMBERS[7])
        await caller.wait_for("CALL_RINGING")
        if fault == "gone":
            await phone.wait_for("CALL_INCOMING")
        await caller.hang_up()
        await until(stand.ended, "the end of the call in CEL")
        if fault == "gone":
            await phone.wait_for("CALL_CLOSED")
        else:
            assert not [event for event in phone.events if event["type"] == "CALL_INCOMING"]
    assert "0 active channels" in await stand.child.command("core show channels count")


async def test_an_unknown_number_still_rings(stand):
    async with fastagi.answering(stand.plan.fastagi_port, {}) as requests:
        assert await _answered_call(stand, called="5550000") < 1.0
        assert await _answered_call(stand, called="reception") < 1.0
    assert [request["agi_arg_1"] for request in requests] == ["line-unassigned"] * 2


@pytest.mark.parametrize(
    "name",
    [
        '"单雄信 𠮷野家 🚒"',
        '"a\\"b,c)d|e&f"',
        '"${SHELL(touch owned)} $[1+1] ${UNIQUEID}"',
        '"x%0d%0aSET VARIABLE TL_TREATMENT refuse"',
        '"' + "长" * 300 + '"',
        "",
    ],
)
async def test_a_callers_name_is_only_a_name(stand, name):
    async with fastagi.answering(stand.plan.fastagi_port, {}) as requests:
        assert await _answered_call(stand, display_name=name, talk_ms=300) < 1.0
    assert len(requests) == 1
    assert not list(stand.folder.rglob("owned"))
    (uniqueid,) = _arrivals(stand)
    assert stand.recording(uniqueid, "in")
    if "单" in name:
        assert requests[0]["agi_calleridname"] == "单雄信 𠮷野家 🚒"
    if "$" in name:
        assert requests[0]["agi_calleridname"] == "${SHELL(touch owned)} $[1+1] ${UNIQUEID}"


@pytest.mark.parametrize("caller", ["101", "1%22%2C1", "anonymous", "$%7BEPOCH%7D"])
async def test_a_callers_number_is_only_a_number(stand, caller):
    async with fastagi.answering(stand.plan.fastagi_port, {}) as requests:
        assert await _answered_call(stand, caller=caller, talk_ms=300) < 1.0
    assert len(requests) == 1


async def test_a_stranger_who_is_neither_trunk_nor_phone_gets_nothing(stand):
    child = callers(stand.caller(address="127.0.0.3"))
    await child.start()
    assert await child.wait(10) != 0
    assert stand.cel() == []


async def test_a_caller_who_is_gone_without_a_word_is_ended(tmp_path):
    async with AsyncExitStack() as stack:
        stand = await stack.enter_async_context(asterisk_stand(tmp_path, media_timeout_s=2))
        phone = await stack.enter_async_context(stand.phone("101"))
        child = callers(stand.caller(talk_ms=60_000))
        await child.start()
        stack.push_async_callback(child.stop)
        await phone.wait_for("CALL_INCOMING")
        await phone.accept()
        await phone.wait_for("CALL_ESTABLISHED")
        child.kill()
        await until(stand.ended, "the end of a call whose caller is gone", 15)


async def test_four_callers_at_once_are_all_recorded(stand):
    treatment = {"TL_TREATMENT": "ring", "TL_PHONES": "PJSIP/101"}
    async with (
        fastagi.answering(stand.plan.fastagi_port, treatment) as requests,
        stand.phone("101", answer="auto"),
    ):
        child = callers(stand.caller(calls=4, at_once=4, talk_ms=1000))
        await child.start()
        await child.check(30)
        await until(lambda: stand.ended(4), "the end of all calls")
    assert len(requests) == 4
    assert all(sound.heard(stand.recording(uniqueid, "in"), 1000) > 0.4 for uniqueid in _arrivals(stand))
