import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.radio import ISSI, Wired
from trunks.radio.keyer_messages import Command, Key, Renew, Unkey
from trunks.radio.simulated_make import PROFILES

GROUP_CALL = "AT+CTSDC=0,0,0,1,1,0,1,1,1,0,0"


def in_call(wired):
    wired.command(GROUP_CALL)
    wired.run(0.2)
    number = wired.key("ATD1000")
    wired.hold(0.4)
    assert wired.keyed
    return number


def test_a_held_lease_speaks_and_a_release_ends_it():
    wired = Wired()
    assert wired.answer(in_call(wired)).outcome == "ok"
    wired.hold(2.0)
    assert wired.keyed
    number = wired.unkey()
    wired.run(0.2)
    assert not wired.keyed
    assert wired.answer(number).outcome == "ok"
    assert wired.states() == [("keyed", "operator"), ("releasing", "let_go"), ("idle", "released")]


def test_a_lapse_is_released_at_once():
    wired = Wired()
    in_call(wired)
    last_s = wired.now_s - 0.1
    wired.run(1.0)
    (unkeyed_s,) = wired.when("unkeyed")
    assert last_s + 0.49 < unkeyed_s < last_s + 0.55
    assert ("releasing", "lapsed") in wired.states()


def test_the_death_of_the_parent_is_a_release():
    wired = Wired()
    in_call(wired)
    wired.keyer.parent_gone(wired.now_s)
    wired.run(0.1)
    assert not wired.keyed
    assert wired.keyer.released


def test_the_hard_limit_ends_what_is_renewed_for_ever():
    wired = Wired(hard_limit_s=2.0)
    in_call(wired)
    wired.hold(2.0)
    assert not wired.keyed
    refused = wired.key("AT+CTXD=1,0")
    wired.run(0.1)
    assert wired.answer(refused).text == "time_limit"
    wired.unkey()
    wired.run(0.1)
    again = wired.key("AT+CTXD=1,0")
    wired.hold(0.2)
    assert wired.answer(again).outcome == "ok"


def test_a_release_overtakes_a_message_that_waits_for_its_ok():
    wired = Wired(dataclasses.replace(PROFILES["plain"], message_s=3.0))
    in_call(wired)
    wired.command("AT+CTSDS=12,0,0,0,1")
    wired.hold(0.1)
    message = wired.command("AT+CMGS=23404,32", "82100008")
    wired.hold(0.2)
    began_s = wired.now_s
    wired.unkey()
    wired.run(0.1)
    assert not wired.keyed
    assert wired.when("unkeyed")[-1] - began_s < 0.05
    assert wired.answer(message).outcome == "interrupted"


def test_a_radio_that_is_deaf_while_it_sends_a_message_is_told_again():
    wired = Wired(dataclasses.replace(PROFILES["plain"], message_s=0.3, deaf_while_busy=True))
    in_call(wired)
    wired.command("AT+CMGS=23404,32", "82100008")
    wired.hold(0.1)
    began_s = wired.now_s
    wired.unkey()
    wired.run(1.0)
    assert not wired.keyed
    assert wired.when("unkeyed")[-1] - began_s < 0.5
    assert wired.keyer.released


@pytest.mark.parametrize("octets", range(1, 60))
def test_a_half_written_line_is_ended_and_never_obeyed_in_part(octets):
    wired = Wired()
    in_call(wired)
    wired.speed = 1
    wired.command("AT+CTGS=1,1001", "")
    wired.command("AT+CMGS=23404,112", "82040801476A61746A616A676A61")
    wired.hold(0.0)
    for _ in range(octets):
        wired.renew()
        wired.run(wired.STEP_S)
    wired.unkey()
    wired.run(0.2)
    assert not wired.keyed
    wired.run(2.0)
    assert wired.keyer.released
    assert "AT+CUTXC=1" in wired.lines()
    assert wired.radio.group in ("1000", "1001")
    assert not [entry for entry in wired.log if entry["event"] == "message" and len(entry["data"]) not in (0, 28)] or (
        "+CME ERROR: 32" in [entry.get("line") for entry in wired.log]
    )


def test_a_half_written_call_never_calls_somebody_else():
    wired = Wired(speed=1)
    wired.command(GROUP_CALL)
    wired.run(1.0)
    wired.key("ATD100012")
    wired.run(7 * wired.STEP_S)
    wired.unkey()
    wired.run(1.0)
    assert wired.when("keyed") == []
    assert wired.keyer.released
    assert not any(line.startswith("ATD") and line[3:].isdigit() for line in wired.lines())


