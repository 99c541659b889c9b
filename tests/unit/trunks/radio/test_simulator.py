"""The simulated radio against the tables of the protocol, octet by octet."""

import dataclasses

from tests.support.radio import ISSI
from trunks.radio.simulated_make import PROFILES
from trunks.radio.simulated_network import SimulatedNetwork
from trunks.radio.simulator import TetraSimulator


class Wire:
    def __init__(self, quirks=PROFILES["plain"], count=1):
        self.now_s = 0.0
        self.log = []
        self.network = SimulatedNetwork()
        self.radios = [
            TetraSimulator(f"{int(ISSI) + number:017}", self.network, quirks=quirks, log=self.log.append)
            for number in range(count)
        ]
        for radio in self.radios:
            self.network.add(radio)
            radio.power_on(0.0)

    def wait(self, duration_s):
        end_s = self.now_s + duration_s
        while (deadline_s := self.network.deadline_s()) is not None and deadline_s <= end_s:
            self.now_s = max(self.now_s, deadline_s)
            self.network.tick(self.now_s)
        self.now_s = end_s

    def say(self, octets, radio=0, wait_s=0.0):
        self.radios[radio].feed(octets, self.now_s)
        self.wait(wait_s)
        return self.read(radio)

    def read(self, radio=0):
        return b"".join(self.radios[radio].output())


def booted(*arguments, **options):
    wire = Wire(*arguments, **options)
    wire.wait(1.0)
    for number in range(len(wire.radios)):
        wire.read(number)
        wire.say(b"ATE0\rAT+CTSP=2,0,0\rAT+CTSP=1,3,130\rAT+CTSP=1,2,20\r", number)
    return wire


def test_it_boots_in_silence_then_garbage_then_searching_then_home():
    wire = Wire()
    assert wire.say(b"AT\r") == b""
    wire.wait(1.0)
    assert wire.read() == b"\x00\xff\x8e\x01\r\n+CREG: 0\r\n\r\n+CREG: 1,0042,09011638\r\n"


def test_echo_and_errors():
    wire = Wire()
    wire.wait(1.0)
    wire.read()
    assert wire.say(b"AT\r") == b"AT\r\r\nOK\r\n"
    assert wire.say(b"ATE0\r") == b"ATE0\r\r\nOK\r\n"
    assert wire.say(b"AT+NONSENSE\r") == b"\r\n+CME ERROR: 35\r\n"
    assert wire.say(b"AT+CTXD=1,0\r") == b"\r\n+CME ERROR: 3\r\n"
    assert wire.say(b"no command\r") == b""


def test_a_group_call_from_demand_to_hang_time():
    wire = booted(dataclasses.replace(PROFILES["plain"], hang_s=1.0))
    told = wire.say(b"AT+CTSDC=0,0,0,1,1,0,1,1,1,0,0\rATD1000\r", wait_s=0.1)
    assert b"+CTOCP: 1,0" in told
    assert told.endswith(b"+CTXG: 1,0,0,0\r\n")
    assert wire.say(b"AT+CUTXC=1\r") == b"\r\nOK\r\n"
    wire.wait(1.1)
    assert wire.read() == b"\r\n+CTCR: 1,13\r\n"


def test_user_data_that_are_late():
    wire = booted()
    assert wire.say(b"AT+CMGS=23404,32\r\n8210", wait_s=3.0) == b"\r\n+CME ERROR: 37\r\n"
    assert wire.say(b"AT\r") == b"\r\nOK\r\n"


def test_a_message_is_accepted_sent_and_reported():
    wire = booted()
    told = wire.say(b"AT+CTSDS=12,0,0,0,1\rAT+CMGS=23404,40\r\n8204080141\x1a", wait_s=0.5)
    assert told == (
        b"\r\nOK\r\n\r\n+CMGS: 1\r\n\r\nOK\r\n\r\n+CMGS: 1,4,1\r\n"
        + f"\r\n+CTSDSR: 12,23404,0,{ISSI},0,32\r\n\r\n82100008\r\n".encode()
    )


def test_two_radios_hear_each_other_and_the_log_says_who_was_on_the_air():
    wire = booted(count=2)
    wire.say(b"AT+CTSDC=0,0,0,1,1,0,1,1,1,0,0\rATD1000\r", wait_s=0.2)
    assert f"+CTXG: 1,3,0,0,3,{ISSI}".encode() in wire.read(1)
    wire.say(b"AT+CUTXC=1\r")
    assert b"+CDTXC: 1,0" in wire.read(1)
    assert [entry["event"] for entry in wire.log if "keyed" in entry["event"]] == ["keyed", "unkeyed"]


def test_what_the_radio_was_not_asked_for_is_not_handed_on():
    wire = booted()
    wire.radios[0].power_on(wire.now_s)
    wire.wait(1.0)
    wire.read()
    wire.radios[0].receive("23404", ISSI, 13, "0000", wire.now_s)
    assert wire.network.radios[ISSI].incoming("23404", "1000", wire.now_s, group=True) is None
    assert wire.read() == b""


def test_reset_reboots_it():
    wire = booted()
    assert wire.say(b"ATZ\r", wait_s=0.1) == b""


def test_one_octet_a_write_and_several_lines_a_write():
    single = booted(dataclasses.replace(PROFILES["plain"], single_octets=True))
    single.radios[0].feed(b"AT\r", single.now_s)
    assert all(len(chunk) == 1 for chunk in single.radios[0].output())
    together = booted(PROFILES["sepura"])
    together.radios[0].feed(b"AT\rAT\r", together.now_s)
    assert len(together.radios[0].output()) == 1
