"""The parent's end of a keyer: starts the process, says what to do, and waits for answers with deadlines."""

import asyncio
import itertools
import socket
import sys
from collections.abc import Callable
from typing import Protocol

import structlog

from trunks.radio.errors import KeyerLostError, KeyRefusedError, RadioSilentError
from trunks.radio.keyer_messages import (
    PACKET_LIMIT,
    Answer,
    Command,
    Failed,
    FromKeyer,
    Key,
    Recover,
    Renew,
    Setup,
    ToKeyer,
    Unkey,
    pack,
    unpack_from_keyer,
)

log = structlog.get_logger(__name__)

GRACE_S = 2.0
"""What is added to a command's own deadline for the way to the keyer and back."""
STOP_S = 5.0


class KeyerPort(Protocol):
    """What a driver needs of its keyer. See :class:`KeyerClient`, which starts a process for it."""

    @property
    def lost(self) -> asyncio.Event:
        """Set when the keyer is gone."""
        ...

    @property
    def reason(self) -> str:
        """Why the keyer is gone."""
        ...

    async def start(self) -> None:
        """Take the port."""
        ...

    async def stop(self) -> None:
        """Release, and let go of the port."""
        ...

    async def command(self, line: str, data: str = "", *, timeout_s: float = 5.0) -> Answer:
        """Say *line* to the radio and return its answer."""
        ...

    async def key(self, holder: str, line: str = "", *, sound_device: str = "", timeout_s: float = 2.0) -> Answer:
        """Key for *holder*."""
        ...

    def renew(self, holder: str) -> None:
        """Prolong the lease of *holder*."""
        ...

    def recover(self) -> None:
        """Release whatever a keyer before this one may have left keyed."""
        ...

    async def unkey(self, *, timeout_s: float = 2.0) -> bool:
        """Let go; return whether the release was confirmed in time."""
        ...


class KeyerClient:
    """One keyer process. *listener* is told every packet that is no answer, on the event loop.

    Start it on the thread that lives as long as the program: Linux tells the keyer of the death of that thread.
    """

    def __init__(self, radio: str, setup: Setup, listener: Callable[[FromKeyer], None]) -> None:
        self._radio = radio
        self._setup = setup
        self._listener = listener
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._socket: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._reason = "stopped"
        self._lost = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The number of the process."""
        return None if self._process is None else self._process.pid

    @property
    def lost(self) -> asyncio.Event:
        """Set when the keyer is gone."""
        return self._lost

    @property
    def reason(self) -> str:
        """Why the keyer is gone."""
        return self._reason

    async def start(self) -> None:
        """Start the process and give it its port."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours.setblocking(False)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "trunks.radio.keyer_process",
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        self._socket = ours
        self._send(self._setup)
        self._reader = asyncio.create_task(self._read(ours), name=f"{self._radio}-keyer")

    async def command(self, line: str, data: str = "", *, timeout_s: float = 5.0) -> Answer:
        """Say *line* to the radio and return its answer: outcome ``ok``, ``error`` or ``interrupted``.

        Raises :class:`RadioSilentError` when it gave none and :class:`KeyerLostError` when nobody can be asked.
        """
        number = next(self._numbers)
        answer = await self._ask(Command(number, line, data, timeout_s), number, timeout_s, line)
        if answer.outcome == "timeout":
            raise RadioSilentError(radio=self._radio, what=line.partition("=")[0])
        return answer

    async def key(self, holder: str, line: str = "", *, sound_device: str = "", timeout_s: float = 2.0) -> Answer:
        """Key for *holder*; from now on it must be renewed. Raises :class:`KeyRefusedError` with the keyer's reason."""
        number = next(self._numbers)
        message = Key(number, holder, line, sound_device, timeout_s)
        answer = await self._ask(message, number, timeout_s, "key")
        if answer.outcome in ("refused", "interrupted"):
            raise KeyRefusedError(radio=self._radio, reason=answer.text or answer.outcome)
        return answer

    def renew(self, holder: str) -> None:
        """Prolong the lease of *holder*."""
        if not self._lost.is_set():
            self._send(Renew(holder))

    def recover(self) -> None:
        """Release whatever a keyer before this one may have left keyed."""
        self._send(Recover())

    async def unkey(self, *, timeout_s: float = 2.0) -> bool:
        """Let go; return whether the release was confirmed in time."""
        number = next(self._numbers)
        try:
            await self._ask(Unkey(number), number, timeout_s - GRACE_S, "release")
        except (RadioSilentError, KeyerLostError):
            return False
        return True

    async def stop(self) -> None:
        """Close the socket, upon which the keyer releases and ends; after a while it is killed."""
        if self._socket is not None:
            if self._reader is not None:
                self._reader.cancel()
                await asyncio.wait([self._reader])
            self._socket.close()
            self._socket = None
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                log.warning("keyer did not end, killed", radio=self._radio)
                process.kill()
                await process.wait()
        self._lose("stopped")

    async def _ask(self, message: ToKeyer, number: int, timeout_s: float, what: str) -> Answer:
        if self._lost.is_set():
            raise KeyerLostError(radio=self._radio, reason=self._reason)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._send(message)
            async with asyncio.timeout(timeout_s + GRACE_S):
                answer = await future
        except TimeoutError:
            raise RadioSilentError(radio=self._radio, what=what.partition("=")[0]) from None
        finally:
            self._waiting.pop(number, None)
        if answer.outcome == "lost":
            raise KeyerLostError(radio=self._radio, reason=answer.text)
        return answer

    def _send(self, message: ToKeyer) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(pack(message))
        except OSError as error:
            self._lose(str(error))

    async def _read(self, ours: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                packet = await loop.sock_recv(ours, PACKET_LIMIT)
            except OSError as error:
                self._lose(str(error))
                return
            if not packet:
                self._lose("the keyer ended")
                return
            message = unpack_from_keyer(packet)
            if isinstance(message, Answer):
                future = self._waiting.get(message.id)
                if future is not None and not future.done():
                    future.set_result(message)
            elif isinstance(message, Failed):
                self._lose(message.reason)
            else:
                self._listener(message)

    def _lose(self, reason: str) -> None:
        if self._lost.is_set():
            return
        self._reason = reason
        self._lost.set()
        for number, future in self._waiting.items():
            if not future.done():
                future.set_result(Answer(number, "lost", reason))


KeyerFactory = Callable[[str, Setup, Callable[[FromKeyer], None]], KeyerPort]
"""Makes the keyer of a radio, not yet started: its name, what it owns, and who is told what it hears."""