def test_a_release_that_is_not_confirmed_is_told_as_stuck_and_said_on():
    wired = Wired(dataclasses.replace(PROFILES["plain"], mute_releases=0))
    in_call(wired)
    wired.radio.power_off(wired.now_s)
    wired.unkey()
    wired.run(3.0)
    assert wired.states()[-1] == ("stuck", "unconfirmed")
    assert not wired.keyer.released
    wired.radio.power_on(wired.now_s)
    wired.run(3.0)
    assert wired.states()[-1] == ("idle", "released")


def test_an_answer_that_is_lost_is_asked_for_again():
    wired = Wired(dataclasses.replace(PROFILES["plain"], mute_releases=1))
    in_call(wired)
    wired.unkey()
    wired.run(0.6)
    assert wired.keyer.released
    assert wired.lines().count("AT+CUTXC=1") == 2


def test_a_grant_that_nobody_waits_for_is_released():
    wired = Wired()
    wired.network.talk("23404", "1000", wired.now_s)
    wired.run(0.1)
    wired.key("AT+CTXD=1,0")
    wired.hold(0.3)
    assert [one.number("grant") for one in wired.heard("CTXG")][-1] == 2
    wired.radio.calls[1].queued = True
    wired.keyer.told(Unkey(99), wired.now_s)
    wired.run(0.2)
    wired.radio.calls[1].queued = True
    wired.network.cease("1000", wired.now_s)
    wired.run(0.3)
    assert wired.when("keyed")
    assert not wired.keyed
    assert ("releasing", "stale_grant") in wired.states()


@pytest.mark.parametrize("line", ["ATD1000", "AT+CTXD=1,0", "ata", "AT+CREG?;D1000", "at d1000", "AT&F"])
def test_a_plain_command_never_keys(line):
    wired = Wired()
    number = wired.command(line)
    wired.run(0.2)
    assert wired.answer(number).text == "keying_command"
    assert wired.lines() == []


@pytest.mark.parametrize(("line", "data"), [("AT\rA/", ""), ("A/", ""), ("AT+名", ""), ("AT+CMGS=1,8", "00\x1aATD1\r")])
def test_a_plain_command_is_one_command(line, data):
    wired = Wired()
    number = wired.command(line, data)
    wired.run(0.2)
    assert wired.answer(number).text == "not_a_command"
    assert wired.lines() == []


@pytest.mark.parametrize("line", ["ATA", "AT+CTXD=1,0;D1", "AT", "ATD1\rATD2", ""])
def test_a_key_up_is_a_demand_or_a_call(line):
    wired = Wired()
    number = wired.key(line)
    wired.run(0.2)
    assert wired.answer(number).text == "not_a_key_up"
    assert wired.lines() == []


def test_a_call_that_begins_without_speaking_is_no_key_up():
    wired = Wired()
    wired.command("AT+CTSDC=0,0,0,1,1,0,1,1,0,0,0")
    wired.run(0.2)
    number = wired.command("ATD1000")
    wired.run(0.3)
    assert wired.answer(number).outcome == "ok"
    assert wired.when("keyed") == []
    wired.command(GROUP_CALL)
    wired.run(0.2)
    number = wired.command("ATD1000")
    wired.run(0.1)
    assert wired.answer(number).text == "keying_command"


def test_its_last_words_end_everything():
    wired = Wired()
    assert wired.keyer.last_words() == b""
    in_call(wired)
    wired.radio.feed(b"AT+CTGS=1,10", wired.now_s)
    wired.radio.feed(wired.keyer.last_words(), wired.now_s)
    assert not wired.keyed
    assert wired.radio.calls == {}


def test_only_the_configured_radio_and_sound_device_are_keyed():
    place = [True]
    wired = Wired(identity=ISSI, sound_device="usb-1", port_in_place=lambda: place[0])
    reasons = []

    def attempt(sound_device):
        number = wired.key("AT+CTXD=1,0", sound_device=sound_device)
        wired.run(0.1)
        reasons.append(wired.answer(number).text)

    attempt("usb-1")
    wired.command("AT+CNUMF?")
    wired.run(0.2)
    attempt("usb-2")
    place[0] = False
    attempt("usb-1")
    wired.radio.issi = "09011638300099999"
    wired.command("AT+CNUMF?")
    wired.run(0.2)
    attempt("usb-1")
    assert reasons == ["identity_unknown", "sound_device_mismatch", "port_mismatch", "identity_mismatch"]
    assert wired.when("keyed") == []


