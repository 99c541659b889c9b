import signal
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from gateway.app.stand.processes import Child
from tests.support import sound
from tests.support.wait import until

pytestmark = pytest.mark.integration


@pytest.fixture
async def demonstration(tmp_path):
    with tempfile.TemporaryDirectory(prefix="tl-") as run:
        program = Path(__file__).parent / "demo_program.py"
        root = Path(__file__).parents[3]
        child = Child(
            "demo", [sys.executable, program, tmp_path, run], log=tmp_path / "demo.log", env=_environment(root)
        )
        await child.start()
        yield child
        await child.stop()


def _environment(root: Path) -> dict[str, str]:
    import os

    return os.environ | {"PYTHONPATH": str(root)}


def _said(child: Child, text: str) -> bool:
    assert child.returncode is None, child.tail()
    return text in child.log.read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
async def test_whatever_ends_the_demonstration_ends_all_it_started(demonstration, number, tmp_path):
    await until(lambda: _said(demonstration, "tel.call_started"), "the demonstration call's event", 60)
    started = psutil.Process(demonstration.pid).children(recursive=True)
    assert len(started) >= 4
    if number == signal.SIGINT:
        await until(lambda: _said(demonstration, "now try this"), "the line on what to try", 60)
        (spoken,) = (tmp_path / "recordings").glob("*-in.alaw")
        assert max(map(abs, sound.decode(spoken.read_bytes()))) > 3000
    psutil.Process(demonstration.pid).send_signal(number)
    assert await demonstration.wait(20) == (-number if number == signal.SIGKILL else 0)
    await until(lambda: not any(process.is_running() for process in started), "the end of every program")
