import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunks.radio.handshake import ANTI_LOCK_S, CLOSE_S, OPEN_S, LinesKeyer, SquelchRule
from trunks.radio.keyer_messages import Answer, Command, Key, Renew, Squelch, Transmitter, Unkey
from trunks.radio.lease import Lease
from trunks.radio.vox import VoxRule


class FakePort:
    def __init__(self):
        self.out = set()
        self.raised = set()

    def set_lines(self, lines, *, on):
        self.out = self.out | set(lines) if on else self.out - set(lines)

    def line(self, line):
        return line in self.raised


def test_it_is_keyed_while_renewed_and_lowered_on_the_lapse():
    port = FakePort()
    keyer = LinesKeyer(port, ptt_lines=("rts", "dtr"))
    keyer.told(Key(1, "operator"), 0.0)
    assert port.out == {"rts", "dtr"}
    keyer.told(Renew("operator"), 0.4)
    keyer.tick(0.89)
    assert not keyer.released
    assert keyer.deadline_s() == pytest.approx(0.9)
    keyer.tick(0.9)
    assert port.out == set()
    assert keyer.messages() == [Transmitter("keyed", "operator"), Answer(1, "ok"), Transmitter("idle", "lapsed")]


def test_the_death_of_the_parent_lowers_the_lines():
    port = FakePort()
    keyer = LinesKeyer(port)
    keyer.told(Key(1, "operator"), 0.0)
    keyer.parent_gone(0.1)
    assert port.out == set()
    assert keyer.released


def test_the_wrong_sound_device_another_holder_and_the_hard_limit_are_refused():
    keyer = LinesKeyer(FakePort(), sound_device="usb-1", lease=Lease(1.0))
    keyer.told(Key(1, "operator", sound_device="usb-2"), 0.0)
    keyer.told(Key(2, "operator", sound_device="usb-1"), 0.0)
    keyer.told(Key(3, "patch", sound_device="usb-1"), 0.1)
    for tenth in range(1, 11):
        keyer.told(Renew("operator"), tenth / 10)
    keyer.told(Key(4, "operator", sound_device="usb-1"), 1.1)
    keyer.told(Command(5, "AT"), 1.1)
    keyer.told(Unkey(6), 1.2)
    keyer.told(Key(7, "operator", sound_device="usb-1"), 1.3)
    answers = {one.id: one.text or one.outcome for one in keyer.messages() if isinstance(one, Answer)}
    assert answers == {
        1: "sound_device_mismatch",
        2: "ok",
        3: "held",
        4: "time_limit",
        5: "no_data_protocol",
        6: "ok",
        7: "ok",
    }


def test_the_squelch_is_told_and_chatter_is_not():
    port = FakePort()
    keyer = LinesKeyer(port, squelch_line="dcd")
    now_s = 0.0

    def wait(duration_s):
        nonlocal now_s
        for _ in range(round(duration_s / 0.02)):
            now_s += 0.02
            keyer.tick(now_s)

    port.raised = {"dcd"}
    wait(0.02)
    port.raised = set()
    wait(0.2)
    assert keyer.messages() == []
    port.raised = {"dcd"}
    wait(0.1)
    assert keyer.messages() == [Squelch(open=True)]
    port.raised = set()
    wait(0.2)
    assert keyer.messages() == [Squelch(open=False)]


def test_its_own_transmitter_does_not_open_the_squelch():
    rule = SquelchRule()
    told = [rule.see(raised=True, transmitting=step < 50, now_s=step / 100) for step in range(100)]
    first = told.index(True)
    assert first / 100 >= 0.49 + ANTI_LOCK_S
    assert all(one is None for one in told[:first])


def test_an_inverted_line():
    rule = SquelchRule(inverted=True)
    assert [rule.see(raised=False, transmitting=False, now_s=step * OPEN_S) for step in range(3)][1]


@given(st.lists(st.booleans(), max_size=200))
def test_a_squelch_changes_only_after_its_time(looks):
    rule, changes = SquelchRule(), []
    for step, raised in enumerate(looks):
        if (changed := rule.see(raised=raised, transmitting=False, now_s=step / 100)) is not None:
            changes.append((step / 100, changed))
            needed = round((OPEN_S if changed else CLOSE_S) * 100)
            assert all(one == changed for one in looks[step - needed : step + 1])
    assert all(first[1] != second[1] for first, second in itertools.pairwise(changes))


def test_a_voice_opens_and_silence_closes_after_the_hang_time():
    vox = VoxRule()
    told = [(step, vox.hear(-20.0 if step < 50 else -60.0, transmitting=False, now_s=step / 50)) for step in range(150)]
    changes = [(step / 50, one) for step, one in told if one is not None]
    assert changes == [(0.04, True), (pytest.approx(1.8), False)]
    assert vox.pre_roll_s > vox.attack_s


def test_vox_is_deaf_to_its_own_transmitter():
    vox = VoxRule()
    assert all(vox.hear(-10.0, transmitting=True, now_s=step / 50) is None for step in range(100))
    vox.open = True
    assert vox.hear(-10.0, transmitting=True, now_s=3.0) is False
