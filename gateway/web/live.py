"""Live events: a snapshot of the board, what the journal holds, then everything that happens, each exactly once.

Frames are those of the HTML standard, section 9.2 (server-sent events):

==========  ============  ==========================================================================================
event       id            data
==========  ============  ==========================================================================================
snapshot    position      ``{"epoch", "seq", "time", "shown": [{"domain", "resource", "revision", "state"}]}``
(message)   its gwseq     one CloudEvents envelope, byte for byte as on the bus
state       none          ``{"domain", "resource", "revision", "state"}``; only the latest of each resource
heartbeat   position      ``{"epoch", "seq", "position", "time"}``; ``seq`` ahead of ``position`` is a stream that lags
gap         position      ``{"from", "to", "reason": "pruned" | "ahead"}``: these numbers are not in the journal
signed_out  none          ``{}``: the stream ends, and opening it again needs a sign-in
==========  ============  ==========================================================================================

The id is always the last event that this stream has passed, also when a filter held it back, so that a stream that is
resumed goes on where it was.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import msgspec
import structlog
from litestar.types import Receive, Scope, Send

from gateway.bus.dynsec_model import sensitive_right
from gateway.core.board import Board, Shown
from gateway.core.clock import Clock
from gateway.core.errors import TrunklineError
from gateway.principals.model import Principal, PrincipalKind
from gateway.store.unit import StoredEvent
from gateway.web.errors import StreamLimitError
from gateway.web.ports import Journal

log = structlog.get_logger(__name__)

PAGE = 500
RECHECK_S = 15.0
RETRY_MS = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stream carries: what *principal* may read (``<domain>.read`` on the resource), narrowed by the two sets.

    ``types`` are without their version (``tel.call_started``). An empty set narrows nothing. Of ``sensitive`` events,
    given as domain and name, an application is told only with the right that it needs for them on the bus.
    """

    principal: Principal
    domains: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    sensitive: frozenset[tuple[str, str]] = frozenset()

    def event(self, event: StoredEvent) -> bool:
        """Tell whether *event* is carried."""
        if self.types and f"{event.domain}.{event.name}" not in self.types:
            return False
        if (event.domain, event.name) in self.sensitive and not self._may_read_sensitive(event.domain):
            return False
        return self.resource(event.domain, event.resource)

    def resource(self, domain: str, resource: str) -> bool:
        """Tell whether anything of *resource* is carried."""
        return (not self.domains or domain in self.domains) and self.principal.may(f"{domain}.read", resource)

    def _may_read_sensitive(self, domain: str) -> bool:
        principal = self.principal
        return principal.kind is not PrincipalKind.APPLICATION or principal.may(sensitive_right(domain))


@dataclass(slots=True, eq=False)
class Subscription:
    """What waits for one reader: events up to a bound, and of each resource only its latest state."""

    wanted: Wanted
    bound: int
    events: deque[StoredEvent] = field(default_factory=deque)
    states: dict[tuple[str, str], Shown] = field(default_factory=dict)
    missed: bool = True  # at first nothing of the journal has been read
    closed: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, event: StoredEvent) -> None:
        """Take an event; beyond the bound everything is dropped, to be read from the journal again."""
        if len(self.events) >= self.bound:
            self.events.clear()
            self.missed = True
        if not self.missed:
            self.events.append(event)
        self.wake.set()

    def show(self, shown: Shown) -> None:
        """Take a change of state."""
        if self.wanted.resource(shown.domain, shown.resource):
            self.states[shown.domain, shown.resource] = shown
            self.wake.set()

    def close(self) -> None:
        """End the stream."""
        self.closed = True
        self.wake.set()


