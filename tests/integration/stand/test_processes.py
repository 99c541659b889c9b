import os
import signal
import sys
from pathlib import Path

import pytest

from gateway.app.stand.errors import ProgramFailedError, ProgramMissingError
from gateway.app.stand.ports import free_ports
from gateway.app.stand.processes import Child, accepts, find_program
from tests.support.wait import until

pytestmark = pytest.mark.integration


async def _never() -> bool:
    return False


@pytest.fixture
async def start(tmp_path):
    children = []

    async def run(program: str, ready=None, deadline_s=5.0) -> Child:
        child = Child("program", [sys.executable, "-c", program], log=tmp_path / "log")
        children.append(child)
        await child.start(ready, deadline_s)
        return child

    yield run
    for child in children:
        await child.stop(0.1)


async def test_it_is_ready_when_it_says_so(start):
    (port,) = free_ports(1)
    program = f"import socket,signal;s=socket.create_server(('127.0.0.1',{port}));signal.pause()"
    child = await start(program, lambda: accepts("127.0.0.1", port))
    assert await accepts("127.0.0.1", port)
    assert await child.stop() == -signal.SIGTERM
    assert not await accepts("127.0.0.1", port)


async def test_an_early_end_is_told_with_its_last_words(start):
    with pytest.raises(ProgramFailedError) as caught:
        await start("import sys; sys.exit('没有许可证')", _never)
    assert "没有许可证" in caught.value.message()
    assert "ended with 1" in caught.value.message()


async def test_a_program_that_is_never_ready_is_ended(start, tmp_path):
    with pytest.raises(ProgramFailedError) as caught:
        await start("import os,signal;print(os.getpid(),flush=True);signal.pause()", _never, 0.5)
    assert "was not ready within 0.5 s" in caught.value.message()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "log").read_text()), 0)


async def test_a_program_that_ignores_the_request_is_killed(start, tmp_path):
    program = "import signal;signal.signal(15,signal.SIG_IGN);print('up',flush=True)\nwhile True: signal.pause()"
    child = await start(program)
    await until(lambda: child.tail() == "up", "the program")
    assert await child.stop(0.2) == -signal.SIGKILL


async def test_a_program_that_hangs_is_ended(start):
    child = await start("import signal;signal.pause()")
    child.pause()
    assert await child.stop() == -signal.SIGTERM


async def test_what_it_started_is_ended_too(start, tmp_path):
    program = "import subprocess,sys,time;p=subprocess.Popen(['sleep','600']);print(p.pid,flush=True);time.sleep(600)"
    child = await start(program)
    pid = int(await until(child.tail, "the grandchild"))
    await child.stop()

    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        try:
            return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    await until(gone, "the end of the grandchild")


async def test_it_does_not_see_the_terminals_ctrl_c(start):
    child = await start("import signal;signal.pause()")
    assert os.getsid(child.pid) == child.pid


async def test_a_bad_exit_code_is_an_error(start):
    child = await start("import sys; sys.exit(3)")
    with pytest.raises(ProgramFailedError, match="ended with 3"):
        await child.check(5)


async def test_stopping_twice_or_before_the_start_is_nothing(start, tmp_path):
    assert await Child("x", ["x"], log=tmp_path / "x").stop() is None
    child = await start("pass")
    await child.check(5)
    assert await child.stop() == 0
    assert await child.stop() == 0


def test_a_missing_program_is_named():
    with pytest.raises(ProgramMissingError, match="no-such-program"):
        find_program("no-such-program")


async def test_the_exit_code_is_told_however_soon_another_signal_follows(start):
    for _ in range(30):
        child = await start("import signal; signal.pause()")
        child.kill()
        assert await child.stop() == -signal.SIGKILL
