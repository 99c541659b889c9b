"""The outbox relay: every event of the journal goes to the broker, in order, and none is lost.

The position moves only over events that the broker took, or that were set aside so that they block no other: 0x95 is
an event too large, which no broker will take; 0x87 is a wrong right at the broker, and a broker that is full for ten
minutes is not waited for any longer. The last two are tried again at every connection and every minute. A broker that
confirms an event may still lose it in a crash
before it has written it down; so the position follows ``settle_s`` behind, and after a lost connection what was
confirmed within that time is published again, with the same ``gwseq``. Nothing is lost; what comes twice is told apart
by its number.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec
import structlog

from gateway.bus.connections import Connections
from gateway.bus.port import BusConnection, BusDeniedError, BusLostError, Publication, Reason, is_good, lost_by
from gateway.bus.topics import Topics
from gateway.core.clock import Clock
from gateway.core.errors import TrunklineError
from gateway.core.events import Event, parse_type
from gateway.core.supervisor import Reporter
from gateway.store.unit import StoredEvent

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
_NEVER_TAKEN = frozenset({Reason.TOPIC_NAME_INVALID, Reason.PACKET_TOO_LARGE, Reason.PAYLOAD_FORMAT_INVALID})
_SET_ASIDE = _NEVER_TAKEN | {Reason.NOT_AUTHORIZED}
_PATIENCE_S = 600.0
_FIRST_RETRY_S = 0.2
_LONGEST_RETRY_S = 15.0
_AGAIN_S = 60.0
_BATCH = 256
_POLL_S = 1.0
_SAVE_EVERY_S = 0.1


class Journal(Protocol):
    """What the relay asks of the store."""

    async def relay_position(self) -> int:
        """Return the number up to which everything is published or set aside."""
        ...

    async def events_after(self, seq: int, *, limit: int = 500) -> Sequence[StoredEvent]:
        """Return the events above *seq*, in order."""
        ...

    async def advance(self, seq: int) -> None:
        """Write down that everything up to *seq* is published or set aside."""
        ...

    async def quarantine(self, seq: int, reason_code: int) -> None:
        """Set one event aside."""
        ...

    async def quarantined(self, after: int, *, limit: int = 256) -> Sequence[tuple[StoredEvent, int]]:
        """Return events that are set aside above *after*, in order, each with its reason code."""
        ...

    async def release(self, seq: int) -> None:
        """Write down that an event that was set aside has been published after all."""
        ...

    def listen(self, listener: Callable[[StoredEvent], None]) -> Callable[[], None]:
        """Call *listener* for every event once it is durable."""
        ...


class _Attributes(msgspec.Struct, frozen=True):
    id: str
    source: str
    type: str
    subject: str
    time: str
    gwepoch: int
    gwseq: int
    aggseq: int
    incident: str = ""
    causationid: str = ""
    traceparent: str = ""


_DECODER = msgspec.json.Decoder(_Attributes)


def mirror(payload: bytes) -> tuple[tuple[str, str], ...]:
    """Return the attributes of an envelope as user properties, so that a client may look before it decodes."""
    attributes = _DECODER.decode(payload)
    always = (
        ("specversion", "1.0"),
        ("id", attributes.id),
        ("source", attributes.source),
        ("type", attributes.type),
        ("subject", attributes.subject),
        ("time", attributes.time),
        ("gwepoch", str(attributes.gwepoch)),
        ("gwseq", str(attributes.gwseq)),
        ("aggseq", str(attributes.aggseq)),
    )
    sometimes = (
        ("incident", attributes.incident),
        ("causationid", attributes.causationid),
        ("traceparent", attributes.traceparent),
    )
    return always + tuple(pair for pair in sometimes if pair[1])


def sensitive_names(events: Iterable[type[Event]]) -> frozenset[tuple[str, str]]:
    """Return domain and name of the events that go to the ``…/sensitive`` subtree."""
    return frozenset(parse_type(event.TYPE)[:2] for event in events if event.SENSITIVE)


class OutboxRelay:
    """Publishes the journal. An adapter: it runs until cancelled, over any number of connections."""

    name = "outbox"

    def __init__(
        self,
        journal: Journal,
        connections: Connections,
        topics: Topics,
        clock: Clock,
        *,
        window: int,
        settle_s: float = 0.0,
        sensitive: frozenset[tuple[str, str]] = frozenset(),
        on_alarm: Callable[[TrunklineError], None] = lambda _: None,
    ) -> None:
        self._journal = journal
        self._connections = connections
        self._topics = topics
        self._clock = clock
        self._sensitive = sensitive
        self._on_alarm = on_alarm
        self._slots = asyncio.Semaphore(window)
        self._wake = asyncio.Event()
        self._fresh: deque[StoredEvent] = deque(maxlen=4 * window)
        self._under_way: dict[int, asyncio.Task[None]] = {}  # in order of sequence
        self._done: set[int] = set()
        self._settle_s = settle_s
        self._position = 0  # everything up to here is confirmed or set aside
        self._settled = 0  # and up to here it was so settle_s ago
        self._marks: deque[tuple[float, int]] = deque()  # when the position stood where, one a tenth of a second
        self._saved = 0
        self._saving: asyncio.Task[None] | None = None
        self._marked_at = 0.0
        self._failure: BaseException | None = None
        self._again_at = 0.0
        self.published = 0
        self.set_aside = 0

    @property
    def position(self) -> int:
        """The number up to which everything is confirmed by the broker or set aside."""
        return self._position

    async def run(self, reporter: Reporter) -> None:
        """Publish for ever. Raises what the store raises."""
        self._position = self._settled = self._saved = await self._journal.relay_position()
        self._marks.clear()
        self._failure = None
        end = self._journal.listen(self._hear)
        try:
            while True:
                reporter.degraded("waiting for the broker")
                connection = await self._connections.ready()
                reporter.ready()
                self._again_at = 0.0
                try:
                    await self._serve(connection, reporter)
                except BusLostError as error:
                    await self._drop_under_way()
                    self._go_back()
                    log.info("outbox waits for the broker", reason=error.title(), after=self._position)
                await asyncio.sleep(0)  # let the session notice the loss too
        finally:
            end()
            await self._drop_under_way()
            await self._save_last()

    def _hear(self, event: StoredEvent) -> None:
        self._fresh.append(event)
        self._wake.set()

    async def _serve(self, connection: BusConnection, reporter: Reporter) -> None:
        cursor = self._position
        while True:
            if connection.lost.done():
                raise lost_by(connection.lost.result())
            self._raise_if_failed()
            self._wake.clear()
            await self._try_again(connection, reporter)
            batch = await self._next(cursor)
            for event in batch:
                await self._slots.acquire()
                if connection.lost.done():
                    self._slots.release()
                    break
                task = asyncio.create_task(self._settle(connection, event, reporter), name=f"outbox:{event.seq}")
                task.add_done_callback(self._settled_one)
                self._under_way[event.seq] = task
                cursor = event.seq
            self._save_soon()
            if not batch:
                await self._pause(connection)

    async def _pause(self, connection: BusConnection) -> None:
        # Woken by the store; the time-out is the fallback, and saves the last position when traffic ends.
        timeout_s = _SAVE_EVERY_S if self._position > self._saved and not self._settle_s else _POLL_S
        waiter = asyncio.create_task(self._wake.wait(), name="outbox-wake")
        try:
            await asyncio.wait((waiter, connection.lost), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()

    async def _next(self, cursor: int) -> Sequence[StoredEvent]:
        while self._fresh and self._fresh[0].seq <= cursor:
            self._fresh.popleft()
        if self._fresh and self._fresh[0].seq == cursor + 1:
            batch = list(self._fresh)
            self._fresh.clear()
            return batch
        return await self._journal.events_after(cursor, limit=_BATCH)

    async def _settle(self, connection: BusConnection, event: StoredEvent, reporter: Reporter) -> None:
        """Publish one event until it is taken or set aside; a lost connection leaves it as it is."""
        try:
            reason = await self._publish(connection, event, reporter)
            if not is_good(reason):
                await self._put_aside(event, reason, reporter)
            else:
                self.published += 1
            self._done.add(event.seq)
            while self._position + 1 in self._done:
                self._position += 1
                self._done.discard(self._position)
        except BusLostError:
            return  # seen by whoever serves the connection
        finally:
            self._slots.release()
            self._under_way.pop(event.seq, None)

    def _settled_one(self, task: asyncio.Task[None]) -> None:
        # What the store raised must not stay with the task: the position would stand still and nobody would know.
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = self._failure or error
            self._wake.set()

    async def _publish(self, connection: BusConnection, event: StoredEvent, reporter: Reporter) -> int:
        publication = self._publication(event)
        reason = await connection.publish(publication)
        given_up_at = self._clock.monotonic() + _PATIENCE_S
        delay_s = _FIRST_RETRY_S
        while not is_good(reason) and reason not in _SET_ASIDE and self._clock.monotonic() < given_up_at:
            log.warning("broker did not take an event yet", seq=event.seq, reason=f"0x{reason:02x}")
            reporter.degraded(f"the broker does not take events for now (0x{reason:02x})")
            await self._clock.sleep(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_RETRY_S)
            reason = await connection.publish(publication)
            if is_good(reason):
                reporter.ready()
        return reason

    async def _try_again(self, connection: BusConnection, reporter: Reporter) -> None:
        """Publish what was set aside and may be taken now: the rights were mended, or there is room again."""
        if self._clock.monotonic() < self._again_at:
            return
        self._again_at = self._clock.monotonic() + _AGAIN_S
        after, left, denied = 0, 0, set[tuple[str, str]]()
        while rows := await self._journal.quarantined(after, limit=_BATCH):
            for event, code in rows:
                after = event.seq
                kind = (event.domain, event.name)
                if code in _NEVER_TAKEN:
                    continue
                if kind not in denied and is_good(await connection.publish(self._publication(event))):
                    await self._journal.release(event.seq)
                    log.info("event published after all", seq=event.seq)
                    self.published += 1
                else:
                    denied.add(kind)
                    left += 1
        if left:
            reporter.degraded(f"{left} events are set aside because the broker denied them")

    def _publication(self, event: StoredEvent) -> Publication:
        sensitive = (event.domain, event.name) in self._sensitive
        return Publication(
            topic=self._topics.event(event.domain, event.resource, event.name, sensitive=sensitive),
            payload=event.payload,
            content_type=CONTENT_TYPE,
            user=mirror(event.payload),
        )

    async def _put_aside(self, event: StoredEvent, reason: int, reporter: Reporter) -> None:
        error = BusDeniedError(what=f"an event of type {event.domain}.{event.name}", reason=reason)
        log.error("event set aside", seq=event.seq, type=f"{event.domain}.{event.name}", reason=f"0x{reason:02x}")
        await self._journal.quarantine(event.seq, reason)
        self.set_aside += 1
        self._on_alarm(error)
        reporter.degraded(error.message())

    async def _drop_under_way(self) -> None:
        tasks = tuple(self._under_way.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        self._done.clear()

    # -- the position --------------------------------------------------------------------------------------------

    def _go_back(self) -> None:
        self._mark(self._clock.monotonic())
        self._position = self._settled
        self._marks.clear()

    def _mark(self, now: float) -> None:
        if self._position > (self._marks[-1][1] if self._marks else self._settled):
            self._marks.append((now, self._position))
        while self._marks and self._marks[0][0] <= now - self._settle_s:
            _, self._settled = self._marks.popleft()

    def _save_soon(self) -> None:
        now = self._clock.monotonic()
        if now - self._marked_at < _SAVE_EVERY_S:
            return
        self._marked_at = now
        self._mark(now)
        if self._settled > self._saved and self._saving is None:
            self._saving = asyncio.create_task(self._save(self._settled), name="outbox-position")

    async def _save(self, position: int) -> None:
        await self._journal.advance(position)
        self._saved = position

    def _raise_if_failed(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        self._raise_if_saving_failed()

    def _raise_if_saving_failed(self) -> None:
        if self._saving is not None and self._saving.done():
            done, self._saving = self._saving, None
            done.result()

    async def _save_last(self) -> None:
        """In a shutdown in order the broker goes on, and what it confirmed counts."""
        if self._saving is not None:
            await asyncio.wait([self._saving])
            self._raise_if_saving_failed()
        if self._position > self._saved:
            await self._save(self._position)
