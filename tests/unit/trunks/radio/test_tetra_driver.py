import dataclasses

import pytest

from gateway.core.errors import InvalidInputError
from tests.support.radio_rigs import ISSI, TetraRig
from tests.support.wait import until
from trunks.radio import lip, sds
from trunks.radio.driver import (
    CallEnded,
    CallStarted,
    GroupsHeard,
    LinkHeard,
    MessageProgressed,
    PositionHeard,
    RegistrationHeard,
    Stage,
    StatusHeard,
    TalkEnded,
    TalkStarted,
    TextHeard,
    TransmitChanged,
    TransmitterStuck,
    Verdict,
)
from trunks.radio.errors import KeyRefusedError, RadioNotFoundError, RadioRefusedError
from trunks.radio.simulated_make import PROFILES

CHINESE = "请单雄信、曾国藩、仇英到𠮷野家集合🚒。"
HARD = dataclasses.replace(PROFILES["plain"], interleaved=True, single_octets=True, pads=True)


@pytest.fixture
async def rigs():
    made = []

    async def make(tmp_path, quirks=PROFILES["plain"], **options):
        rig = TetraRig(tmp_path, quirks, **options)
        made.append(rig)
        await rig.start()
        await until(lambda: "ready" in rig.reporter.states or rig.task.done(), "the radio is ready")
        return rig

    yield make
    for rig in made:
        await rig.stop()


def received(rig):
    return [entry["line"] for entry in rig.log if entry["event"] == "received"]


def heard(rig, kind):
    return [event for event in rig.events if isinstance(event, kind)]


def stages(rig, name):
    return [event.stage for event in heard(rig, MessageProgressed) if event.message == name]


@pytest.mark.parametrize("quirks", [PROFILES["plain"], HARD, PROFILES["motorola"], PROFILES["sepura"]])
async def test_every_make_is_set_up_and_speaks(rigs, tmp_path, quirks):
    rig = await rigs(tmp_path, quirks)
    assert rig.radio.profiles >= {"2,0,0", "1,1,11", "1,2,20", "1,3,130", "1,3,10"}
    assert RegistrationHeard("home", "0042", "09011638") in rig.events
    assert GroupsHeard("1000", {}) in rig.events
    assert "ATZ" not in received(rig)
    async with rig.holding("operator"):
        assert await rig.driver.ptt.key("operator") is Verdict.GRANTED
        assert rig.on_air
        await rig.driver.ptt.release("operator")
    assert not rig.on_air


async def test_the_ril_dialect_reads_nine_fields(rigs, tmp_path):
    rig = await rigs(tmp_path, PROFILES["ril"], dialect="ril")
    rig.network.talk("23404", "1000", rig.now_s, priority=15)
    await until(lambda: heard(rig, TalkStarted), "somebody speaks")
    (call,) = heard(rig, CallStarted)
    assert (call.calling, call.called, call.emergency) == ("23404", "1000", True)


async def test_only_the_radio_with_the_configured_identity_is_taken(rigs, tmp_path):
    rig = await rigs(tmp_path, identity="09011638300099999")
    with pytest.raises(RadioNotFoundError):
        await rig.task
    assert not any(line.startswith(("ATH", "AT+CUTXC", "AT+CTSP")) for line in received(rig))


async def test_a_power_cycle_sets_it_up_again(rigs, tmp_path):
    rig = await rigs(tmp_path)
    rig.radio.power_on(rig.now_s)
    assert rig.radio.profiles == set()
    await until(lambda: "1,3,10" in rig.radio.profiles, "the profiles are there again", 5)
    assert rig.task.done() is False


async def test_a_radio_that_falls_silent_is_told(rigs, tmp_path, monkeypatch):
    monkeypatch.setattr("trunks.radio.drivers.tetra.POLL_S", 0.1)
    monkeypatch.setattr("trunks.radio.drivers.tetra.PROBE_S", 0.2)
    rig = await rigs(tmp_path)
    rig.radio.power_off(rig.now_s)
    await until(lambda: LinkHeard(up=False, reason="silent") in rig.events, "the silence is told")
    rig.radio.power_on(rig.now_s)
    await until(lambda: rig.events.count(LinkHeard(up=True)) == 2, "it is back", 12)
    assert "1,3,10" in rig.radio.profiles


@pytest.mark.parametrize(("grant", "verdict"), [(1, Verdict.REFUSED), (2, Verdict.QUEUED), (3, Verdict.TAKEN)])
async def test_what_is_no_grant_is_told_and_nothing_goes_on_the_air(rigs, tmp_path, grant, verdict):
    rig = await rigs(tmp_path, dataclasses.replace(PROFILES["plain"], queue_s=30.0))
    rig.network.weather.grant = grant
    async with rig.holding("operator"):
        assert await rig.driver.ptt.key("operator") is verdict
        assert not rig.on_air
        assert TransmitChanged(Verdict.GRANTED) not in rig.events


