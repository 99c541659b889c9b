"""A broker in memory behind the bus port: the twin of a real one, for tests and for trying a feature without MQTT.

It keeps the laws of :mod:`gateway.bus.port` and passes the same conformance suite: persistent sessions, redelivery of
what was not acknowledged, retained messages, expiry, denial by rules, packet limit, last will, take-over.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from gateway.bus.port import (
    BusConnection,
    BusError,
    BusLostError,
    BusRefusedError,
    BusTakenOverError,
    BusUnreachableError,
    Delivery,
    Handler,
    Login,
    Publication,
    Reason,
    Welcome,
    lost_by,
)
from gateway.bus.properties import encode_properties
from gateway.bus.topics import matches
from gateway.core.clock import Clock

_FIXED_OVERHEAD = 9
_GRACE_S = 2.0


def allow_all(_user: str, _topic: str) -> bool:
    """Permit everything."""
    return True


@dataclass(slots=True, eq=False)
class _Waiting:
    delivery: Delivery
    expires_at: float | None
    sent: bool = False


@dataclass(slots=True)
class _Session:
    subscriptions: dict[str, bool] = field(default_factory=dict)  # pattern -> no_local
    queue: deque[_Waiting] = field(default_factory=deque)
    connection: "_MemoryConnection | None" = None
    keep: bool = False


class MemoryBroker:
    """The broker. ``may_publish`` and ``may_subscribe`` get user and topic; a denial is answered 0x87.

    ``down`` refuses connections; :meth:`kill` drops all connections without a goodbye and stays down until ``down`` is
    set to false. Sessions and retained messages survive it, as they do on a broker that persists.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        max_packet_bytes: int = 65536,
        max_queued: int = 100_000,
        receive_window: int = 64,
        publish_window: int = 128,
        passwords: dict[str, str] | None = None,
        may_publish: Callable[[str, str], bool] = allow_all,
        may_subscribe: Callable[[str, str], bool] = allow_all,
    ) -> None:
        self.clock = clock
        self.max_packet_bytes = max_packet_bytes
        self.max_queued = max_queued
        self.receive_window = receive_window
        self.publish_window = publish_window
        self.passwords = passwords
        self.may_publish = may_publish
        self.may_subscribe = may_subscribe
        self.down = False
        self.published: deque[Publication] = deque(maxlen=100_000)
        self._retained: dict[str, tuple[Publication, float | None]] = {}
        self._sessions: dict[str, _Session] = {}

    def retained(self) -> dict[str, bytes]:
        """Return what is retained and has not expired, by topic."""
        now = self.clock.monotonic()
        return {
            topic: publication.payload
            for topic, (publication, expires_at) in self._retained.items()
            if expires_at is None or expires_at > now
        }

    async def kill(self) -> None:
        """Drop every connection as a crash does, and stay down."""
        self.down = True
        for session in tuple(self._sessions.values()):
            if session.connection is not None:
                session.connection.fail(BusLostError(reason="the broker was killed"), will=False)
        await asyncio.sleep(0)

    def drop(self, client_id: str) -> None:
        """End one connection without a goodbye, so that its will is published."""
        connection = self._sessions[client_id].connection
        if connection is not None:
            connection.fail(BusLostError(reason="dropped"), will=True)

    # -- for connections -----------------------------------------------------------------------------------------

    def attach(self, connection: "_MemoryConnection") -> bool:
        """Let *connection* in; tell whether its session was present."""
        login = connection.login
        if self.down:
            raise BusUnreachableError(address="memory", reason="connection refused")
        if self.passwords is not None and self.passwords.get(login.user) != login.password:
            raise BusRefusedError(reason=int(Reason.NOT_AUTHORIZED))
        session = self._sessions.get(login.client_id)
        if session is not None and session.connection is not None:
            session.connection.fail(BusTakenOverError(client_id=login.client_id), will=True)
            session = self._sessions.get(login.client_id)
        present = session is not None and not login.clean_start
        if session is None or login.clean_start:
            session = self._sessions[login.client_id] = _Session()
        for waiting in session.queue:
            if waiting.sent:
                waiting.sent = False
                waiting.delivery = replace(waiting.delivery, duplicate=True)
        session.connection = connection
        session.keep = login.session_expiry_s > 0
        return present

    def detach(self, connection: "_MemoryConnection", *, will: bool) -> None:
        """End *connection*; its session stays if it is to be kept."""
        session = self._sessions.get(connection.login.client_id)
        if session is None or session.connection is not connection:
            return
        session.connection = None
        if not session.keep:
            del self._sessions[connection.login.client_id]
        if will and connection.login.will is not None:
            self.route(connection.login.will, sender=connection)

    def session(self, connection: "_MemoryConnection") -> _Session:
        """Return the session of *connection*."""
        return self._sessions[connection.login.client_id]

    def route(self, publication: Publication, *, sender: "_MemoryConnection") -> int:
        """Take a message in and hand it to everyone who subscribed."""
        if len(publication.payload) + len(publication.topic) > self.max_packet_bytes:
            return Reason.PACKET_TOO_LARGE
        if not self.may_publish(sender.login.user, publication.topic):
            return Reason.NOT_AUTHORIZED
        self.published.append(publication)
        expires_at = None if publication.expiry_s is None else self.clock.monotonic() + publication.expiry_s
        if publication.retain:
            if publication.payload:
                self._retained[publication.topic] = (publication, expires_at)
            else:
                self._retained.pop(publication.topic, None)
        receivers = 0
        for client_id, session in tuple(self._sessions.items()):
            own = client_id == sender.login.client_id
            if any(
                matches(pattern, publication.topic) and not (no_local and own)
                for pattern, no_local in session.subscriptions.items()
            ):
                receivers += 1
                self._enqueue(session, publication, expires_at)
        return Reason.SUCCESS if receivers else Reason.NO_MATCHING_SUBSCRIBERS

    def send_retained(self, connection: "_MemoryConnection", pattern: str) -> None:
        """Hand the retained messages that *pattern* matches to *connection*."""
        now = self.clock.monotonic()
        for topic, (publication, expires_at) in sorted(self._retained.items()):
            if matches(pattern, topic) and (expires_at is None or expires_at > now):
                self._enqueue(self.session(connection), publication, expires_at)

    def _enqueue(self, session: _Session, publication: Publication, expires_at: float | None) -> None:
        if len(session.queue) >= self.max_queued:
            return
        delivery = Delivery(
            topic=publication.topic,
            payload=publication.payload,
            qos=min(publication.qos, 1),
            retain=publication.retain,
            response_topic=publication.response_topic,
            correlation=publication.correlation,
            user=publication.user,
        )
        session.queue.append(_Waiting(delivery, expires_at))
        if session.connection is not None:
            session.connection.pump()


