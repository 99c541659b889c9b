"""``trunkline simulate tetra`` as a program, with a driver and its keyer process on it."""

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from gateway.core.clock import SystemClock
from tests.support.radio_rigs import Reporter
from tests.support.wait import until
from trunks.radio.driver import LinkHeard, StatusHeard, TalkStarted, Verdict
from trunks.radio.drivers.tetra import TetraDriver, TetraOptions
from trunks.radio.errors import KeyerLostError
from trunks.radio.simulated_make import PROFILES
from trunks.radio.simulator_pty import PtySimulator

pytestmark = pytest.mark.integration


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="tl-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def program(folder):
    arguments = ["simulate", "tetra", "--pty", str(folder / "radio"), "--log", str(folder / "log"), "--control"]
    program = subprocess.Popen([sys.executable, "-m", "gateway.app", *arguments], stdin=subprocess.PIPE, text=True)
    yield program
    program.terminate()
    assert program.wait(5) == 0
    program.stdin.close()
    assert not (folder / "radio").exists()


def do(program, **action):
    program.stdin.write(json.dumps(action) + "\n")
    program.stdin.flush()


def entries(folder):
    return [json.loads(line) for line in (folder / "log").read_text(encoding="utf-8").splitlines()]


class Plugged:
    """A radio with *identity* at a port, until it is unplugged."""

    def __init__(self, folder, name, identity):
        self.log = folder / f"{name}.log"
        self._file = self.log.open("w", encoding="utf-8")
        (folder / "ports").mkdir(exist_ok=True)
        self._radio = PtySimulator(folder / "ports" / name, identity, PROFILES["plain"], self._file)
        self._thread = threading.Thread(target=self._radio.run, name=name)
        self._thread.start()

    def entries(self, event):
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]

    def unplug(self):
        self._radio.stop()
        self._thread.join()
        self._file.close()


async def test_a_radio_is_found_by_its_identity_and_again_on_another_port(folder):
    ours, other = "09011638300023401", "09011638300099999"
    stranger, radio = Plugged(folder, "a", other), Plugged(folder, "b", ours)
    again = None
    options = TetraOptions(identity=ours, ports=(str(folder / "ports" / "*"),), group="1000")
    driver, events, reporter = TetraDriver("radio-1", options, SystemClock()), [], Reporter()
    driver.listen(events.append)
    try:
        await until(lambda: stranger.entries("sent") and radio.entries("sent"), "both have booted")
        running = asyncio.create_task(driver.run(reporter), name="driver")
        await until(lambda: reporter.states == ["ready"], "it is found")
        assert await driver.ptt.key("operator") is Verdict.GRANTED
        await until(lambda: radio.entries("keyed"), "it is keyed")
        radio.unplug()
        with pytest.raises(KeyerLostError):
            await running
        assert events[-1].up is False
        again = Plugged(folder, "c", ours)
        await until(lambda: again.entries("sent"), "it has booted")
        running = asyncio.create_task(driver.run(reporter), name="driver")
        await until(lambda: reporter.states == ["ready", "ready"], "it is found again")
        running.cancel()
        await asyncio.wait([running])
        said = [entry["line"] for entry in stranger.entries("received")]
        assert set(said) == {"AT", "AT+CNUMF?"}
        assert not stranger.entries("keyed")
    finally:
        stranger.unplug()
        if again is not None:
            again.unplug()


async def test_a_driver_on_the_simulated_radio(program, folder):
    await until((folder / "log").exists, "the radio appears")
    options = TetraOptions(identity="09011638300023401", ports=(str(folder / "rad*"),), group="1000")
    driver, events, reporter = TetraDriver("radio-1", options, SystemClock()), [], Reporter()
    driver.listen(events.append)
    await until(lambda: [entry for entry in entries(folder) if entry["event"] == "sent"], "it has booted")
    running = asyncio.create_task(driver.run(reporter), name="driver")
    try:
        await until(lambda: LinkHeard(up=True) in events, "the radio is found")
        await until(lambda: reporter.states == ["ready"], "it is ready")
        assert await driver.ptt.key("operator") is Verdict.GRANTED
        await until(lambda: [entry for entry in entries(folder) if entry["event"] == "unkeyed"], "it lapses")
        do(program, do="talk", talker="23404", group="1000")
        await until(lambda: [one for one in events if isinstance(one, TalkStarted)], "somebody speaks")
        do(program, do="nonsense")
        do(program, **{"do": "message", "from": "23404", "service": 13, "data": "0000"})
        await until(lambda: StatusHeard("23404", options.identity, 0) in events, "the cry for help arrives")
    finally:
        running.cancel()
        await asyncio.wait([running])
    (keyed,) = [entry["t"] for entry in entries(folder) if entry["event"] == "keyed"]
    (unkeyed,) = [entry["t"] for entry in entries(folder) if entry["event"] == "unkeyed"]
    assert 0.3 < unkeyed - keyed < 1.0
    assert [entry for entry in entries(folder) if entry["event"] == "bad_control"]
