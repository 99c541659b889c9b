"""The keyer as a process, on a pseudo terminal; the simulated radio's log is the witness."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.support.wait import until
from trunks.radio.errors import KeyerLostError, KeyRefusedError
from trunks.radio.keyer_client import KeyerClient
from trunks.radio.keyer_messages import Setup, Transmitter
from trunks.radio.simulated_make import PROFILES
from trunks.radio.simulator_pty import PtySimulator

pytestmark = pytest.mark.integration
ISSI = "09011638300023401"
LIMIT_S = 0.5


class Bench:
    """A simulated radio at ``port``, and parents that key it."""

    def __init__(self, folder):
        self.port = folder / "radio"
        self.log = folder / "log"
        self.parents = []
        self._thread = None

    def power(self, quirks=PROFILES["plain"]):
        file = self.log.open("a", encoding="utf-8")
        self.radio = PtySimulator(self.port, ISSI, quirks, file)
        self._thread = threading.Thread(target=self._serve, args=(file,), name="simulator")
        self._thread.start()
        end_s = time.monotonic() + 5
        while not self.entries("sent") and time.monotonic() < end_s:
            time.sleep(0.01)

    def _serve(self, file):
        with file:
            self.radio.run()

    def entries(self, event):
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]

    def parent(self, after_s, message="none"):
        arguments = [sys.executable, "-m", "tests.support.radio_parent", str(self.port), str(after_s), message]
        parent = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        self.parents.append(parent)
        word, keyer = parent.stdout.readline().split()
        assert word == "keyed"
        return parent, int(keyer)

    def close(self):
        for parent in self.parents:
            parent.kill()
            parent.wait()
            parent.stdout.close()
        if self._thread is not None:
            self.radio.stop()
            self._thread.join()


@pytest.fixture
def bench():
    with tempfile.TemporaryDirectory(prefix="tl-", dir="/tmp") as folder:
        bench = Bench(Path(folder))
        try:
            yield bench
        finally:
            bench.close()


async def unkeyed_after(bench, since_s):
    (entry,) = await until(lambda: bench.entries("unkeyed"), "the radio is un-keyed", 5)
    return entry["t"] - since_s


@pytest.mark.parametrize("message", ["none", "message"])
async def test_a_parent_that_is_killed(bench, message):
    bench.power(dataclasses.replace(PROFILES["plain"], message_s=5.0))
    parent, keyer = bench.parent(30, message)
    await until(lambda: bench.entries("keyed"), "the radio is keyed")
    if message == "message":
        await until(lambda: bench.entries("message"), "the message waits for its answer")
    killed_s = time.monotonic()
    os.kill(parent.pid, signal.SIGKILL)
    assert 0 <= await unkeyed_after(bench, killed_s) <= LIMIT_S
    parent.wait()
    await until(lambda: not psutil.pid_exists(keyer), "the keyer ends")


@pytest.mark.parametrize("message", ["none", "message"])
async def test_a_parent_that_hangs(bench, message):
    bench.power(dataclasses.replace(PROFILES["plain"], message_s=5.0))
    parent, keyer = bench.parent(30, message)
    await until(lambda: bench.entries("keyed"), "the radio is keyed")
    if message == "message":
        await until(lambda: bench.entries("message"), "the message waits for its answer")
    os.kill(parent.pid, signal.SIGSTOP)
    stopped_s = time.monotonic()
    # The last renewal lies at most 0.1 s before the stop: it lapses 0.4 to 0.5 s after it.
    assert 0.3 <= await unkeyed_after(bench, stopped_s) <= 0.5 + LIMIT_S
    assert psutil.pid_exists(keyer)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    await until(lambda: not psutil.pid_exists(keyer), "the keyer ends")


async def test_a_parent_that_lets_go(bench):
    bench.power()
    parent, _ = bench.parent(0.5)
    await until(lambda: bench.entries("unkeyed"), "the radio is un-keyed")
    assert parent.wait() == 0
    assert not [entry for entry in bench.entries("received") if "ATZ" in entry["line"]]


async def test_a_keyer_that_is_killed_is_followed_by_one_that_releases(bench):
    bench.power()
    lost = []
    first = KeyerClient("radio-1", Setup("pei", str(bench.port)), lost.append)
    await first.start()
    for line in ("AT+CTSP=2,0,0", "AT+CTSDC=0,0,0,1,1,0,1,1,1,0,0"):
        await until(lambda line=line: _ok(first, line), "the radio answers")
    await first.key("operator", "ATD1000")
    await until(lambda: bench.entries("keyed"), "the radio is keyed")
    os.kill(first.pid, signal.SIGKILL)
    await until(first.lost.is_set, "the loss is noticed")
    with pytest.raises(KeyerLostError):
        await first.command("AT")
    await first.stop()
    second = KeyerClient("radio-1", Setup("pei", str(bench.port)), lost.append)
    started_s = time.monotonic()
    await second.start()
    second.recover()
    try:
        assert await unkeyed_after(bench, started_s) < 2.0
    finally:
        await second.stop()


async def test_the_wrong_radio_is_not_keyed_and_a_lapse_is_told(bench):
    bench.power()
    told = []
    keyer = KeyerClient("radio-1", Setup("pei", str(bench.port), identity=ISSI, sound_device="usb-1"), told.append)
    await keyer.start()
    try:
        await until(lambda: _ok(keyer, "AT+CTSP=2,0,0"), "the radio answers")
        with pytest.raises(KeyRefusedError, match="identity_unknown"):
            await keyer.key("operator", "ATD1000", sound_device="usb-1")
        await keyer.command("AT+CNUMF?")
        with pytest.raises(KeyRefusedError, match="sound_device_mismatch"):
            await keyer.key("operator", "ATD1000", sound_device="usb-2")
        await keyer.command("AT+CTSDC=0,0,0,1,1,0,1,1,1,0,0")
        await keyer.key("operator", "ATD1000", sound_device="usb-1")
        await until(lambda: Transmitter("releasing", "lapsed") in told, "the lapse is told")
        await until(lambda: Transmitter("idle", "released") in told, "the release is told")
    finally:
        await keyer.stop()


@pytest.mark.parametrize("end", ["nonsense", "terminated"])
async def test_whatever_ends_a_keyer_it_does_not_end_keyed(bench, end):
    bench.power()
    keyer = KeyerClient("radio-1", Setup("pei", str(bench.port)), lambda _: None)
    await keyer.start()
    await keyer.command("AT+CTSDC=0,0,0,1,1,0,1,1,1,0,0")
    await keyer.key("operator", "ATD1000")
    await until(lambda: bench.entries("keyed"), "the radio is keyed")
    ended_s = time.monotonic()
    if end == "nonsense":
        keyer._socket.send(b"{")
    else:
        os.kill(keyer.pid, signal.SIGTERM)
    assert await unkeyed_after(bench, ended_s) <= LIMIT_S
    await until(keyer.lost.is_set, "the keyer ends")
    await keyer.stop()


async def test_a_port_that_goes_away(bench):
    bench.power()
    keyer = KeyerClient("radio-1", Setup("pei", str(bench.port)), lambda _: None)
    await keyer.start()
    await until(lambda: _ok(keyer, "AT"), "the radio answers")
    bench.close()
    await until(keyer.lost.is_set, "the loss is noticed")
    assert keyer.reason
    await keyer.stop()


async def test_a_port_that_is_not_there(tmp_path):
    keyer = KeyerClient("radio-1", Setup("pei", str(tmp_path / "none")), lambda _: None)
    await keyer.start()
    with pytest.raises(KeyerLostError):
        await keyer.command("AT")
    await keyer.stop()


async def _ok(keyer, line):
    return (await keyer.command(line)).outcome == "ok"
