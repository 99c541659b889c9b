"""The journal again, for an application that missed something: command ``sys.replay``, events on ``replay/{app}``."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Protocol

import msgspec
import structlog

from gateway.bus.connections import Connections
from gateway.bus.dynsec_model import sensitive_right
from gateway.bus.port import BusConnection, BusDeniedError, Publication, is_good
from gateway.bus.relay import CONTENT_TYPE, mirror
from gateway.bus.topics import Topics
from gateway.commands.spec import BoundCommand, CommandContext, CommandSpec
from gateway.core.clock import Clock
from gateway.core.errors import ConflictError, InvalidInputError, TrunklineError
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


class ReplayStarted(Message, frozen=True, kw_only=True):
    """The replay has begun. ``oldest_seq`` above ``from_seq`` means that older ones are no longer kept."""

    from_seq: int
    oldest_seq: int


class ReplayEnd(Message, frozen=True, kw_only=True):
    """The last message of a replay; one that does not come means that the replay broke off: ask again.

    ``count`` events were published between ``from_seq`` and ``to_seq``. ``next_seq`` is where to go on when there were
    too many for one replay, else null.
    """

    replay: str
    from_seq: int
    to_seq: int
    count: int
    next_seq: int | None


REPLAY = CommandSpec(
    name="sys.replay",
    body=ReplayRequest,
    result=ReplayStarted,
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
        self._running: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Break off what is under way."""
        tasks = tuple(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def replay(self, request: ReplayRequest, context: CommandContext) -> ReplayStarted:
        """Carry out ``sys.replay``: begin to publish, and answer."""
        principal = context.principal
        if principal.kind is not PrincipalKind.APPLICATION:
            raise InvalidInputError(field="principal", reason="only an application has a replay topic")
        if request.to_seq is not None and request.to_seq < request.from_seq:
            raise InvalidInputError(field="to_seq", reason="is below from_seq")
        if principal.name in self._running:
            raise ConflictError(what="sys.replay", reason="a replay for this application is under way")
        oldest = await self._events.oldest_seq()
        await context.begin_side_effect()
        if principal.name in self._running:
            raise ConflictError(what="sys.replay", reason="a replay for this application is under way")
        self._running[principal.name] = asyncio.create_task(
            self._keep(request, context.command_id, principal), name=f"replay:{principal.name}"
        )
        return ReplayStarted(from_seq=request.from_seq, oldest_seq=oldest)

    async def _keep(self, request: ReplayRequest, command_id: str, principal: Principal) -> None:
        try:
            end = await self._publish(request, command_id, principal)
            log.info("replay done", application=principal.name, count=end.count)
        except TrunklineError as error:
            log.warning("replay broke off", application=principal.name, error=error.code, reason=error.message())
        finally:
            del self._running[principal.name]

    async def _publish(self, request: ReplayRequest, command_id: str, principal: Principal) -> ReplayEnd:
        connection = await self._connections.ready()
        wanted = self._filter(request, principal)
        last = request.from_seq - 1
        count = 0
        while True:
            started = self._clock.monotonic()
            batch = await self._events.events_after(last, limit=_BATCH)
            within = [event for event in batch if request.to_seq is None or event.seq <= request.to_seq]
            chosen = [event for event in within if wanted(event)][: self._most - count]
            await self._send(connection, principal.name, command_id, chosen)
            count += len(chosen)
            if count == self._most:
                last = chosen[-1].seq if chosen else last
                break
            last = within[-1].seq if within else last
            if len(within) < _BATCH:
                break
            await self._clock.sleep(max(0.0, len(chosen) / self._per_s - (self._clock.monotonic() - started)))
        end = ReplayEnd(
            replay=command_id,
            from_seq=request.from_seq,
            to_seq=last,
            count=count,
            next_seq=last + 1 if count == self._most else None,
        )
        marker = Publication(
            self._topics.replay(principal.name),
            msgspec.json.encode(end),
            content_type="application/json",
            user=(("replay", command_id), ("marker", "end")),
        )
        self._check(await connection.publish(marker))
        return end

    def _filter(self, request: ReplayRequest, principal: Principal) -> Callable[[StoredEvent], bool]:
        types = frozenset(request.types)

        def wanted(event: StoredEvent) -> bool:
            withheld = (event.domain, event.name) in self._sensitive
            if withheld and not principal.may(sensitive_right(event.domain)):
                return False
            return not types or _TYPE.decode(event.payload).type in types

        return wanted

    async def _send(self, connection: BusConnection, app: str, command_id: str, events: Sequence[StoredEvent]) -> None:
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


def commands(service: ReplayService) -> list[BoundCommand[ReplayRequest, ReplayStarted]]:
    """Return the command of the bus itself."""
    return [BoundCommand(REPLAY, service.replay)]
