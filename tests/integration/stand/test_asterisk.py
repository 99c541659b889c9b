import asyncio
import signal
import subprocess

import pytest

from gateway.app.stand import asterisk
from gateway.app.stand.asterisk import find_asterisk
from gateway.app.stand.errors import ProgramMissingError
from tests.support.asterisk import asterisk_stand
from tests.support.wait import until

pytestmark = pytest.mark.integration


async def test_after_a_crash_it_starts_again_on_the_same_plan(tmp_path):
    async with asterisk_stand(tmp_path) as stand:
        stand.child.process.kill()
        assert await stand.child.process.ended() == -signal.SIGKILL
        await stand.child.start()

        async def answers() -> bool:
            return "Asterisk 2" in await stand.child.command("core show version")

        await until(answers, "the console's answer")


async def test_it_serves_on_loopback_alone(tmp_path):
    async with asterisk_stand(tmp_path) as stand:
        show = ["ss", "-Hlntup"]
        shown = await asyncio.to_thread(subprocess.run, show, capture_output=True, text=True, check=True, timeout=10)
        ours = [line.split() for line in shown.stdout.splitlines() if f"pid={stand.child.process.pid}," in line]
    sockets = {(fields[0], *fields[4].rsplit(":", 1)) for fields in ours}
    # the SIP library asks name servers from two sockets of its own, on ports that the kernel chooses
    questions = {found for found in sockets if found[0] == "udp" and found[1] != "127.0.0.1"}
    assert len(questions) <= 2
    assert not {int(port) for _, _, port in questions} & {stand.plan.sip_port, stand.plan.ami_port}
    assert sockets - questions == {
        ("tcp", "127.0.0.1", str(stand.plan.ami_port)),
        ("udp", "127.0.0.1", str(stand.plan.sip_port)),
    }


async def test_it_says_nothing_but_notices_when_it_starts(tmp_path):
    async with asterisk_stand(tmp_path) as stand:
        log = (stand.plan.folders.state / "log" / "messages.log").read_text(encoding="utf-8")
    assert "ERROR" not in log
    assert "WARNING" not in log


def test_a_named_folder_without_asterisk_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv(asterisk.ROOT_VARIABLE, str(tmp_path))
    with pytest.raises(ProgramMissingError):
        find_asterisk()