class LiveHub:
    """Gives every reader its own stream of the journal and the board.

    ``last_seq`` is the number of the last event in the journal when the hub is made.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        board: Board,
        clock: Clock,
        epoch: int,
        last_seq: int,
        stream_max: int = 64,
        stream_buffer: int = 2000,
        heartbeat_s: float = 1.0,
        sensitive: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        self._journal = journal
        self._board = board
        self._clock = clock
        self._epoch = epoch
        self._last_seq = last_seq
        self._stream_max = stream_max
        self._stream_buffer = stream_buffer
        self.heartbeat_s = heartbeat_s
        self.sensitive = sensitive
        self._subscriptions: set[Subscription] = set()
        self._stop_listening = (journal.listen(self._on_event), board.listen(self._on_shown))

    @property
    def last_seq(self) -> int:
        """The number of the last event that is durable."""
        return self._last_seq

    @property
    def epoch(self) -> int:
        """The start of the gateway that this is."""
        return self._epoch

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._subscriptions)

    def close_streams(self) -> None:
        """End every open stream; their readers come back by themselves."""
        for subscription in self._subscriptions:
            subscription.close()

    def close(self) -> None:
        """End every stream and listen no more."""
        self.close_streams()
        for stop in self._stop_listening:
            stop()

    @contextlib.contextmanager
    def subscribe(self, wanted: Wanted) -> Iterator[Subscription]:
        """Hold one place for a reader; raises :class:`StreamLimitError` when none is free."""
        if len(self._subscriptions) >= self._stream_max:
            raise StreamLimitError(limit=self._stream_max)
        subscription = Subscription(wanted, self._stream_buffer)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def frames(
        self,
        subscription: Subscription,
        *,
        after: int | None = None,
        still_welcome: Callable[[], Awaitable[bool]] | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """Yield the frames of one stream until it is closed, from the event after *after* (``None``: from now on).

        Ends by itself when the reader is so slow that its buffer fills up; the reader resumes by the last id.
        """
        position = self._last_seq if after is None else after
        return _Stream(self, self._journal, self._clock, subscription, position).frames(still_welcome)

    def note(self, seq: int) -> None:
        """Take note that *seq* is durable, for example because it was read from the journal before it was told."""
        self._last_seq = max(self._last_seq, seq)

    def snapshot(self, wanted: Wanted) -> dict[str, object]:
        """Return what the board shows now, as far as it is wanted."""
        shown = [_shown(each) for each in self._board.all() if wanted.resource(each.domain, each.resource)]
        return {"epoch": self._epoch, "seq": self._last_seq, "time": self._clock.wall(), "shown": shown}

    def _on_event(self, event: StoredEvent) -> None:
        self.note(event.seq)
        for subscription in self._subscriptions:
            subscription.offer(event)

    def _on_shown(self, shown: Shown) -> None:
        for subscription in self._subscriptions:
            subscription.show(shown)


class _Stream:
    """One reader's way through the journal and into the present."""

    def __init__(self, hub: LiveHub, journal: Journal, clock: Clock, subscription: Subscription, position: int) -> None:
        self._hub = hub
        self._journal = journal
        self._clock = clock
        self._subscription = subscription
        self._position = position
        self._live = False
        self._beat_due = clock.monotonic()
        self._recheck_due = self._beat_due + RECHECK_S

    async def frames(self, still_welcome: Callable[[], Awaitable[bool]] | None) -> AsyncGenerator[bytes, None]:
        subscription = self._subscription
        for frame in self._opening():
            yield frame
        while not subscription.closed:
            subscription.wake.clear()
            if subscription.missed:
                if self._live:
                    return  # the reader is too slow for what happens: it resumes with a fresh snapshot
                async with contextlib.aclosing(self._replay()) as replay:
                    async for frame in replay:
                        yield frame
                self._live = not subscription.missed
            for frame in self._present():
                yield frame
            if still_welcome is not None and self._recheck_due <= self._clock.monotonic():
                self._recheck_due = self._clock.monotonic() + RECHECK_S
                if not await still_welcome():
                    yield _frame({}, "signed_out")
                    return
            if not subscription.missed:
                with contextlib.suppress(TimeoutError):
                    async with self._clock.timeout(max(self._beat_due - self._clock.monotonic(), 0)):
                        await subscription.wake.wait()

    def _opening(self) -> Iterator[bytes]:
        self._subscription.states.clear()
        yield b"retry: %d\n\n" % RETRY_MS
        yield _frame(self._hub.snapshot(self._subscription.wanted), "snapshot", self._position)
        last = self._hub.last_seq
        if self._position > last:  # the journal is another one than the reader followed, or was set back
            gap = {"from": last + 1, "to": self._position, "reason": "ahead"}
            self._position = last
            yield _frame(gap, "gap", last)

    async def _replay(self) -> AsyncGenerator[bytes, None]:
        # Listening begins before the journal is read: what is durable by now is in the journal, what comes later is in
        # the buffer, and what is in both is passed over by its number.
        self._subscription.missed = False
        self._subscription.events.clear()
        more = True
        while more and not self._subscription.closed:
            rows = await self._journal.events_after(self._position, limit=PAGE)
            more = len(rows) == PAGE
            if rows:
                self._hub.note(rows[-1].seq)
            for row in rows:
                if row.seq > self._position + 1:
                    gap = {"from": self._position + 1, "to": row.seq - 1, "reason": "pruned"}
                    yield _frame(gap, "gap", row.seq - 1)
                self._position = row.seq
                if self._subscription.wanted.event(row):
                    yield _event_frame(row)
            for beat in self._beat():
                yield beat

    def _present(self) -> Iterator[bytes]:
        subscription = self._subscription
        while subscription.states:
            yield _frame(_shown(subscription.states.popitem()[1]), "state")
        while subscription.events and not subscription.missed:
            event = subscription.events.popleft()
            if event.seq <= self._position:
                continue
            if event.seq != self._position + 1:  # the journal knows what came between
                subscription.missed, self._live = True, False
                return
            self._position = event.seq
            if subscription.wanted.event(event):
                yield _event_frame(event)
        yield from self._beat()

    def _beat(self) -> Iterator[bytes]:
        now = self._clock.monotonic()
        if now < self._beat_due:
            return
        self._beat_due = now + self._hub.heartbeat_s
        body = {
            "epoch": self._hub.epoch,
            "seq": self._hub.last_seq,
            "position": self._position,
            "time": self._clock.wall(),
        }
        yield _frame(body, "heartbeat", self._position)


