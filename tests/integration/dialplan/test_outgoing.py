"""Calls from operators' phones and from the gateway, out through the trunk and among themselves."""

import asyncio
import re

import pytest

from gateway.app.stand.sipp import network
from tests.support import sound
from tests.support.wait import until

pytestmark = pytest.mark.integration


async def _ami(stand, *actions: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.plan.ami_port)
    login = f"Action: Login\r\nUsername: {stand.plan.ami_user}\r\nSecret: {stand.plan.ami_secret}\r\nEvents: off"
    for action in (login, *actions, "Action: Logoff"):
        writer.write(action.replace("\r\n", "\n").replace("\n", "\r\n").encode() + b"\r\n\r\n")
    async with asyncio.timeout(20):
        answer = (await reader.read(-1)).decode()
    writer.close()
    return answer


@pytest.fixture
async def far_end(stand):
    child = network(stand.folder / "network", stand.plan.trunk.port, stand.tone(1400))
    await child.start()
    yield child
    await child.stop()


def _trunk_leg(stand) -> str:
    (uniqueid,) = (
        row["uniqueid"] for row in stand.cel() if row["eventtype"] == "CHAN_START" and "/trunk-" in row["channame"]
    )
    return uniqueid


@pytest.mark.parametrize("number", ["110", "+8613800001111", "02812345678", "9"])
async def test_a_phone_dials_out_untouched_without_the_gateway(stand, far_end, number):
    async with stand.phone("101") as phone:
        await phone.dial(number)
        await phone.wait_for("CALL_ESTABLISHED")
        leg = _trunk_leg(stand)
        await until(lambda: sound.heard(stand.recording(leg, "in"), 1400) > 0.4, "the far end on the recording")
        await phone.hang_up()
        await until(stand.ended, "the end of the call in CEL")
    assert _invited(stand) == [(number, stand.plan.lines[0].numbers[0])]


async def test_the_gateway_dials_from_a_position_with_the_lines_number(stand, far_end):
    async with stand.phone("102", answer="auto") as phone:
        answer = await _ami(
            stand,
            "Action: Originate\nChannel: PJSIP/102\nContext: tl-dial\nExten: 110\nPriority: 1\nAsync: true\n"
            "Variable: __TL_CALL=01abc\nVariable: TL_LINE=line-3\nVariable: TL_TRUNK=PJSIP/%s@trunk",
        )
        assert answer.count("Response: Success") == 2
        await phone.wait_for("CALL_ESTABLISHED")
        await until(lambda: [row for row in stand.cel() if row["eventtype"] == "BRIDGE_ENTER"], "the bridge")
        leg = _trunk_leg(stand)
        channel = next(row["channame"] for row in stand.cel() if row["uniqueid"] == leg)
        values = await _ami(
            stand,
            f"Action: Getvar\nChannel: {channel}\nVariable: TL_CALL",
            f"Action: Getvar\nChannel: {channel}\nVariable: TL_LINE",
        )
        assert re.findall(r"Value: (\S+)", values) == ["01abc", "line-3"]
        await until(lambda: sound.heard(stand.recording(leg, "in"), 1400) > 0.4, "the far end on the recording")
        await phone.hang_up()
        await until(stand.ended, "the end of the call in CEL")
    assert _invited(stand) == [("110", stand.plan.lines[2].numbers[0])]


async def test_a_trunk_that_is_gone_fails_with_its_cause(stand):
    async with stand.phone("101") as phone:
        await phone.dial("110")
        await phone.wait_for("CALL_CLOSED", deadline_s=40)
        await until(stand.ended, "the end of the call in CEL")
    causes = {
        row["eventextra"] for row in stand.cel() if row["eventtype"] == "HANGUP" and "PJSIP/101" in row["channame"]
    }
    assert len(causes) == 1
    assert '"dialstatus":"ANSWER"' not in causes.pop()


async def test_phones_call_each_other_without_the_gateway(stand):
    async with stand.phone("101") as caller, stand.phone("102", answer="auto"):
        await caller.dial("102")
        await caller.wait_for("CALL_ESTABLISHED")
        await caller.hang_up()
        await until(stand.ended, "the end of the call in CEL")


async def test_a_dialled_string_is_only_a_number(stand, far_end):
    async with stand.phone("101") as phone:
        await phone.dial("1&PJSIP/102,5")
        await phone.wait_for("CALL_ESTABLISHED")
        await phone.hang_up()
        await until(stand.ended, "the end of the call in CEL")
    assert [number for number, _ in _invited(stand)] == ["11025"]
    assert not [row for row in stand.cel() if "PJSIP/102" in row["channame"]]


def _invited(stand) -> list[tuple[str, str]]:
    """The called and the calling number of each INVITE that reached the far end."""
    text = "".join(path.read_text(errors="replace") for path in stand.folder.glob("network/*messages.log"))
    return list(
        dict.fromkeys(
            zip(
                re.findall(r"INVITE sip:([^@]+)@", text),
                re.findall(r"From: .*<sip:([^@]+)@.*\n(?:.*\n)*?CSeq: \d+ INVITE", text),
                strict=False,
            )
        )
    )