def test_a_keyer_that_follows_a_dead_one_releases_first():
    wired = Wired()
    wired.radio.profiles.add("2,0,0")
    wired.radio.calls[1] = call = wired.radio._new_call("1000", group=True, incoming=False, priority=0)
    wired.radio._key(call, wired.now_s)
    wired.keyer.recover(wired.now_s)
    wired.run(0.2)
    assert not wired.keyed
    assert wired.keyer.released


def test_a_silent_radio_is_let_be_at_the_start():
    wired = Wired()
    wired.radio.power_off(wired.now_s)
    wired.keyer.recover(wired.now_s)
    wired.run(2.0)
    assert wired.keyer.released
    assert not any(state == "stuck" for state, _ in wired.states())


def test_a_silent_radio_times_a_command_out_and_the_next_one_goes():
    wired = Wired()
    wired.radio.power_off(wired.now_s)
    first = wired.command("AT", timeout_s=0.3)
    wired.run(0.5)
    assert wired.answer(first).outcome == "timeout"
    wired.radio.power_on(wired.now_s)
    wired.run(0.5)
    second = wired.command("AT+CTOM?")
    wired.run(0.2)
    assert wired.answer(second).indications[0].number("mode") == 0


def test_waiting_commands_are_bounded():
    wired = Wired()
    wired.radio.power_off(wired.now_s)
    numbers = [wired.command("AT") for _ in range(80)]
    wired.run(0.1)
    assert wired.answer(numbers[-1]).text == "too_many"


STEPS = st.one_of(
    st.tuples(st.just("run"), st.floats(0.005, 0.4)),
    st.tuples(st.sampled_from(["renew", "other_renews", "unkey", "die", "talk", "cease", "end", "block", "unblock"])),
    st.tuples(st.just("command"), st.sampled_from(["AT+CTOM?", "AT+CTGS=1,1000", "nonsense"])),
    st.tuples(st.just("message"), st.integers(1, 60)),
    st.tuples(st.just("key"), st.sampled_from(["AT+CTXD=1,0", "ATD1000", "AT+CTXD=1,3"])),
    st.tuples(st.just("grant"), st.integers(0, 3)),
)


def do(wired, name, value=None):  # noqa: C901, PLR0912  # one for each kind of step
    match name:
        case "run":
            wired.run(value)
        case "renew" | "other_renews":
            wired.tell(Renew("operator" if name == "renew" else "patch"))
        case "unkey":
            wired.unkey()
        case "die":
            wired.keyer.parent_gone(wired.now_s)
        case "talk":
            wired.network.talk("23404", "1000", wired.now_s)
        case "cease":
            wired.network.cease("1000", wired.now_s)
        case "end":
            wired.network.end("1000", wired.now_s)
        case "block" | "unblock":
            wired.blocked = name == "block"
        case "command":
            wired.tell(Command(1000, value))
        case "message":
            wired.tell(Command(1001, "AT+CMGS=23404,240", "8204" + "41" * value))
        case "key":
            if not wired.keyer.gone:
                wired.tell(Key(1002, "operator", value))
        case "grant":
            wired.network.weather.grant = value


@settings(max_examples=150, deadline=None)
@given(
    st.lists(STEPS, max_size=25),
    st.sampled_from([5, 20, 60]),  # 9600, 38400 and 115200 bit/s
    st.sampled_from([0.05, 0.8]),
    st.booleans(),
    st.sampled_from(["plain", "sepura"]),
)
def test_in_every_interleaving_nothing_stays_keyed(steps, speed, message_s, deaf, profile):
    quirks = dataclasses.replace(PROFILES[profile], message_s=message_s, deaf_while_busy=deaf, hang_s=2.0)
    wired = Wired(quirks, hard_limit_s=3.0)
    wired.speed = speed
    wired.command(GROUP_CALL)
    wired.run(0.3)
    for name, *values in steps:
        do(wired, name, *values)
    wired.blocked = False
    released_by_s = wired.now_s + 0.5 + 0.5
    # What the radio does not hear is said again.
    released_by_s += 0.3 + (message_s + 0.6 if deaf else 0.0)
    wired.run(released_by_s - wired.now_s)
    assert not wired.keyed
    wired.run(4.0)
    assert not wired.keyed
    assert wired.keyer.released
