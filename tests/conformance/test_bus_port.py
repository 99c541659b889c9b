"""The laws of the bus port, on a real mosquitto and on its twin in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.bus.memory import MemoryBroker, MemoryPort
from gateway.bus.mqtt import Endpoint, MqttPort
from gateway.bus.port import (
    BusConnection,
    BusLostError,
    BusPort,
    BusRefusedError,
    BusTakenOverError,
    BusUnreachableError,
    Delivery,
    Login,
    Publication,
    Reason,
)
from gateway.core.clock import SystemClock
from tests.support.broker import RealBroker, real_broker
from tests.support.bus import until

pytestmark = pytest.mark.integration

DEADLINE_S = 10.0
COMMAND = "gw/v1/duty/cmd/app/tel/dial"
STATE = "gw/v1/duty/tel/line-1/state"


@dataclass
class Stage:
    """A broker, a port to it, and what a test does to the broker."""

    port: BusPort
    user: str
    password: str
    kill: Callable[[], Any]
    restart: Callable[[], Any]

    def login(self, client_id: str = "trunkline", **more: Any) -> Login:
        return Login(client_id, self.user, self.password, **{"session_expiry_s": 300, **more})


class Inbox:
    """A handler that keeps what came; ``gate`` holds handlers back, ``fail`` makes them raise."""

    def __init__(self) -> None:
        self.seen: list[Delivery] = []
        self.finished: list[bytes] = []
        self.gate: asyncio.Event | None = None
        self.fail = False

    async def __call__(self, delivery: Delivery) -> None:
        self.seen.append(delivery)
        if self.gate is not None:
            await self.gate.wait()
        if self.fail:
            raise RuntimeError("the ledger is gone")
        self.finished.append(delivery.payload)


@contextlib.asynccontextmanager
async def memory_stage() -> AsyncIterator[Stage]:
    broker = MemoryBroker(
        SystemClock(),
        passwords={"gateway": "secret"},
        may_publish=lambda _, topic: topic.startswith("gw/v1/duty/"),
        may_subscribe=lambda _, topic: topic.startswith("gw/v1/duty/"),
        receive_window=8,
        publish_window=16,
    )

    async def restart() -> None:
        broker.down = False

    yield Stage(MemoryPort(broker), "gateway", "secret", broker.kill, restart)


@contextlib.asynccontextmanager
async def mosquitto_stage() -> AsyncIterator[Stage]:
    async with real_broker(
        receive_window=8, publish_window=16, replacements={"autosave_on_changes false": "autosave_on_changes true"}
    ) as broker:

        async def kill() -> None:
            await broker.kill()

        yield Stage(port_of(broker), *broker.login(), kill=kill, restart=broker.start)


def port_of(broker: RealBroker) -> MqttPort:
    return MqttPort(Endpoint(socket=broker.paths.socket), broker.options)


@pytest.fixture(params=[memory_stage, mosquitto_stage], ids=["memory", "mosquitto"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with request.param() as made:
        yield made


async def send(connection: BusConnection, payload: bytes, topic: str = COMMAND, **more: Any) -> int:
    return await connection.publish(Publication(topic, payload, **more))


async def test_reason_codes_are_seen(stage: Stage) -> None:
    async with stage.port.connect(stage.login(), Inbox()) as connection:
        assert await send(connection, b"x") in (Reason.SUCCESS, Reason.NO_MATCHING_SUBSCRIBERS)
        assert await send(connection, b"x", topic="other/site") == Reason.NOT_AUTHORIZED
        assert await connection.subscribe("other/#") == Reason.NOT_AUTHORIZED
        assert await connection.subscribe("gw/v1/duty/cmd/+/+/+") == 1
        assert not connection.lost.done()


async def test_an_oversize_packet_is_answered_and_the_connection_lives(stage: Stage) -> None:
    async with stage.port.connect(stage.login(), Inbox()) as connection:
        assert await send(connection, b"x" * 70_000) == Reason.PACKET_TOO_LARGE
        assert await send(connection, b"x" * 60_000) < 0x80
        assert await send(connection, b"x", user=(("k", "v" * 40_000),) * 2) == Reason.PACKET_TOO_LARGE


async def test_properties_arrive(stage: Stage) -> None:
    inbox = Inbox()
    async with (
        stage.port.connect(stage.login(), inbox) as connection,
        stage.port.connect(stage.login("other"), Inbox()) as other,
    ):
        await connection.subscribe("gw/v1/duty/cmd/+/+/+")
        await send(
            other,
            "单雄信 🚒".encode(),
            response_topic="gw/v1/duty/res/app/1",
            correlation=b"\x00\xff",
            content_type="application/json",
            user=(("site", "曾国藩"), ("site", "again")),
        )
        await until(lambda: bool(inbox.finished))
        (delivery,) = inbox.seen
        assert delivery.payload.decode() == "单雄信 🚒"
        assert delivery.response_topic == "gw/v1/duty/res/app/1"
        assert delivery.correlation == b"\x00\xff"
        assert delivery.user == (("site", "曾国藩"), ("site", "again"))


async def test_what_was_not_handled_comes_again_after_a_crash(stage: Stage) -> None:
    first = Inbox()
    first.gate = asyncio.Event()
    async with stage.port.connect(stage.login("other"), Inbox()) as other:
        async with stage.port.connect(stage.login(), first) as connection:
            await connection.subscribe("gw/v1/duty/cmd/+/+/+")
            for number in range(12):
                await send(other, b"%d" % number)
            await until(lambda: len(first.seen) == 8)  # the window
            first.fail = True
            first.gate.set()
            async with asyncio.timeout(DEADLINE_S):
                assert isinstance(await connection.lost, BusLostError)
        second = Inbox()
        async with stage.port.connect(stage.login(), second) as connection:
            assert connection.welcome.session_present
            await until(lambda: len(second.finished) == 12)
            assert second.finished == [b"%d" % number for number in range(12)]
            assert second.seen[0].duplicate


async def test_acknowledgements_follow_the_order_of_arrival(stage: Stage) -> None:
    """The first handler hangs, later ones finish: none of them is acknowledged before the first."""
    release = asyncio.Event()
    finished: list[bytes] = []

    async def handler(delivery: Delivery) -> None:
        if delivery.payload == b"0":
            await release.wait()
            raise RuntimeError("crash")
        finished.append(delivery.payload)

    async with stage.port.connect(stage.login("other"), Inbox()) as other:
        async with stage.port.connect(stage.login(), handler) as connection:
            await connection.subscribe("gw/v1/duty/cmd/+/+/+")
            for number in range(4):
                await send(other, b"%d" % number)
            await until(lambda: len(finished) == 3)
            release.set()
            async with asyncio.timeout(DEADLINE_S):
                await connection.lost
        again = Inbox()
        async with stage.port.connect(stage.login(), again):
            await until(lambda: len(again.finished) == 4)
            assert again.finished == [b"0", b"1", b"2", b"3"]


async def test_a_handled_delivery_does_not_come_again(stage: Stage) -> None:
    inbox = Inbox()
    async with stage.port.connect(stage.login("other"), Inbox()) as other:
        async with stage.port.connect(stage.login(), inbox) as connection:
            await connection.subscribe("gw/v1/duty/cmd/+/+/+")
            await send(other, b"one")
            await until(lambda: bool(inbox.finished))
        await send(other, b"while away")
        async with stage.port.connect(stage.login(), inbox):
            await until(lambda: len(inbox.finished) == 2)
        assert inbox.finished == [b"one", b"while away"]


async def test_a_retained_command_is_not_delivered_to_a_fresh_subscription(stage: Stage) -> None:
    inbox = Inbox()
    async with stage.port.connect(stage.login("other"), Inbox()) as other:
        await send(other, b"old", retain=True)
        async with stage.port.connect(stage.login(), inbox) as connection:
            await connection.subscribe("gw/v1/duty/cmd/+/+/+")
            await send(other, b"live", retain=True)
            await until(lambda: bool(inbox.finished))
    assert [(delivery.payload, delivery.retain) for delivery in inbox.seen] == [(b"live", True)]


async def test_retained_messages_come_when_asked_for_and_expire(stage: Stage) -> None:
    inbox = Inbox()
    async with stage.port.connect(stage.login(), inbox) as connection:

        async def retained() -> list[bytes]:
            inbox.seen.clear()
            inbox.finished.clear()
            await connection.subscribe("gw/v1/duty/#", retain_handling=0, no_local=False)
            await send(connection, b"barrier", topic="gw/v1/duty/info")
            await until(lambda: b"barrier" in inbox.finished)
            await connection.unsubscribe("gw/v1/duty/#")
            return sorted(delivery.payload for delivery in inbox.seen)

        await send(connection, b"stays", topic=STATE, retain=True)
        await send(connection, b"goes", topic="gw/v1/duty/lease", retain=True, expiry_s=1)
        assert await retained() == [b"barrier", b"goes", b"stays"]
        async with asyncio.timeout(DEADLINE_S):
            while b"goes" in await retained():
                await asyncio.sleep(0.1)
        assert await retained() == [b"barrier", b"stays"]
        await send(connection, b"", topic=STATE, retain=True)


async def test_own_publications_do_not_come_back(stage: Stage) -> None:
    inbox = Inbox()
    async with (
        stage.port.connect(stage.login(), inbox) as connection,
        stage.port.connect(stage.login("other"), Inbox()) as other,
    ):
        await connection.subscribe("gw/v1/duty/cmd/+/+/+")
        await send(connection, b"own")
        await send(other, b"foreign")
        await until(lambda: bool(inbox.finished))
        assert inbox.finished == [b"foreign"]


async def test_a_killed_broker_is_reported_and_waiting_calls_end(stage: Stage) -> None:
    async with stage.port.connect(stage.login(), Inbox()) as connection:
        await connection.subscribe("gw/v1/duty/cmd/+/+/+")
        await stage.kill()
        async with asyncio.timeout(DEADLINE_S):
            assert isinstance(await connection.lost, BusLostError)
        with pytest.raises(BusLostError):
            await send(connection, b"x")
        with pytest.raises(BusLostError):
            await connection.subscribe("gw/v1/duty/x")
    with pytest.raises(BusUnreachableError):
        async with stage.port.connect(stage.login(), Inbox()):
            pass
    await stage.restart()
    async with stage.port.connect(stage.login(), Inbox()) as connection:
        assert connection.welcome.session_present
        assert await send(connection, b"x") < 0x80


async def test_a_second_client_takes_over_and_the_first_is_told(stage: Stage) -> None:
    """Mosquitto 2.0.11 closes without 0x8E; who finds out then is the lease (:mod:`gateway.bus.retained`)."""
    async with (
        stage.port.connect(stage.login(), Inbox()) as first,
        stage.port.connect(stage.login(), Inbox()) as second,
    ):
        async with asyncio.timeout(DEADLINE_S):
            assert isinstance(await first.lost, BusTakenOverError | BusLostError)
        assert not second.lost.done()


async def test_the_will_is_told_unless_a_goodbye_was_said(stage: Stage) -> None:
    inbox = Inbox()
    will = Publication("gw/v1/duty/state", b"offline", retain=True)
    async with stage.port.connect(stage.login("watcher"), inbox) as watcher:
        await watcher.subscribe("gw/v1/duty/state")
        async with stage.port.connect(stage.login(will=will), Inbox()):
            pass
        async with stage.port.connect(stage.login("barrier"), Inbox()) as other:
            await send(other, b"barrier", topic="gw/v1/duty/state")
        await until(lambda: bool(inbox.finished))
        assert inbox.finished == [b"barrier"]
        failing = Inbox()
        failing.fail = True
        async with stage.port.connect(stage.login(will=will), failing) as connection:
            await connection.subscribe("gw/v1/duty/cmd/+/+/+", no_local=False)
            with contextlib.suppress(BusLostError):
                await send(connection, b"x")
            async with asyncio.timeout(DEADLINE_S):
                await connection.lost
        await until(lambda: len(inbox.finished) == 2)
        assert inbox.finished[1] == b"offline"


async def test_a_wrong_password_is_a_matter_of_configuration(stage: Stage) -> None:
    with pytest.raises(BusRefusedError):
        async with stage.port.connect(Login("x", stage.user, "wrong"), Inbox()):
            pass


async def test_a_flood_stays_within_the_windows(stage: Stage) -> None:
    inbox = Inbox()
    async with (
        stage.port.connect(stage.login(), inbox) as connection,
        stage.port.connect(stage.login("other"), Inbox()) as other,
    ):
        await connection.subscribe("gw/v1/duty/cmd/+/+/+")
        reasons = await asyncio.gather(*(send(other, b"%d" % number) for number in range(300)))
        assert all(reason < 0x80 for reason in reasons)
        await until(lambda: len(inbox.finished) == 300)
        assert inbox.finished == [b"%d" % number for number in range(300)]