async def test_queued_behind_somebody_and_then_granted(rigs, tmp_path):
    rig = await rigs(tmp_path)
    rig.network.talk("23404", "1000", rig.now_s)
    await until(lambda: TalkStarted(1, "23404") in rig.events, "somebody speaks")
    async with rig.holding("operator"):
        assert await rig.driver.ptt.key("operator") is Verdict.QUEUED
        rig.network.cease("1000", rig.now_s)
        await until(lambda: TransmitChanged(Verdict.GRANTED) in rig.events, "the grant is told")
        assert rig.on_air
        assert TalkEnded(1, free=True) in rig.events
        assert "AT+CTXD=1,0" in received(rig)


async def test_an_emergency_pre_empts_whoever_speaks(rigs, tmp_path):
    rig = await rigs(tmp_path)
    rig.network.talk("23404", "1000", rig.now_s)
    await until(lambda: heard(rig, TalkStarted), "somebody speaks")
    async with rig.holding("operator"):
        assert await rig.driver.ptt.key("operator", priority=15) is Verdict.GRANTED
    assert "AT+CTXD=1,3" in received(rig)


async def test_who_is_pre_empted_is_told_and_lets_go(rigs, tmp_path):
    rig = await rigs(tmp_path)
    async with rig.holding("operator"):
        await rig.driver.ptt.key("operator")
        rig.network.talk("23404", "1000", rig.now_s)
        await until(lambda: TransmitChanged(None, "preempted") in rig.events, "the loss is told")
        await until(lambda: any(line.startswith("AT+CUTXC") for line in received(rig)), "it is let go")
        assert not rig.on_air


async def test_a_call_that_ends_while_keyed(rigs, tmp_path):
    rig = await rigs(tmp_path)
    async with rig.holding("operator"):
        await rig.driver.ptt.key("operator")
        rig.network.end("1000", rig.now_s, 38)
        await until(lambda: CallEnded(1, "transmit_not_authorised") in rig.events, "the end is told")
        assert not rig.on_air
        assert await rig.driver.ptt.key("operator") is Verdict.GRANTED


async def test_the_hard_limit(rigs, tmp_path):
    rig = await rigs(tmp_path, hard_limit_s=0.4)
    async with rig.holding("operator"):
        await rig.driver.ptt.key("operator")
        await until(lambda: TransmitChanged(None, "time_limit") in rig.events, "the limit is told")
        await until(lambda: not rig.on_air, "it is off the air")


async def test_a_transmitter_that_does_not_let_itself_be_released(rigs, tmp_path):
    rig = await rigs(tmp_path)
    async with rig.holding("operator"):
        await rig.driver.ptt.key("operator")
        rig.radio.power_off(rig.now_s)
        await rig.driver.ptt.release("operator")
    await until(lambda: TransmitterStuck("unconfirmed") in rig.events, "it is told as stuck")


async def test_the_wrong_radio_behind_the_port_is_not_keyed(rigs, tmp_path):
    rig = await rigs(tmp_path)
    rig.radio.issi = "09011638300099999"
    rig.radio.power_on(rig.now_s)
    count = len(received(rig))
    await until(lambda: "AT+CNUMF?" in received(rig)[count:], "it is asked who it is")
    await until(lambda: any(line.startswith("AT+CTGS") for line in received(rig)[count:]), "it is set up")
    with pytest.raises(KeyRefusedError, match="identity_mismatch"):
        await rig.driver.ptt.key("operator")
    assert not rig.on_air


async def test_a_text_climbs_its_ladder(rigs, tmp_path):
    rig = await rigs(tmp_path)
    name = await rig.driver.send_text("23404", CHINESE * 4)
    await until(lambda: Stage.DELIVERED in stages(rig, name), "it is delivered")
    assert stages(rig, name) == [Stage.ACCEPTED, Stage.SENT, Stage.DELIVERED]
    parts = [sds.decode(entry["data"]) for entry in rig.log if entry["event"] == "message"]
    assert "".join(part.text for part in parts) == CHINESE * 4
    assert len(parts) == 2


@pytest.mark.parametrize(
    ("report", "last"), [("lost", Stage.SENT), ("failed", Stage.FAILED), ("duplicate", Stage.DELIVERED)]
)
async def test_what_reports_do(rigs, tmp_path, report, last):
    rig = await rigs(tmp_path)
    rig.network.weather.report = report
    name = await rig.driver.send_text("23404", "收到请回答")
    await until(lambda: last in stages(rig, name), f"it is {last}")
    again = await rig.driver.send_text("23405", "第二条")
    await until(lambda: last in stages(rig, again), f"the second is {last}")
    assert stages(rig, name).count(last) == 1


async def test_reports_that_come_late_and_in_another_order(rigs, tmp_path):
    rig = await rigs(tmp_path)
    rig.network.weather.report = "reversed"
    names = [await rig.driver.send_text("23404", text) for text in ("一", "二")]
    await until(lambda: all(Stage.SENT in stages(rig, name) for name in names), "both are sent")
    rig.network.let_reports_go(rig.now_s)
    await until(lambda: all(Stage.DELIVERED in stages(rig, name) for name in names), "both are delivered")


