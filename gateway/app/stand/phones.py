"""A real SIP telephone: baresip, spoken to over its control socket."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import msgspec

from gateway.app.stand.errors import ProgramFailedError
from gateway.app.stand.ports import free_port, free_ports
from gateway.app.stand.processes import Child, accepts, find_program
from gateway.core.errors import DeadlineError

_LONGEST = 1 << 16
_MOST_EVENTS = 1000
_POLL_S = 0.02

Answer = Literal["auto", "manual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSetup:
    """Who the telephone is. With a ``password`` it registers at ``server`` (host:port), otherwise it only calls.

    ``address`` is the loopback address that it speaks from; ``speech`` an 8 kHz WAV file that it plays into calls.
    ``name`` is its display name.
    """

    user: str
    server: str
    folder: Path
    speech: Path
    password: str = ""
    name: str = ""
    address: str = "127.0.0.1"
    answer: Answer = "manual"
    silence: bool = False


class Softphone:
    """One telephone. Use it as ``async with``: it is registered (or listening) inside and gone after."""

    def __init__(self, setup: PhoneSetup) -> None:
        self.setup = setup
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Condition()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=16)
        self._reader_task: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._child: Child | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def process(self) -> Child:
        """The process. Raises ``RuntimeError`` before :meth:`start`."""
        if self._child is None:
            raise RuntimeError("the telephone has not been started")
        return self._child

    async def start(self, deadline_s: float = 10.0) -> None:
        """Start it; with a password, wait until it is registered."""
        control = free_ports(1)[0]
        # it listens by TCP too
        ports = free_ports(50, udp=True, host=self.setup.address)
        sip = next(port for port in ports if free_port(port, host=self.setup.address) == port)
        await asyncio.to_thread(self._write_files, sip, control)
        folder = self.setup.folder
        child = Child(f"baresip {self.setup.user}", [find_program("baresip"), "-f", folder], log=folder / "log")
        self._child = child
        await child.start(lambda: accepts("127.0.0.1", control), deadline_s)
        try:
            reader, self._writer = await asyncio.open_connection("127.0.0.1", control)
            name = f"baresip-{self.setup.user}-events"
            self._reader_task = asyncio.create_task(self._read(reader), name=name)
            if self.setup.password:
                await self._registered(deadline_s)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it, and its calls."""
        if self._writer is not None:
            self._writer.close()
        if self._reader_task is not None:
            self._reader_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader_task
        if self._child is not None:
            await self._child.stop(grace_s=3.0)

    async def dial(self, number: str) -> None:
        """Call *number* at the server. The end of the dialling is an event."""
        await self.command("dial", f"sip:{number}@{self.setup.server}")

    async def accept(self) -> None:
        """Answer the call that rings."""
        await self.command("accept")

    async def hang_up(self) -> None:
        """End the call."""
        await self.command("hangup")

    async def command(self, name: str, params: str = "", deadline_s: float = 5.0) -> str:
        """Do one command of baresip's menu. Raises :class:`DeadlineError`, :class:`ProgramFailedError`."""
        if self._writer is None:
            raise RuntimeError("the telephone has not been started")
        body = msgspec.json.encode({"command": name, "params": params, "token": name})
        try:
            async with asyncio.timeout(deadline_s):
                self._writer.write(b"%d:%b," % (len(body), body))
                await self._writer.drain()
                answer = await self._answers.get()
        except TimeoutError as error:
            raise DeadlineError(what=f"baresip {name}", timeout_s=deadline_s) from error
        if not answer.get("ok"):
            raise ProgramFailedError(
                program="baresip", what=f"refused {name}", tail=str(answer.get("data")), log=self.setup.folder / "log"
            )
        return str(answer.get("data", ""))

    async def wait_for(
        self, *kinds: str, deadline_s: float = 10.0, where: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """Return the first event of one of the types *kinds*, so far or to come. Raises :class:`DeadlineError`."""

        def found() -> dict[str, Any] | None:
            return next((event for event in self.events if event.get("type") in kinds and where(event)), None)

        try:
            async with asyncio.timeout(deadline_s), self._changed:
                await self._changed.wait_for(lambda: found() is not None)
        except TimeoutError as error:
            seen = ", ".join(str(event.get("type")) for event in self.events)
            raise DeadlineError(
                what=f"{' or '.join(kinds)} at telephone {self.setup.user} (seen: {seen})", timeout_s=deadline_s
            ) from error
        event = found()
        if event is None:
            raise RuntimeError("an event vanished")
        return event

    def forget(self) -> None:
        """Drop the events seen so far, before the next call."""
        self.events.clear()

    async def _registered(self, deadline_s: float) -> None:
        # it may have registered before this end could listen for the event, so it is asked
        try:
            async with asyncio.timeout(deadline_s):
                while "OK" not in await self.command("reginfo"):  # noqa: ASYNC110 - another process is asked
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as error:
            raise DeadlineError(what=f"registering telephone {self.setup.user}", timeout_s=deadline_s) from error

    async def _read(self, reader: asyncio.StreamReader) -> None:
        # netstrings: length in decimal, a colon, that many bytes of JSON, a comma
        while True:
            try:
                head = await reader.readuntil(b":")
                length = int(head[:-1])
                if not 0 < length < _LONGEST:
                    return
                message: dict[str, Any] = msgspec.json.decode((await reader.readexactly(length + 1))[:-1])
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError):
                return
            if message.get("event"):
                async with self._changed:
                    self.events.append(message)
                    del self.events[:-_MOST_EVENTS]
                    self._changed.notify_all()
            elif message.get("response"):
                await self._answers.put(message)

    def _write_files(self, sip_port: int, control_port: int) -> None:
        setup = self.setup
        setup.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        modules = next(path for path in _module_folders() if path.is_dir())
        source = "aubridge,silence" if setup.silence else f"aufile,{setup.speech}"
        (setup.folder / "config").write_text(
            "\n".join(
                (
                    f"sip_listen {setup.address}:{sip_port}",
                    f"net_interface {setup.address}",
                    "call_local_timeout 120",
                    "call_max_calls 4",
                    f"audio_source {source}",
                    "audio_player aubridge,nowhere",
                    "audio_alert aubridge,nowhere",
                    "ausrc_srate 8000",
                    "auplay_srate 8000",
                    "ausrc_channels 1",
                    "auplay_channels 1",
                    f"module_path {modules}",
                    "module g711.so",
                    "module aufile.so",
                    "module aubridge.so",
                    "module_tmp account.so",
                    "module_app menu.so",
                    "module_app ctrl_tcp.so",
                    f"ctrl_tcp_listen 127.0.0.1:{control_port}",
                    "",
                )
            ),
            encoding="utf-8",
        )
        host = setup.server if setup.password else f"{setup.address}:{sip_port}"
        options = f";regint={600 if setup.password else 0};answermode={setup.answer};audio_codecs=PCMA"
        if setup.password:
            options += f";auth_user={setup.user};auth_pass={setup.password}"
        accounts = setup.folder / "accounts"
        accounts.touch(mode=0o600)
        accounts.write_text(f'"{setup.name or setup.user}" <sip:{setup.user}@{host}>{options}\n', encoding="utf-8")
        (setup.folder / "contacts").touch()


def _module_folders() -> list[Path]:
    found = [*Path("/usr/lib").glob("*/baresip/modules"), Path("/usr/lib/baresip/modules")]
    return [*found, Path("/nonexistent")] if any(path.is_dir() for path in found) else [Path("/")]
