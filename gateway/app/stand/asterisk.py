"""A real Asterisk, run in the foreground from a written plan."""

import asyncio
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from config.asterisk.plan import AsteriskPlan
from config.asterisk.render import cel_file, write
from gateway.app.stand.errors import ProgramFailedError, ProgramMissingError
from gateway.app.stand.processes import Child, find_program
from gateway.core.errors import DeadlineError

ROOT_VARIABLE = "TRUNKLINE_ASTERISK_ROOT"
LOWEST_VERSION = 20

_VERSION = re.compile(r"Asterisk (\d+)\.(\d[\w.]*)")


@dataclass(frozen=True, slots=True)
class Installation:
    """An Asterisk that is there: how it is started, where its modules and its data are."""

    command: tuple[str, ...]
    modules: Path
    data: Path
    version: str


def cache_folder() -> Path:
    """Return where set-up keeps Asterisk's folders: outside the checkout, shared by all checkouts of the user."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "trunkline"


def find_asterisk() -> Installation:
    """Return the Asterisk to run: a folder named by the environment, the distribution's, or the cached folder.

    Blocking. Raises :class:`ProgramMissingError` when there is none of version 20 or later.
    """
    named = os.environ.get(ROOT_VARIABLE, "")
    if named:
        return _in_folder(Path(named))
    try:
        return _packaged()
    except ProgramMissingError:
        folders = sorted(cache_folder().glob("asterisk-*/usr/sbin/asterisk"), key=lambda path: path.stat().st_mtime)
        if not folders:
            raise
    return _in_folder(folders[-1].parents[2])


def _packaged() -> Installation:
    program = find_program("asterisk")
    libraries = sorted(Path("/usr/lib").glob("*/asterisk/modules"))
    modules = libraries[0] if libraries else Path("/usr/lib/asterisk/modules")
    return _checked((program,), modules, Path("/usr/share/asterisk"))


def _in_folder(root: Path) -> Installation:
    loaders = sorted(root.glob("usr/lib/*-linux-gnu*/ld-linux-*.so.*"))
    program = root / "usr/sbin/asterisk"
    if not loaders or not program.exists():
        raise ProgramMissingError(program=f"asterisk ({root})")
    libraries = loaders[0].parent
    command = (str(loaders[0]), "--library-path", str(libraries), str(program))
    return _checked(command, libraries / "asterisk" / "modules", root / "usr/share/asterisk")


def _checked(command: tuple[str, ...], modules: Path, data: Path) -> Installation:
    try:
        answer = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ProgramMissingError(program=command[-1]) from error
    found = _VERSION.search(answer.stdout)
    if found is None or int(found[1]) < LOWEST_VERSION:
        raise ProgramMissingError(program=f"asterisk >= {LOWEST_VERSION} ({answer.stdout.strip()})")
    return Installation(command, modules, data, f"{found[1]}.{found[2]}")


class AsteriskChild:
    """One running Asterisk of our own."""

    def __init__(self, installation: Installation, plan: AsteriskPlan) -> None:
        self.plan = plan
        self.installation = installation
        self._main = plan.folders.config / "asterisk.conf"
        self._child = self._new_child()

    @property
    def process(self) -> Child:
        """The process, to be killed, paused or resumed."""
        return self._child

    @property
    def cel(self) -> Path:
        """The CSV file of channel events."""
        return cel_file(self.plan)

    async def start(self, deadline_s: float = 20.0) -> None:
        """Write the configuration, start Asterisk and wait until it takes calls and AMI logins.

        After it has ended, by itself or not, it may be started again.
        """
        await asyncio.to_thread(write, self.plan)
        self._child = self._new_child()
        await self._child.start(self._booted, deadline_s)

    async def stop(self) -> None:
        """End it, and every call with it."""
        await self._child.stop()

    async def command(self, line: str, deadline_s: float = 5.0) -> str:
        """Return the console's answer to *line*. Raises :class:`ProgramFailedError` or :class:`DeadlineError`."""
        process = await asyncio.create_subprocess_exec(
            *self.installation.command,
            *("-C", str(self._main), "-rx", line),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(deadline_s):
                output, _ = await process.communicate()
        except BaseException as error:
            if process.returncode is None:
                process.kill()
                await process.wait()
            if isinstance(error, TimeoutError):
                raise DeadlineError(what=f"asterisk -rx {line!r}", timeout_s=deadline_s) from error
            raise
        text = output.decode("utf-8", "replace")
        if process.returncode != 0:
            raise ProgramFailedError(
                program="asterisk -r", what=f"ended with {process.returncode}", tail=text, log=self._child.log
            )
        return text

    def _new_child(self) -> Child:
        # -f foreground, -p is not given: real-time priority needs rights that a private instance has not
        command = (*self.installation.command, "-f", "-C", str(self._main))
        return Child("asterisk", command, log=self.plan.folders.config / "console.log")

    async def _booted(self) -> bool:
        # AMI answers a login only after the last module is loaded, and then says so.
        try:
            async with asyncio.timeout(2.0):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.plan.ami_port)
        except (OSError, TimeoutError):
            return False
        login = f"Action: Login\r\nUsername: {self.plan.ami_user}\r\nSecret: {self.plan.ami_secret}\r\n\r\n"
        try:
            async with asyncio.timeout(5.0):
                writer.write(login.encode())
                await writer.drain()
                await reader.readuntil(b"FullyBooted")
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return False
        finally:
            writer.close()
        return True
