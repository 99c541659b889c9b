"""`trunkline demo` as a newcomer starts it, and whatever ends it."""

import contextlib
import os
import re
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from gateway.app.paths import StatePaths
from gateway.app.stand.demo import Telephones
from gateway.app.stand.errors import NobodyAnsweredError
from gateway.app.stand.ports import free_ports
from gateway.app.stand.processes import Child
from gateway.app.stand.stand import Stand
from gateway.core.errors import Kind
from tests.support import sound
from tests.support.wait import until

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]
TOLD = ("call_started", "call_ringing", "call_answered", "call_ended")


@dataclass
class Demonstration:
    """One run of the program on the folder ``home``."""

    child: Child
    home: Path
    environment: dict[str, str]

    @property
    def state(self) -> Path:
        return self.home / "state" / "trunkline"

    @property
    def text(self) -> str:
        return self.child.log.read_text(encoding="utf-8")

    def says(self, text: str) -> bool:
        if text in self.text:
            return True
        assert self.child.returncode is None, self.text
        return False

    async def said(self, text: str) -> None:
        await until(lambda: self.says(text), f"{text!r} from the demonstration", 60)


@pytest.fixture
def home():
    with tempfile.TemporaryDirectory(prefix="tl-", dir="/tmp") as folder:
        yield Path(folder)


@contextlib.asynccontextmanager
async def demonstration(home: Path, **settings: object):
    """Run the demonstration; *settings* as in the environment, ports of its own unless they are given."""
    web, mqtt, ami, fastagi = free_ports(4)
    ports = {"WEB__PORT": web, "BUS__LISTENER__LOOPBACK_PORT": mqtt, "ASTERISK__AMI__PORT": ami}
    ports |= {"ASTERISK__FASTAGI__PORT": fastagi, "ASTERISK__SERVER__SIP_PORT": free_ports(1, udp=True)[0]}
    ports["ASTERISK__SERVER__TRUNK__PORT"] = free_ports(1, udp=True, host="127.0.0.2")[0]
    environment = os.environ | {"XDG_STATE_HOME": str(home / "state"), "XDG_CONFIG_HOME": str(home / "config")}
    environment |= {f"TRUNKLINE_{name}": str(value) for name, value in (ports | settings).items()}
    log = home / f"said-{web}"
    child = Child("demo", [sys.executable, "-m", "gateway.app", "demo"], log=log, env=environment, cwd=ROOT)
    try:
        await child.start()
        yield Demonstration(child, home, environment)
    finally:
        await child.stop()