class StreamAnswer:
    """The answer to ``GET /api/v1/events``, as an ASGI application."""

    def __init__(
        self,
        hub: LiveHub,
        wanted: Wanted,
        *,
        after: int | None,
        still_welcome: Callable[[], Awaitable[bool]] | None,
    ) -> None:
        self._hub = hub
        self._wanted = wanted
        self._after = after
        self._still_welcome = still_welcome

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send frames until the reader goes away or the stream is closed."""
        with self._hub.subscribe(self._wanted) as subscription:
            headers = [
                (b"content-type", b"text/event-stream; charset=utf-8"),
                (b"cache-control", b"no-store"),
                (b"x-accel-buffering", b"no"),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            watch = asyncio.create_task(_close_when_gone(subscription, receive), name="live-stream-watch")
            frames = self._hub.frames(subscription, after=self._after, still_welcome=self._still_welcome)
            try:
                async with contextlib.aclosing(frames):
                    async for frame in frames:
                        await send({"type": "http.response.body", "body": frame, "more_body": True})
            except TrunklineError as error:  # the journal cannot be read for now: the reader comes back by itself
                log.warning("live stream ended", error=error.code, reason=error.message())
            finally:
                watch.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _close_when_gone(subscription: Subscription, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    subscription.close()


def _shown(shown: Shown) -> dict[str, object]:
    return {
        "domain": shown.domain,
        "resource": shown.resource,
        "revision": shown.revision,
        "state": shown.state,
    }


def _event_frame(event: StoredEvent) -> bytes:
    return b"id: %d\ndata: %s\n\n" % (event.seq, event.payload.replace(b"\n", b"\ndata: "))


def _frame(body: object, event: str, seq: int | None = None) -> bytes:
    number = b"" if seq is None else b"id: %d\n" % seq
    return b"%sevent: %s\ndata: %s\n\n" % (number, event.encode(), msgspec.json.encode(body))
