"""A simulated modem in a process of its own, and the programs of others that talk to it."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.wait import until

ROOT = Path(__file__).parents[2]


class ModemProcess:
    def __init__(self, folder: Path, process: asyncio.subprocess.Process) -> None:
        self.port = folder / "modem"
        self._log = folder / "modem.log"
        self._process = process

    def lines(self, event: str) -> list[dict]:
        """Return what the network saw of one kind."""
        text = self._log.read_text(encoding="utf-8") if self._log.exists() else ""
        found = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in found if line["event"] == event]

    async def do(self, **control: object) -> None:
        self._process.stdin.write(json.dumps(control).encode() + b"\n")
        await self._process.stdin.drain()


@contextlib.asynccontextmanager
async def modem_process(folder: Path, *options: str) -> AsyncIterator[ModemProcess]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.app", "simulate", "modem"),
        *("--pty", str(folder / "modem"), "--log", str(folder / "modem.log"), *options),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
    )
    try:
        modem = ModemProcess(folder, process)
        await until(lambda: modem.lines("plugged"), "the simulated modem")
        yield modem
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def run(*command: str, deadline_s: float = 30.0) -> str:
    """Run a program to its end and return what it printed; it has to succeed."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), deadline_s)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, (command, process.returncode, out, err)
    return out.decode("utf-8", "replace")
