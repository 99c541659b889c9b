"""``trunkline simulate tetra`` as a program, with a driver and its keyer process on it."""

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gateway.core.clock import SystemClock
from tests.support.radio_rigs import Reporter
from tests.support.wait import until
from trunks.radio.driver import LinkHeard, StatusHeard, TalkStarted, Verdict
from trunks.radio.drivers.tetra import TetraDriver, TetraOptions

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