def running(home: Path) -> list[psutil.Process]:
    """Every process that says in its arguments, folder or open files that it is of the demonstration in *home*."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(str(home) in word for word in (*process.cmdline(), process.environ().get("XDG_STATE_HOME", ""))):
                found.append(process)
    return found


@pytest.mark.parametrize("number", SIGNALS)
async def test_whatever_ends_it_ends_all_it_started_and_nothing_else(home, tmp_path, number):
    bystander = Child("bystander", [sys.executable, "-c", "import signal; signal.pause()"], log=tmp_path / "log")
    await bystander.start()
    try:
        async with demonstration(home) as demo:
            await demo.said("tel.call_answered")
            started = psutil.Process(demo.child.pid).children(recursive=True)
            assert len(started) >= 6, started  # broker, Asterisk, gateway, telephone, caller, network
            psutil.Process(demo.child.pid).send_signal(number)
            assert await demo.child.wait(30) == (-number if number == signal.SIGKILL else 0)
            await until(lambda: not any(one.is_running() for one in started), "the end of every program")
            assert running(home) == []
            assert bystander.returncode is None
    finally:
        await bystander.stop()


async def test_the_call_is_told_with_who_calls_and_what_to_try_next_twice(home):
    for turn in (1, 2):
        async with demonstration(home) as demo:
            await demo.said("Try next")
            for what in TOLD:
                (line,) = [line for line in demo.text.splitlines() if f"tel.{what} " in line]
                for word in ("13800001111", "城关镇人民政府", "单雄信", "值班镇长"):
                    assert word in line, line
            for hint in ("send tel.dial number=110", "status", "events --from-seq 1", "mosquitto_sub", "http://"):
                assert hint in demo.text, hint
            spoken = sorted((demo.state / "recordings").glob("*-in.alaw"))
            assert len(spoken) == turn
            assert max(map(abs, sound.decode(spoken[-1].read_bytes()))) > 3000
            if turn == 1:
                await nothing_is_given_away(demo)
                await the_doctor_finds_nothing_wrong(demo)
            demo.child._signal(signal.SIGINT)
            assert await demo.child.wait(30) == 0


async def the_doctor_finds_nothing_wrong(demo: Demonstration) -> None:
    """In another terminal, by the same settings."""
    command = [sys.executable, "-m", "gateway.app", "doctor"]
    doctor = Child("doctor", command, log=demo.home / "doctor", env=demo.environment, cwd=ROOT)
    await doctor.start()
    assert await doctor.wait(60) == 0, doctor.tail()
    assert "asterisk" in doctor.tail()


async def nothing_is_given_away(demo: Demonstration) -> None:
    """No file is open to others, and no secret stands in a file that may be shown, a log or a list of processes."""
    paths = StatePaths(demo.state)
    # "broker-session" is a part of the client's name at the broker, which keeps it in a file of its own.
    kept = (path for path in (demo.state / "credentials").iterdir() if path.name != "broker-session")
    secrets = {path.read_text(encoding="ascii").strip() for path in kept}
    secrets |= set(re.findall(r"sign in as admin / (\S+)|-P (\S+)", demo.text)[0]) - {""}
    assert len(secrets) >= 6
    # the broker keeps the name of the gateway's session, which nobody else may guess
    may_hold = {"credentials", "manager.conf", "pjsip.conf", "accounts", "mosquitto.db"}
    for path in (paths.root, *paths.root.rglob("*")):
        mode = path.stat().st_mode & 0o777
        assert mode & 0o007 == 0, f"{path} is open to others: {mode:o}"
        if path.is_file() and not may_hold & {path.name, path.parent.name}:
            content = path.read_bytes()
            assert not [one for one in secrets if one.encode() in content], path
        elif path.is_file():
            assert mode == 0o600, f"{path}: {mode:o}"
    assert paths.root.stat().st_mode & 0o777 == 0o700
    assert (paths.broker / "mqtt.sock").stat().st_mode & 0o777 == 0o770
    assert paths.socket.stat().st_mode & 0o777 == 0o660
    for process in (psutil.Process(demo.child.pid), *psutil.Process(demo.child.pid).children(recursive=True)):
        words = " ".join((*process.cmdline(), *process.environ().values()))
        assert not [one for one in secrets if one in words], process


async def test_a_port_that_is_taken_is_replaced_and_this_is_said(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with demonstration(home, WEB__PORT=port) as demo:
            await demo.said("Try next")
            assert f"port {port} is taken by another program" in demo.text
            (address,) = re.findall(r"http://127\.0\.0\.1:(\d+)/", demo.text)
            assert int(address) != port
            with socket.create_connection(("127.0.0.1", int(address)), timeout=5):
                pass


@pytest.mark.parametrize("missing", ["mosquitto", "asterisk"])
async def test_a_program_that_is_missing_is_named_with_what_to_do(home, missing):
    programs = home / "bin"
    programs.mkdir()
    environment = {"TRUNKLINE_ASTERISK_ROOT": str(home / "nowhere")} if missing == "asterisk" else {}
    child = Child(
        "demo",
        [sys.executable, "-c", WITHOUT, *([missing] if missing == "mosquitto" else [])],
        log=home / "said",
        env=os.environ | {"XDG_STATE_HOME": str(home), "XDG_CONFIG_HOME": str(home), "LANG": "C.UTF-8"} | environment,
        cwd=ROOT,
    )
    await child.start()
    try:
        assert await child.wait(30) == Kind.FAILED.exit_code, child.tail()
    finally:
        await child.stop()
    assert "[stand.program_missing]" in child.tail()
    assert missing in child.tail()
    assert "make setup" in child.tail()
    assert "Traceback" not in child.tail()


# the command line on a machine whose search for programs does not find the one named
WITHOUT = """
import shutil, sys
found = shutil.which
missing = sys.argv[1:]
shutil.which = lambda name, *rest, **more: None if name in missing else found(name, *rest, **more)
from gateway.app.cli import main
sys.argv = ["trunkline", "demo", "--once"]
main()
"""


async def test_a_call_that_nobody_answers_ends_with_where_to_look(home, monkeypatch):
    monkeypatch.setattr("gateway.app.stand.demo._ANSWER_S", 2.0)
    async with Stand(home / "state") as stand:
        (stand.paths.root / "demo").mkdir()
        with pytest.raises(NobodyAnsweredError, match=r"gateway\.log"):
            await Telephones(stand).call_for_help()
