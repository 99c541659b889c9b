"""The FastAGI server: the dialplan asks, a handler decides, and whatever goes wrong the dialplan goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn

import structlog

from gateway.asterisk.errors import AgiClosedError, AgiError, AgiHangupError, AgiProtocolError, AsteriskError
from gateway.asterisk.fastagi_session import AgiConnection, AgiSession
from gateway.asterisk.options import FastAgiOptions
from gateway.core.clock import Clock
from gateway.core.errors import Kind
from gateway.core.supervisor import Reporter
from gateway.core.text import Text

log = structlog.get_logger(__name__)

AgiHandler = Callable[[AgiSession], Awaitable[None]]

_STOP_GRACE_S = 2.0
_WATCH_INTERVAL_S = 0.1


class FastAgiListenError(AsteriskError):
    """The port cannot be listened on."""

    code = "agi.listen"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("FastAGI cannot listen on {host}:{port}: {reason}.", "FastAGI 无法监听 {host}:{port}：{reason}。")
    action = Text("Stop what holds the port, or set another.", "请停止占用该端口的程序，或更换端口。")


class FastAgiServer:
    """A supervised adapter. ``routes`` maps the path of the URL (``incoming``) to a handler.

    Each session runs in a task ``fastagi:<uniqueid>`` with the unique id in its log context. A handler that returns,
    raises or is too late ends its session only: the connection is closed and the dialplan takes its fallback.
    """

    name = "fastagi"

    def __init__(self, options: FastAgiOptions, clock: Clock, routes: Mapping[str, AgiHandler]) -> None:
        self._options = options
        self._clock = clock
        self._routes = {path.strip("/"): handler for path, handler in routes.items()}
        self._sessions: dict[asyncio.Task[None], AgiConnection] = {}
        self.port = 0
        """The port listened on, known once it is ready."""
        self.served = 0
        self.refused = 0
        """Connections closed because there were too many."""
        self.failed = 0
        """Sessions that ended otherwise than by their handler's return, a hang-up or Asterisk."""

    @property
    def sessions(self) -> int:
        """Connections open now."""
        return len(self._sessions)

    async def run(self, reporter: Reporter) -> None:
        """Listen until cancelled, then close every session, so that no call waits for a gateway that is gone."""
        options = self._options
        try:
            server = await asyncio.get_running_loop().create_server(
                lambda: _Incoming(self._accept), options.host, options.port, backlog=512
            )
        except OSError as error:
            raise FastAgiListenError(host=options.host, port=options.port, reason=str(error)) from error
        try:
            self.port = server.sockets[0].getsockname()[1]
            reporter.ready()
            await self._watch_deadlines()
        finally:
            server.close()
            await self._end_sessions()

    async def _watch_deadlines(self) -> NoReturn:
        while True:
            await self._clock.sleep(_WATCH_INTERVAL_S)
            now = self._clock.monotonic()
            for connection in self._sessions.values():
                if connection.due < now:
                    connection.expire()

    async def _end_sessions(self) -> None:
        for task in self._sessions:
            task.cancel()
        if self._sessions:
            await asyncio.wait(self._sessions, timeout=_STOP_GRACE_S)

    def _accept(self, connection: AgiConnection) -> None:
        if len(self._sessions) >= self._options.sessions_limit:
            self.refused += 1
            log.warning("too many fastagi sessions", limit=self._options.sessions_limit)
            connection.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(connection), name="fastagi:new")
        self._sessions[task] = connection
        task.add_done_callback(self._sessions.pop)

    async def _serve(self, connection: AgiConnection) -> None:
        try:
            request = await connection.read_request(self._clock.monotonic() + self._options.request_timeout_s)
        except (TimeoutError, AgiClosedError, AgiProtocolError) as error:
            log.info("fastagi connection without a request", reason=str(error) or "too late")
            connection.abort()
            return
        except asyncio.CancelledError:
            connection.abort()
            raise
        if not request.uniqueid:  # the ids of calls follow from it: two calls would be one
            self.failed += 1
            log.warning("fastagi request without a unique id", script=request.script[:100])
            connection.close()
            return
        task = asyncio.current_task()
        if task is not None:
            task.set_name(f"fastagi:{request.uniqueid}")
        structlog.contextvars.bind_contextvars(uniqueid=request.uniqueid)
        session = AgiSession(connection, request, self._clock, self._options.command_timeout_s)
        handler = self._routes.get(request.script)
        try:
            if handler is None:
                self.failed += 1
                log.warning("no such fastagi script", script=request.script[:100])
                return
            await self._handle(handler, session)
        finally:
            connection.close()

    async def _handle(self, handler: AgiHandler, session: AgiSession) -> None:
        try:
            async with self._clock.timeout(self._options.session_timeout_s):
                await handler(session)
            self.served += 1
        except (AgiHangupError, AgiClosedError) as error:
            log.info("caller left during fastagi", script=session.request.script, error=error.code)
        except AgiError as error:
            self.failed += 1
            log.warning(
                "fastagi session failed", script=session.request.script, error=error.code, reason=error.message()
            )
        except TimeoutError:
            self.failed += 1
            log.warning("fastagi session too long", script=session.request.script)
        except Exception:  # supervises the handlers: the session is closed, the dialplan takes its fallback
            self.failed += 1
            log.exception("fastagi handler crashed", script=session.request.script)


class _Incoming(AgiConnection):
    """A connection that a client has opened."""

    def __init__(self, accept: Callable[[AgiConnection], None]) -> None:
        super().__init__()
        self._accept = accept

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._accept(self)
