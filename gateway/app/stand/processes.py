"""A program that this process starts, watches and surely ends."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import structlog

from gateway.app.stand.errors import ProgramFailedError, ProgramMissingError

_log = structlog.get_logger(__name__)

_POLL_S = 0.02
_TAIL_BYTES = 2000

Ready = Callable[[], Awaitable[bool]]


def find_program(name: str, *more_folders: str) -> str:
    """Return the path of an installed program. Raises :class:`ProgramMissingError`.

    The folders of system programs are searched too: an ordinary user's PATH often lacks them.
    """
    folders = [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin", *more_folders]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        raise ProgramMissingError(program=name)
    return found


class Child:
    """One program in a session of its own, its output in a file; ended with this process whatever ends this process.

    The kernel kills the program when the thread that started it ends (PR_SET_PDEATHSIG), so start it from the event
    loop of the main thread. A program that changes its own user loses that bond: name the user here instead. What it
    writes is for its user alone, unless *umask* says otherwise.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str = "",
        umask: int = 0o077,
    ) -> None:
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._env = None if env is None else dict(env)
        self._cwd = cwd
        self._user = user
        self._umask = umask
        self._process: asyncio.subprocess.Process | None = None
        self._end: asyncio.Task[int] | None = None

    @property
    def pid(self) -> int:
        """The process id. Raises ``RuntimeError`` before :meth:`start`."""
        return self._started().pid

    @property
    def returncode(self) -> int | None:
        """The exit code; minus the signal that ended it; None while it runs or before it was started."""
        return None if self._process is None else self._process.returncode

    async def start(self, ready: Ready | None = None, deadline_s: float = 15.0) -> None:
        """Start the program and wait until *ready* answers True.

        Raises :class:`ProgramFailedError` when it ends first or is not ready in time, after having ended it, and
        :class:`ProgramMissingError`. A cancellation ends it too.
        """
        bond = [find_program("setpriv"), "--pdeathsig", "KILL"]
        if self._user:
            bond += ["--reuid", self._user, "--regid", self._user, "--init-groups"]
        descriptor = await asyncio.to_thread(os.open, self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *bond,
                "--",
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
                umask=self._umask,
            )
        finally:
            os.close(descriptor)
        self._end = asyncio.create_task(self._sweep(self._process), name=f"end-of-{self.name}")
        _log.debug("program started", program=self.name, pid=self.pid)
        if ready is None:
            return
        try:
            async with asyncio.timeout(deadline_s):
                await self._until(ready)
        except TimeoutError as error:
            await self.stop()
            raise await self._failed(f"was not ready within {deadline_s:g} s") from error
        except BaseException:
            await self.stop()
            raise

    async def ended(self) -> int:
        """Wait without a deadline for the end of the program, and return its exit code: for a watcher's task."""
        return await asyncio.shield(self._ending())

    async def wait(self, deadline_s: float) -> int:
        """Return the exit code of a program that ends by itself. Raises :class:`ProgramFailedError` if it does not."""
        try:
            async with asyncio.timeout(deadline_s):
                return await self.ended()
        except TimeoutError as error:
            raise await self._failed(f"did not end within {deadline_s:g} s") from error

    async def check(self, deadline_s: float) -> None:
        """Wait for the end of the program. Raises :class:`ProgramFailedError` unless it ends with 0 in time."""
        code = await self.wait(deadline_s)
        if code != 0:
            raise await self._failed(f"ended with {code}")

    async def stop(self, grace_s: float = 5.0) -> int | None:
        """End the program and what it started: politely, then by force. Return the exit code, None if never started."""
        process = self._process
        if process is None:
            return None
        if process.returncode is None:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)  # a stopped program takes no signal but KILL
            try:
                async with asyncio.timeout(grace_s):
                    await self.ended()
            except TimeoutError:
                _log.warning("program killed", program=self.name, pid=process.pid, grace_s=grace_s)
                self._signal(signal.SIGKILL)
        return await self.ended()

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """Let it hang (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def tail(self) -> str:
        """Return the end of its log. Blocking."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL_BYTES))
                return file.read().decode("utf-8", "replace").strip()
        except OSError as error:
            return str(error)

    async def _until(self, ready: Ready) -> None:
        while not await ready():
            if self._started().returncode is not None:
                raise await self._failed(f"ended with {self.returncode} before it was ready")
            await asyncio.sleep(_POLL_S)

    async def _failed(self, what: str) -> ProgramFailedError:
        return ProgramFailedError(program=self.name, what=what, tail=await asyncio.to_thread(self.tail), log=self.log)

    async def _sweep(self, process: asyncio.subprocess.Process) -> int:
        # What the program started is ended right after it: later, its group's number may be somebody else's.
        code = await process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return code

    def _ending(self) -> asyncio.Task[int]:
        if self._end is None:
            raise RuntimeError(f"{self.name} has not been started")
        return self._end

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError(f"{self.name} has not been started")
        return self._process

    def _signal(self, number: signal.Signals) -> None:
        process = self._started()
        if process.returncode is None:
            # Not by the process object: that one looks first whether the program has ended, and so takes its exit code
            # away from the watcher, which then tells 255.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


async def accepts(host: str, port: int) -> bool:
    """Tell whether something accepts TCP connections there, within a second."""
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
