"""Everything that the gateway keeps retained at the broker, and that nothing else is retained under its prefix.

At each connection all of it is published anew and what nobody owns any more is cleared, so that no state outlives its
owner. Between connections only the latest state of a resource counts: changes are coalesced.
"""

import asyncio
import math
from collections.abc import Callable, Sequence

import msgspec
import structlog

from gateway.bus.messages import AdapterHealth, Catalog, GatewayState, HealthReport, Info, Lease, ResourceState
from gateway.bus.port import (
    BusConnection,
    BusDeniedError,
    BusTakenOverError,
    Delivery,
    Publication,
    is_good,
    lost_by,
)
from gateway.bus.topics import Topics, matches
from gateway.core.board import Board, Shown
from gateway.core.clock import Clock
from gateway.core.errors import DeadlineError, TrunklineError
from gateway.core.ids import new_id
from gateway.core.supervisor import Health

log = structlog.get_logger(__name__)

_JSON = "application/json"
_TOGETHER = 32
_MOST_COLLECTED = 50_000


class RetainedState:
    """Publishes state, lease, info, catalogue, health and every resource's state.

    ``health`` is asked at each change that :meth:`note_health` tells of. ``instance`` tells this start of the gateway
    from another one that uses the same site.
    """

    def __init__(
        self,
        topics: Topics,
        board: Board,
        clock: Clock,
        info: Info,
        *,
        catalog: Catalog,
        health: Callable[[], Sequence[Health]],
        heartbeat_s: float,
        deadline_s: float,
        on_alarm: Callable[[TrunklineError], None] = lambda _: None,
    ) -> None:
        self._topics = topics
        self._board = board
        self._clock = clock
        self._info = info
        self._catalog = catalog
        self._health = health
        self._heartbeat_s = heartbeat_s
        self._deadline_s = deadline_s
        self._on_alarm = on_alarm
        self._changed: dict[tuple[str, str], Shown] = {}
        self._health_changed = False
        self._wake = asyncio.Event()
        self._collected: dict[str, bytes] | None = None
        self._barrier: asyncio.Future[None] | None = None
        self._barrier_payload = b""
        self._announced = False
        self._end_listening = board.listen(self._note)

    @property
    def will(self) -> Publication:
        """What the broker is to publish when the gateway vanishes."""
        return self._state("offline")

    def close(self) -> None:
        """Stop listening to the board."""
        self._end_listening()

    def note_health(self) -> None:
        """Publish the health of the adapters again, soon."""
        self._health_changed = True
        self._wake.set()

    def take(self, delivery: Delivery) -> None:
        """Take a delivery that is no command: something retained, seen while it is looked for orphans."""
        if self._collected is None:
            return
        if delivery.topic == self._topics.barrier and delivery.payload == self._barrier_payload:
            if self._barrier is not None and not self._barrier.done():
                self._barrier.set_result(None)
        elif delivery.retain and delivery.payload and len(self._collected) < _MOST_COLLECTED:
            self._collected.setdefault(delivery.topic, delivery.payload)

    @property
    def is_known(self) -> bool:
        """Whether this start of the gateway has been announced before, so that a foreign lease means a rival."""
        return self._announced

    async def look_for_rival(self, connection: BusConnection) -> None:
        """Raise :class:`BusTakenOverError` when another gateway took the site while this one was away.

        Mosquitto 2.0 does not say that a session was taken over, so the lease has to.
        """
        lease = (await self._collect(connection, (self._topics.own,))).get(self._topics.lease)
        if lease is None:
            return
        try:
            rival = msgspec.json.decode(lease, type=Lease)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return  # not a lease; it is overwritten
        if rival.instance != self._info.instance:
            raise BusTakenOverError(client_id=f"the site {self._topics.site}")

    async def publish_all(self, connection: BusConnection) -> None:
        """Publish everything and clear what is not ours.

        Commands that somebody had retained come in as commands meanwhile, and are refused as such.
        """
        found = await self._collect(connection, (*self._topics.retained, self._topics.retained_commands))
        shown = self._board.all()
        self._changed.clear()
        self._health_changed = False
        await self._publish_each(
            connection,
            [
                self._message(self._topics.info, self._info),
                self._message(self._topics.catalog, self._catalog),
                self._health_report(),
                *(self._resource(one) for one in shown),
            ],
        )
        owned = {self._topics.resource_state(one.domain, one.resource) for one in shown} | {
            self._topics.state,
            self._topics.lease,
            self._topics.info,
            self._topics.catalog,
            self._topics.health,
        }
        orphans = [topic for topic in found if topic not in owned]
        if orphans:
            log.info("clearing retained topics that nobody owns", count=len(orphans))
        await self._publish_each(connection, [Publication(topic, b"", retain=True) for topic in orphans])

    async def announce(self, connection: BusConnection) -> None:
        """Tell that the gateway is there, now that it takes commands."""
        await self._publish_each(connection, [self._lease(), self._state("online")])
        self._announced = True

    async def keep(self, connection: BusConnection) -> None:
        """Publish changes and renew the lease until the connection is lost; raises the reason."""
        next_beat = self._clock.monotonic() + self._heartbeat_s
        while True:
            await self._wait(connection, next_beat - self._clock.monotonic())
            if connection.lost.done():
                raise connection.lost.result()
            self._wake.clear()
            publications = [self._resource(shown) for shown in self._changed.values()]
            self._changed.clear()
            if self._health_changed:
                self._health_changed = False
                publications.append(self._health_report())
            if self._clock.monotonic() >= next_beat:
                next_beat = self._clock.monotonic() + self._heartbeat_s
                publications.append(self._lease())
            await self._publish_each(connection, publications)

    async def say_goodbye(self, connection: BusConnection) -> None:
        """Publish ``offline`` and take the lease away, for a shutdown in order."""
        await self._publish_each(
            connection, [self._state("offline"), Publication(self._topics.lease, b"", retain=True)]
        )

    # -- what is published ---------------------------------------------------------------------------------------

    def _note(self, shown: Shown) -> None:
        self._changed[shown.domain, shown.resource] = shown
        self._wake.set()

    def _message(self, topic: str, message: msgspec.Struct, *, expiry_s: int | None = None) -> Publication:
        payload = msgspec.json.encode(message)
        return Publication(topic, payload, retain=True, expiry_s=expiry_s, content_type=_JSON)

    def _state(self, status: str) -> Publication:
        state = GatewayState(
            status="online" if status == "online" else "offline", epoch=self._info.epoch, instance=self._info.instance
        )
        return self._message(self._topics.state, state)

    def _lease(self) -> Publication:
        lease = Lease(
            epoch=self._info.epoch,
            instance=self._info.instance,
            renewed_at=self._clock.wall(),
            heartbeat_s=self._heartbeat_s,
        )
        return self._message(self._topics.lease, lease, expiry_s=math.ceil(3 * self._heartbeat_s))

    def _health_report(self) -> Publication:
        adapters = tuple(
            AdapterHealth(
                name=one.name, state=one.state, since=one.since, reason=one.reason[:300], restarts=one.restarts
            )
            for one in self._health()
        )
        return self._message(self._topics.health, HealthReport(epoch=self._info.epoch, adapters=adapters))

    def _resource(self, shown: Shown) -> Publication:
        state = ResourceState(
            revision=shown.revision, epoch=self._info.epoch, state=msgspec.Raw(msgspec.json.encode(shown.state))
        )
        return self._message(self._topics.resource_state(shown.domain, shown.resource), state)

    async def _publish_each(self, connection: BusConnection, publications: Sequence[Publication]) -> None:
        # Never two of one topic in the same list, so publishing some of them together keeps latest-wins.
        for start in range(0, len(publications), _TOGETHER):
            together = publications[start : start + _TOGETHER]
            reasons = await asyncio.gather(*(connection.publish(one) for one in together))
            for one, reason in zip(together, reasons, strict=True):
                if not is_good(reason):
                    log.error("broker refused a retained message", topic=one.topic, reason=f"0x{reason:02x}")
                    self._on_alarm(BusDeniedError(what=f"the topic {one.topic}", reason=reason))

    # -- orphans and rivals --------------------------------------------------------------------------------------

    async def _collect(self, connection: BusConnection, patterns: Sequence[str]) -> dict[str, bytes]:
        """Return what is retained under the own prefix: all that comes before a message of our own."""
        collected: dict[str, bytes] = {}
        self._collected = collected
        self._barrier = asyncio.get_running_loop().create_future()
        try:
            for pattern in patterns:
                reason = await connection.subscribe(pattern, retain_handling=0, no_local=False)
                if not is_good(reason):
                    raise BusDeniedError(what=f"subscribing to {pattern}", reason=reason)
            self._barrier_payload = msgspec.json.encode({"barrier": new_id()})
            await connection.publish(Publication(self._topics.barrier, self._barrier_payload))
            async with asyncio.timeout(self._deadline_s):
                await asyncio.wait((self._barrier, connection.lost), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError as error:
            raise DeadlineError(what="the broker's retained messages", timeout_s=self._deadline_s) from error
        finally:
            self._collected = None
            self._barrier = None
        if connection.lost.done():
            raise lost_by(connection.lost.result())
        for pattern in patterns:
            await connection.unsubscribe(pattern)
        return {topic: payload for topic, payload in collected.items() if self._is_own(topic)}

    def _is_own(self, topic: str) -> bool:
        return any(matches(pattern, topic) for pattern in self._topics.retained)

    async def _wait(self, connection: BusConnection, timeout_s: float) -> None:
        waiter = asyncio.create_task(self._wake.wait(), name="retained-wake")
        beat = asyncio.create_task(self._clock.sleep(max(0.0, timeout_s)), name="retained-heartbeat")
        try:
            await asyncio.wait((waiter, beat, connection.lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
            beat.cancel()
