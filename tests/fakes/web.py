"""A console with everything below it faked in memory: journal, sign-in, commands."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from gateway.commands.spec import CommandSpec
from gateway.core.board import Board
from gateway.core.clock import Clock, SystemClock
from gateway.core.errors import Kind, NotFoundError, TrunklineError
from gateway.core.events import Event, Happening, Message, seal
from gateway.core.supervisor import Health, State
from gateway.core.text import Text
from gateway.principals.model import Principal, PrincipalKind, Right
from gateway.store.unit import StoredEvent
from gateway.web.application import WebParts, web_application
from gateway.web.host import LocalSocket, WebHost
from gateway.web.live import LiveHub
from gateway.web.options import WebOptions
from gateway.web.status_routes import Site

OPERATOR = Principal(PrincipalKind.OPERATOR, "shan", (Right("*"),), "单雄信")
WATCHER = Principal(PrincipalKind.APPLICATION, "wall", (Right("tel.read", "line-*"),))


class CallStarted(Event, frozen=True, kw_only=True):
    TYPE = "tel.call_started.v1"
    number: int = 0
    caller: str = ""


class AdapterChanged(Event, frozen=True, kw_only=True):
    TYPE = "sys.adapter_changed.v1"
    number: int = 0


class LineState(Message, frozen=True):
    state: str
    caller_name: str = ""


class Dial(Message, frozen=True, forbid_unknown_fields=True):
    to: str


class Dialled(Message, frozen=True):
    call: str


DIAL = CommandSpec("tel.dial", Dial, Dialled, Text("Dial a number.", "拨打号码。"))


class RefusedError(TrunklineError):
    code = "auth.sign_in_refused"
    kind = Kind.UNAUTHENTICATED
    cause = Text("Name or password is wrong.", "用户名或口令错误。")
    action = Text("Try again.", "请重试。")


@dataclass(frozen=True)
class FakeSession:
    token: str
    principal: Principal
    expires_at: datetime


@dataclass
class FakeAuthenticator:
    sessions: dict[str, Principal] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    locals: list[tuple[int, str]] = field(default_factory=list)

    async def sign_in(self, name: str, password: str, *, source: str = "") -> FakeSession:
        self.sources.append(source)
        if (name, password) != ("shan", "正确的口令 🚒"):
            raise RefusedError
        token = f"token-{len(self.sessions)}"
        self.sessions[token] = OPERATOR
        return FakeSession(token, OPERATOR, datetime.now(UTC) + timedelta(hours=12))

    async def sign_out(self, token: str) -> None:
        self.sessions.pop(token, None)

    async def resolve_session(self, token: str) -> Principal:
        if token not in self.sessions:
            raise RefusedError
        return self.sessions[token]

    async def resolve_application(self, name: str, secret: str) -> Principal:
        if (name, secret) != ("wall", "s3cret"):
            raise RefusedError
        return WATCHER

    async def local(self, uid: int, user: str = "") -> Principal:
        self.locals.append((uid, user))
        return Principal(PrincipalKind.LOCAL, user, (Right("*"),))


class FakeJournal:
    """Keeps events in memory; ``pruned`` is how many of the first are gone."""

    def __init__(self) -> None:
        self.rows: list[StoredEvent] = []
        self.pruned = 0
        self.reads = 0
        self._listeners: list[Callable[[StoredEvent], None]] = []

    @property
    def last_seq(self) -> int:
        return len(self.rows)

    def tell(self, event: Event, resource: str = "line-1") -> StoredEvent:
        stored = self.write(event, resource)
        self.announce(stored)
        return stored

    def write(self, event: Event, resource: str = "line-1") -> StoredEvent:
        """Make durable without telling listeners yet, as between a commit and its announcement."""
        seq = len(self.rows) + 1
        happening = Happening(event, resource, f"call:{seq}")
        envelope = seal(happening, site="test", epoch=1, seq=seq, aggseq=1, now=datetime(2026, 1, 1, tzinfo=UTC))
        domain, name = event.TYPE.split(".")[:2]
        stored = StoredEvent(seq, domain, resource, name, msgspec.json.encode(envelope))
        self.rows.append(stored)
        return stored

    def announce(self, stored: StoredEvent) -> None:
        for listener in list(self._listeners):
            listener(stored)

    async def events_after(self, seq: int, *, limit: int = 500) -> Sequence[StoredEvent]:
        self.reads += 1
        await asyncio.sleep(0)
        return [row for row in self.rows[self.pruned :] if row.seq > seq][:limit]

    def listen(self, listener: Callable[[StoredEvent], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


@dataclass(frozen=True)
class FakeAnswer:
    command_id: str
    name: str
    state: str
    result: bytes | None = None
    error: dict[str, Any] | None = None

    @property
    def final(self) -> bool:
        return self.state not in ("accepted", "in_progress")


@dataclass
class FakeDispatcher:
    taken: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, FakeAnswer] = field(default_factory=dict)

    def specs(self) -> Iterable[CommandSpec[Any, Any]]:
        return [DIAL]

    async def submit(
        self,
        principal: Principal,
        name: str,
        data: bytes,
        *,
        command_id: str,
        ttl_s: float | None,
        incident: str | None,
        traceparent: str | None = None,
    ) -> FakeAnswer:
        if name != DIAL.name:
            raise NotFoundError(what="command", name=name)
        principal.require(name)
        body = msgspec.json.decode(data, type=Dial)
        self.taken.append(
            {"id": command_id, "to": body.to, "ttl_s": ttl_s, "incident": incident, "traceparent": traceparent}
        )
        self.answers[command_id] = FakeAnswer(command_id, name, "accepted")
        return self.answers[command_id]

    async def answer(self, principal: Principal, command_id: str, *, wait_s: float = 0.0) -> FakeAnswer:
        if command_id not in self.answers:
            raise NotFoundError(what="command", name=command_id)
        if wait_s:
            done = replace(self.answers[command_id], state="succeeded", result=b'{"call":"c-1"}')
            self.answers[command_id] = done
        return self.answers[command_id]


class ReadyReporter:
    def __init__(self) -> None:
        self.is_ready = asyncio.Event()

    def ready(self) -> None:
        self.is_ready.set()

    def degraded(self, reason: str) -> None:
        raise AssertionError(reason)


@dataclass
class Console:
    """A running console and what is below it."""

    url: str
    socket_path: Path
    board: Board
    journal: FakeJournal
    authenticator: FakeAuthenticator
    dispatcher: FakeDispatcher
    hub: LiveHub
    healths: list[Health]


@contextlib.asynccontextmanager
async def console(
    folder: Path, options: WebOptions | None = None, *, clock: Clock | None = None, **more: Any
) -> AsyncIterator[Console]:
    """Serve a console on a free port and on a socket in *folder* until the block ends."""
    chosen = options or WebOptions(port=0, stop_s=1.0, heartbeat_s=0.2)
    clock = clock or SystemClock()
    board, journal = Board(), FakeJournal()
    authenticator, dispatcher = FakeAuthenticator(), FakeDispatcher()
    healths = [Health("ami", State.READY, datetime(2026, 1, 1, tzinfo=UTC))]
    hub = LiveHub(
        journal=journal,
        board=board,
        clock=clock,
        epoch=7,
        last_seq=0,
        stream_max=chosen.stream_max,
        stream_buffer=chosen.stream_buffer,
        heartbeat_s=chosen.heartbeat_s,
    )
    parts = WebParts(
        authenticator=authenticator,
        dispatcher=dispatcher,
        journal=journal,
        hub=hub,
        site=Site("test", clock.wall(), lambda: healths, lambda: {"trunkline": "0.1.0"}),
        clock=clock,
        metrics=CollectorRegistry(),
        **more,
    )
    app = web_application(chosen, parts)
    host, local = WebHost(chosen, app, hub), LocalSocket(chosen, app, hub, folder / "t.sock")
    async with contextlib.AsyncExitStack() as stack:
        for adapter in (host, local):
            await stack.enter_async_context(running(adapter))
        yield Console(host.url, folder / "t.sock", board, journal, authenticator, dispatcher, hub, healths)
    hub.close()


@contextlib.asynccontextmanager
async def running(adapter: WebHost | LocalSocket) -> AsyncIterator[None]:
    """Run an adapter until the block ends."""
    reporter = ReadyReporter()
    task = asyncio.create_task(adapter.run(reporter), name=adapter.name)
    ready = asyncio.create_task(reporter.is_ready.wait())
    try:
        async with asyncio.timeout(10):
            await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield
    finally:
        ready.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
