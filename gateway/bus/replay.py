"""The journal again, for an application that missed something: command ``sys.replay``, events on ``replay/{app}``."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Protocol

import msgspec
import structlog

from gateway.bus.dynsec_model import sensitive_right
from gateway.bus.port import BusConnection, BusDeniedError, Publication, is_good
from gateway.bus.relay import CONTENT_TYPE, Connections, mirror
from gateway.bus.topics import Topics
from gateway.commands.spec import BoundCommand, CommandContext, CommandSpec
from gateway.core.clock import Clock
from gateway.core.errors import ConflictError, InvalidInputError
from gateway.core.events import Message
from gateway.core.text import Text
from gateway.principals.model import Principal, PrincipalKind
from gateway.store.unit import StoredEvent

log = structlog.get_logger(__name__)

MOST_EVENTS = 50_000
_BATCH = 250
_TOGETHER = 25
_PER_S = 2500


class ReplayRequest(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events: from ``from_seq`` to ``to_seq`` (both included; without it, up to now), of ``types`` or all."""

    from_seq: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    to_seq: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None
    types: Annotated[tuple[str, ...], msgspec.Meta(max_length=64)] = ()


class ReplayEnd(Message, frozen=True, kw_only=True):
    """The last message of a replay, and the result of the command.

    ``count`` events were published between ``from_seq`` and ``to_seq``. ``next_seq`` is where to go on when there were
    too many for one replay, else null. ``oldest_seq`` above ``from_seq`` means that older ones are no longer kept.
    """

    replay: str
    from_seq: int
    to_seq: int
    count: int
    oldest_seq: int
    next_seq: int | None


REPLAY = CommandSpec(
    name="sys.replay",
    body=ReplayRequest,
    result=ReplayEnd,
    summary=Text("Publish past events again, for this application alone.", "仅向本应用重新发布历史事件。"),
    max_ttl_s=60.0,
)


class PastEvents(Protocol):
    """What a replay asks of the store."""

    async def events_after(self, seq: int, *, limit: int = 500) -> Sequence[StoredEvent]:
        """Return the events above *seq*, in order."""
        ...

    async def oldest_seq(self) -> int:
        """Return the oldest number that is kept."""
        ...


class _TypeOnly(msgspec.Struct, frozen=True):
    type: str


_TYPE = msgspec.json.Decoder(_TypeOnly)


class ReplayService:
    """Publishes past events, in order, a bounded number a second, one replay at a time for an application."""

    def __init__(
        self,
        events: PastEvents,
        connections: Connections,
        topics: Topics,
        clock: Clock,
        *,
        sensitive: frozenset[tuple[str, str]] = frozenset(),
        per_s: int = _PER_S,
        most: int = MOST_EVENTS,
    ) -> None:
        self._events = events
        self._connections = connections
        self._topics = topics
        self._clock = clock
        self._sensitive = sensitive
        self._per_s = per_s
        self._most = most
        self._running: set[str] = set()

    async def replay(self, request: ReplayRequest, context: CommandContext) -> ReplayEnd:
        """Carry out ``sys.replay``; a lost connection fails it, and the application asks again from where it is."""
        principal = context.principal
        if principal.kind is not PrincipalKind.APPLICATION:
            raise InvalidInputError(field="principal", reason="only an application has a replay topic")
        if request.to_seq is not None and request.to_seq < request.from_seq:
            raise InvalidInputError(field="to_seq", reason="is below from_seq")
        if principal.name in self._running:
            raise ConflictError(what="sys.replay", reason="a replay for this application is under way")
        self._running.add(principal.name)
        try:
            await context.begin_side_effect()
            return await self._publish(request, context.command_id, principal)
        finally:
            self._running.discard(principal.name)

    async def _publish(self, request: ReplayRequest, command_id: str, principal: Principal) -> ReplayEnd:
        connection = await self._connections.ready()
        oldest = await self._events.oldest_seq()
        wanted = self._filter(request, principal)
        last = request.from_seq - 1
        count = 0
        next_seq: int | None = None
        ended = False
        while not ended:
            started = self._clock.monotonic()
            batch = await self._events.events_after(last, limit=_BATCH)
            chosen = []
            for event in batch:
                if request.to_seq is not None and event.seq > request.to_seq:
                    ended = True
                    break
                if count + len(chosen) >= self._most:
                    next_seq = event.seq
                    ended = True
                    break
                last = event.seq
                if wanted(event):
                    chosen.append(event)
            await self._send(connection, principal.name, command_id, chosen)
            count += len(chosen)
            ended = ended or len(batch) < _BATCH
            await self._clock.sleep(max(0.0, len(chosen) / self._per_s - (self._clock.monotonic() - started)))
        end = ReplayEnd(
            replay=command_id,
            from_seq=request.from_seq,
            to_seq=last,
            count=count,
            oldest_seq=oldest,
            next_seq=next_seq,
        )
        marker = Publication(
            self._topics.replay(principal.name),
            msgspec.json.encode(end),
            content_type="application/json",
            user=(("replay", command_id), ("marker", "end")),
        )
        self._check(await connection.publish(marker))
        log.info("replay done", application=principal.name, count=count)
        return end

    def _filter(self, request: ReplayRequest, principal: Principal) -> Callable[[StoredEvent], bool]:
        types = frozenset(request.types)

        def wanted(event: StoredEvent) -> bool:
            withheld = (event.domain, event.name) in self._sensitive
            if withheld and not principal.may(sensitive_right(event.domain)):
                return False
            return not types or _TYPE.decode(event.payload).type in types

        return wanted

    async def _send(
        self, connection: BusConnection, app: str, command_id: str, events: Sequence[StoredEvent]
    ) -> None:
        topic = self._topics.replay(app)
        for start in range(0, len(events), _TOGETHER):
            reasons = await asyncio.gather(
                *(
                    connection.publish(
                        Publication(
                            topic,
                            event.payload,
                            content_type=CONTENT_TYPE,
                            user=(*mirror(event.payload), ("replay", command_id)),
                        )
                    )
                    for event in events[start : start + _TOGETHER]
                )
            )
            for reason in reasons:
                self._check(reason)

    @staticmethod
    def _check(reason: int) -> None:
        if not is_good(reason):
            raise BusDeniedError(what="a replay", reason=reason)


def commands(service: ReplayService) -> list[BoundCommand[ReplayRequest, ReplayEnd]]:
    """Return the command of the bus itself."""
    return [BoundCommand(REPLAY, service.replay)]