async def test_a_message_that_does_not_leave_the_radio(rigs, tmp_path):
    rig = await rigs(tmp_path)
    rig.network.weather.sending = False
    name = await rig.driver.send_text("23404", "无信号")
    await until(lambda: Stage.FAILED in stages(rig, name), "the failure is told")


async def test_a_status_and_what_cannot_be_sent(rigs, tmp_path):
    rig = await rigs(tmp_path)
    name = await rig.driver.send_status("23404", 0x8004)
    assert "AT+CTSDS=13,0" in received(rig)
    await until(lambda: Stage.SENT in stages(rig, name), "it is sent")
    with pytest.raises(InvalidInputError):
        await rig.driver.send_status("23404", -1)
    with pytest.raises(InvalidInputError):
        await rig.driver.send_text("23404\rATZ", "x")
    rig.radio.registration = 2
    with pytest.raises(RadioRefusedError, match="out_of_service"):
        await rig.driver.call("23405", group=False)


async def test_texts_positions_and_cries_for_help_arrive(rigs, tmp_path):
    rig = await rigs(tmp_path, HARD)
    for message in sds.texts(CHINESE * 4, reference=7):
        rig.radio.receive("23404", ISSI, 12, sds.encode(message), rig.now_s)
    rig.radio.receive("23404", ISSI, 13, "0000", rig.now_s)
    digits = lip.encode(lip.Position(30.25, 120.125, reason=2))
    rig.radio.receive("23404", ISSI, 12, digits, rig.now_s)
    await until(lambda: heard(rig, PositionHeard), "the position arrives")
    assert heard(rig, TextHeard) == [TextHeard("23404", ISSI, CHINESE * 4)]
    assert heard(rig, StatusHeard)[0].emergency
    assert heard(rig, PositionHeard)[0].emergency
    await until(lambda: sum("82" in line or "AT+CMGS" in line for line in received(rig)) >= 2, "the reports are sent")
    reports = [entry["data"] for entry in rig.log if entry["event"] == "message"]
    assert reports == ["8A100007", "8A100008"]


async def test_speaking_and_text_at_once(rigs, tmp_path):
    rig = await rigs(tmp_path, dataclasses.replace(PROFILES["plain"], message_s=0.5))
    async with rig.holding("operator"):
        await rig.driver.ptt.key("operator")
        name = await rig.driver.send_text("23404", "边说边发")
        assert rig.on_air
        await rig.driver.ptt.release("operator")
    await until(lambda: Stage.DELIVERED in stages(rig, name), "it is delivered")


async def test_an_individual_call_is_made_answered_and_ended_without_speaking(rigs, tmp_path):
    rig = await rigs(tmp_path)
    await rig.driver.call("23405", group=False)
    await until(lambda: heard(rig, CallStarted), "the call begins")
    assert not rig.on_air
    await rig.driver.hang_up(1)
    await until(lambda: CallEnded(1, "user") in rig.events, "it is over")
    rig.radio.incoming("23404", ISSI, rig.now_s, group=False)
    await until(lambda: len(heard(rig, CallStarted)) == 2, "a call comes in")
    await rig.driver.answer(1)
    assert "ATA" in received(rig)
    assert not rig.on_air
    with pytest.raises(InvalidInputError):
        await rig.driver.answer(9)
    with pytest.raises(InvalidInputError):
        await rig.driver.call("23405", group=False, duplex=True)


async def test_another_group_is_spoken_to(rigs, tmp_path):
    rig = await rigs(tmp_path)
    await rig.driver.select_group("1001")
    assert rig.driver.group == "1001"
    async with rig.holding("operator"):
        await rig.driver.ptt.key("operator")
    assert "ATD1001" in received(rig)


async def test_a_radio_that_is_busy_is_asked_again(rigs, tmp_path, monkeypatch):
    monkeypatch.setattr("trunks.radio.drivers.tetra.BUSY_S", 0.01)
    rig = await rigs(tmp_path, dataclasses.replace(PROFILES["plain"], busy_messages=2))
    name = await rig.driver.send_text("23404", "忙")
    await until(lambda: Stage.DELIVERED in stages(rig, name), "it is delivered")
    assert sum(line.startswith("AT+CMGS") for line in received(rig)) == 3


async def test_coverage_that_comes_and_goes(rigs, tmp_path):
    rig = await rigs(tmp_path)
    rig.radio.coverage(0, rig.now_s)
    await until(lambda: heard(rig, RegistrationHeard)[-1].state == "searching", "the loss is told")
    rig.radio.coverage(5, rig.now_s)
    await until(lambda: heard(rig, RegistrationHeard)[-1].state == "visited", "the visit is told")


async def test_a_radio_that_is_unplugged_while_keyed_is_an_alarm(rigs, tmp_path):
    rig = await rigs(tmp_path)
    async with rig.holding("operator"):
        await rig.driver.ptt.key("operator")
        rig.keyers[-1].unplug()
        await until(lambda: TransmitterStuck("port_lost") in rig.events, "it is told as stuck")
    await until(rig.task.done, "the run ends")
