"""One FastAGI session: what a handler of the dialplan's questions works with."""

import asyncio
import math
from collections import deque
from collections.abc import Mapping
from typing import cast

import structlog

from gateway.asterisk.errors import (
    AgiClosedError,
    AgiCommandError,
    AgiDeadlineError,
    AgiError,
    AgiHangupError,
)
from gateway.asterisk.escape import ami_variable, variable_name
from gateway.asterisk.fastagi_codec import DONE, AgiCodec, AgiHangup, AgiReply, AgiRequest, encode
from gateway.core.clock import Clock

log = structlog.get_logger(__name__)

READ_BYTES = 4096

_DEAD = 511


class AgiConnection(asyncio.BufferedProtocol):
    """The bytes of one session. Bounded by the codec; unasked-for replies are dropped before the next command.

    ``due`` is when what is waited for is too late, on the server's monotonic clock. The server looks at it a few times
    a second and calls :meth:`expire`: a timer of its own for each command would cost as much as the command.
    """

    def __init__(self) -> None:
        self.due = math.inf
        self.transport: asyncio.Transport | None = None
        self.request: AgiRequest | None = None
        self.hung_up = False
        self.failure: AgiError | None = None
        """Why no more can be received."""
        self._codec = AgiCodec()
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._replies: deque[AgiReply] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.BaseProtocol`. Asyncio has set TCP_NODELAY."""
        self.transport = cast("asyncio.Transport", transport)  # what create_server hands over

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # asyncio's signature
        """Return the buffer to read into: small, because asyncio's own of 256 KiB costs more than a whole command."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take the next bytes."""
        if self.failure is not None:
            return
        try:
            items = self._codec.feed(bytes(self._buffer[:nbytes]))
        except AgiError as error:
            self._fail(error)
            return
        for item in items:
            if isinstance(item, AgiReply):
                self._replies.append(item)
            elif isinstance(item, AgiHangup):
                self.hung_up = True
            else:
                self.request = item
        if items:  # Asterisk sends each line of its request in a packet of its own
            self._wake()

    def eof_received(self) -> None:
        """Nothing more will come; the transport closes itself."""
        self._fail(AgiClosedError(reason="end of stream"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits."""
        self._fail(AgiClosedError(reason=str(exc or "closed")))

    async def read_request(self, due: float) -> AgiRequest:
        """Wait for the whole environment until *due*; raise ``TimeoutError``."""
        self.due = due
        while self.request is None:
            await self._wait()
        self.due = math.inf
        return self.request

    async def exchange(self, line: bytes, due: float) -> AgiReply:
        """Send one command and wait for its reply until *due*; raise ``TimeoutError``."""
        self._replies.clear()
        if self.failure is not None:
            raise self.failure
        if self.hung_up:
            raise AgiHangupError
        if self.transport is None:
            raise AgiClosedError(reason="not connected")
        self.due = due
        self.transport.write(line)
        try:
            while not self._replies:
                # What was under way when the channel hung up is still replied to, so the reply is waited for.
                await self._wait()
        except asyncio.CancelledError:
            self.expire()
            raise
        self.due = math.inf
        return self._replies.popleft()

    def expire(self) -> None:
        """Let what is waited for fail, and the connection with it.

        A late reply would be taken for that of the next command, so the dialogue cannot go on.
        """
        self.due = math.inf
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())
        self._fail(AgiClosedError(reason="too late"))
        self.abort()

    def close(self) -> None:
        """Close after what was written; the dialplan goes on."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Close now."""
        if self.transport is not None:
            self.transport.abort()

    async def _wait(self) -> None:
        if self.failure is not None:
            raise self.failure
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _fail(self, error: AgiError) -> None:
        if self.failure is None:
            self.failure = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class AgiSession:
    """The dialogue with one channel. One command at a time, by one task.

    Every command raises ``agi.hangup`` when the channel has hung up, ``agi.command`` when Asterisk does not know it,
    ``agi.closed`` when the connection is gone, ``agi.deadline``, and ``asterisk.unsafe_value`` before anything is sent.
    """

    def __init__(self, connection: AgiConnection, request: AgiRequest, clock: Clock, command_timeout_s: float) -> None:
        self.request = request
        self._connection = connection
        self._clock = clock
        self._timeout_s = command_timeout_s

    @property
    def hung_up(self) -> bool:
        """Whether ``HANGUP`` was seen."""
        return self._connection.hung_up

    async def command(self, command: str, *arguments: str, deadline_s: float | None = None) -> AgiReply:
        """Send a command; its *arguments* may hold anything but line breaks and NUL."""
        timeout_s = self._timeout_s if deadline_s is None else deadline_s
        line = encode(command, *arguments)
        try:
            reply = await self._connection.exchange(line, self._clock.monotonic() + timeout_s)
        except TimeoutError as error:
            raise AgiDeadlineError(command=command, timeout_s=timeout_s) from error
        if reply.status == _DEAD:
            self._connection.hung_up = True
            raise AgiHangupError
        if reply.status != DONE:
            raise AgiCommandError(command=command, status=reply.status, reason=reply.text[:200])
        return reply

    async def set_variable(self, name: str, value: str) -> None:
        """Set a channel variable or a writable function (``CALLERID(name)``)."""
        await self.command("SET VARIABLE", variable_name(name), value)

    async def set_variables(self, variables: Mapping[str, str]) -> None:
        """Set several channel variables in one exchange, which costs what one of them would.

        Together, escaped, they fit into 8 KiB. Functions (``CALLERID(name)``) may be among them. Blanks at the ends of
        a value are lost: use :meth:`set_variable` where they matter.
        """
        pairs = [ami_variable(name, value) for name, value in variables.items()]
        await self.exec("MSet", *pairs, deadline_s=self._timeout_s)

    async def get_variable(self, name: str) -> str | None:
        """Return a channel variable or function; ``None`` when it is not set."""
        reply = await self.command("GET VARIABLE", variable_name(name))
        return None if reply.result == "0" else reply.value or ""

    async def answer(self) -> None:
        """Answer the channel; up to half a second on one that is silent. Raises ``agi.command`` when it cannot be."""
        self._check("ANSWER", await self.command("ANSWER"))

    async def stream_file(self, name: str, *, escape_digits: str = "", deadline_s: float = 60.0) -> str:
        """Play a sound to its end and return the digit that cut it short, or an empty text."""
        reply = await self.command("STREAM FILE", name, escape_digits, deadline_s=deadline_s)
        self._check("STREAM FILE", reply)
        return chr(int(reply.result)) if reply.result.isdigit() and reply.result != "0" else ""

    async def exec(self, application: str, *arguments: str, deadline_s: float = 60.0) -> str:
        """Run a dialplan application; arguments that hold separators are escaped by the caller (``escape``)."""
        reply = await self.command("EXEC", application, ",".join(arguments), deadline_s=deadline_s)
        if reply.result == "-2":
            raise AgiCommandError(command=f"EXEC {application}", status=200, reason="there is no such application")
        return reply.result

    async def verbose(self, text: str, level: int = 3) -> None:
        """Write to Asterisk's console."""
        await self.command("VERBOSE", text, str(level))

    async def hang_up(self) -> None:
        """Hang the channel up."""
        await self.command("HANGUP")

    def _check(self, command: str, reply: AgiReply) -> None:
        if reply.result == "-1":
            if self._connection.hung_up:
                raise AgiHangupError
            raise AgiCommandError(command=command, status=reply.status, reason=reply.text[:200])