class MemoryPort:
    """The bus port of a :class:`MemoryBroker`."""

    address = "memory"

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    @contextlib.asynccontextmanager
    async def connect(self, login: Login, handler: Handler) -> AsyncIterator[BusConnection]:
        """See :meth:`gateway.bus.port.BusPort.connect`."""
        connection = _MemoryConnection(self._broker, login, handler)
        try:
            yield connection
        finally:
            await connection.close()


class _MemoryConnection:
    def __init__(self, broker: MemoryBroker, login: Login, handler: Handler) -> None:
        self.login = login
        self._broker = broker
        self._handler = handler
        self._lost: asyncio.Future[BusError] = asyncio.get_running_loop().create_future()
        self._closing = False
        self._window = asyncio.Semaphore(broker.publish_window)
        self._handlers: set[asyncio.Task[None]] = set()
        self._under_way: deque[_Waiting] = deque()
        self._done: set[int] = set()
        self._welcome = Welcome(
            session_present=broker.attach(self),
            max_packet_bytes=broker.max_packet_bytes,
            receive_maximum=broker.publish_window,
            max_qos=1,
            retain_available=True,
        )
        self.pump()

    @property
    def welcome(self) -> Welcome:
        return self._welcome

    @property
    def lost(self) -> asyncio.Future[BusError]:
        return self._lost

    async def publish(self, publication: Publication) -> int:
        size = _FIXED_OVERHEAD + len(publication.topic.encode()) + len(encode_properties(publication))
        if size + len(publication.payload) > self._broker.max_packet_bytes:
            return Reason.PACKET_TOO_LARGE
        async with self._window:
            self._raise_if_lost()
            reason = self._broker.route(publication, sender=self)
            await asyncio.sleep(0)
            self._raise_if_lost()
            return reason

    async def subscribe(self, pattern: str, *, retain_handling: int = 2, no_local: bool = True) -> int:
        self._raise_if_lost()
        if not self._broker.may_subscribe(self.login.user, pattern):
            return Reason.NOT_AUTHORIZED
        self._broker.session(self).subscriptions[pattern] = no_local
        if retain_handling == 0:
            self._broker.send_retained(self, pattern)
        return 1

    async def unsubscribe(self, pattern: str) -> int:
        self._raise_if_lost()
        known = self._broker.session(self).subscriptions.pop(pattern, None)
        return Reason.SUCCESS if known is not None else 0x11

    def fail(self, error: BusError, *, will: bool) -> None:
        if self._lost.done() or self._closing:
            return
        self._lost.set_result(error)
        self._broker.detach(self, will=will)

    async def close(self) -> None:
        if not self._lost.done() and self._handlers:
            await asyncio.wait(self._handlers, timeout=_GRACE_S)
        self._closing = True
        for task in tuple(self._handlers):
            task.cancel()
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=_GRACE_S)
        self._broker.detach(self, will=False)
        if not self._lost.done():
            self._lost.cancel()

    def pump(self) -> None:
        """Start handling what waits, in order, within the window."""
        now = self._broker.clock.monotonic()
        queue = self._broker.session(self).queue
        for waiting in tuple(queue):
            if waiting.sent:
                continue
            if len(self._handlers) >= self._broker.receive_window:
                return
            if waiting.expires_at is not None and waiting.expires_at <= now:
                queue.remove(waiting)
                continue
            waiting.sent = True
            self._under_way.append(waiting)
            task = asyncio.get_running_loop().create_task(self._handle(waiting), name="memory-delivery")
            self._handlers.add(task)
            task.add_done_callback(self._handled)

    async def _handle(self, waiting: _Waiting) -> None:
        await self._handler(waiting.delivery)
        self._done.add(id(waiting))
        while self._under_way and id(self._under_way[0]) in self._done and not self._lost.done():
            acknowledged = self._under_way.popleft()
            self._done.discard(id(acknowledged))
            with contextlib.suppress(ValueError):  # a session that was cleared meanwhile
                self._broker.session(self).queue.remove(acknowledged)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._handlers.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(BusLostError(reason=f"a delivery could not be handled ({type(error).__name__})"), will=True)
        if not self._lost.done() and not self._closing:
            self.pump()

    def _raise_if_lost(self) -> None:
        if self._lost.done():
            raise lost_by(self._lost.result())
        if self._closing:
            raise BusLostError(reason="it is being closed")
