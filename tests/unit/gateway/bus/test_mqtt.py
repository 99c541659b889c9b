"""The adapter against brokers that misbehave, which a real mosquitto does not."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.bus.mqtt import Endpoint, MqttPort
from gateway.bus.options import BusOptions
from gateway.bus.port import (
    BusLostError,
    BusRefusedError,
    BusTakenOverError,
    BusUnreachableError,
    Delivery,
    Login,
    Publication,
)

CONNACK = bytes([0x20, 3, 0, 0, 0])
OPTIONS = BusOptions(deadline_s=0.4, keepalive_s=2)


async def ignore(_: Delivery) -> None:
    return


class FalseBroker:
    """Reads the CONNECT, says what it is told to, and keeps the connection until it is closed."""

    def __init__(self, *says: bytes, closes: bool = False) -> None:
        self.says = says
        self.closes = closes
        self.ended = asyncio.Event()
        self.connected = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            first = await reader.read(4096)
            if first:  # else it was a trial
                self.connected.set()
                for one in self.says:
                    writer.write(one)
                    await writer.drain()
                while not self.closes and await reader.read(4096):
                    pass
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        if first:
            self.ended.set()


@contextlib.asynccontextmanager
async def serving(broker: FalseBroker) -> AsyncIterator[MqttPort]:
    with tempfile.TemporaryDirectory(prefix="tl-") as folder:
        path = Path(folder) / "s"
        server = await asyncio.start_unix_server(broker, path)
        try:
            yield MqttPort(Endpoint(socket=path), OPTIONS)
            if broker.connected.is_set():
                await asyncio.wait_for(broker.ended.wait(), 5)
        finally:
            server.close()
            await server.wait_closed()


async def test_a_session_that_was_taken_over_is_told() -> None:
    broker = FalseBroker(CONNACK, bytes([0xE0, 2, 0x8E, 0]))
    async with serving(broker) as port, port.connect(Login("gw"), ignore) as connection:
        assert isinstance(await connection.lost, BusTakenOverError)


async def test_a_broker_that_never_answers_the_connect_is_given_up() -> None:
    broker = FalseBroker()
    async with serving(broker) as port:
        with pytest.raises(BusUnreachableError):
            async with port.connect(Login("gw"), ignore):
                pass
        await asyncio.wait_for(broker.ended.wait(), 5)


async def test_a_refusal_is_a_matter_of_configuration() -> None:
    async with serving(FalseBroker(bytes([0x20, 3, 0, 0x87, 0]), closes=True)) as port:
        with pytest.raises(BusRefusedError):
            async with port.connect(Login("gw"), ignore):
                pass


async def test_a_broker_that_closes_at_once_is_unreachable() -> None:
    async with serving(FalseBroker(closes=True)) as port:
        with pytest.raises((BusUnreachableError, BusLostError)):
            async with port.connect(Login("gw"), ignore):
                pass


async def test_a_cancelled_connect_leaves_nothing_behind() -> None:
    broker = FalseBroker()
    async with serving(broker) as port:

        async def connect() -> None:
            async with port.connect(Login("gw"), ignore):
                pass

        task = asyncio.create_task(connect())
        await asyncio.wait_for(broker.connected.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(broker.ended.wait(), 5)  # the socket was closed


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff\xff\xff\xff\xff",
        bytes([0x40, 1, 0]),  # PUBACK too short
        bytes([0x32, 5, 0, 9, 65, 66, 67]),  # PUBLISH whose topic is longer than the packet
        bytes([0x30, 4, 0, 2, 0xFF, 0xFE]),  # a topic that is no UTF-8
        bytes([0x00, 0]),
        bytes([0xE0, 1, 0x55]),  # DISCONNECT with an unknown reason
    ],
    ids=["no-length", "short-puback", "long-topic", "bad-utf8", "reserved", "unknown-reason"],
)
async def test_garbage_ends_the_connection_and_nothing_else(garbage: bytes) -> None:
    broker = FalseBroker(CONNACK, garbage, closes=True)
    async with serving(broker) as port, port.connect(Login("gw"), ignore) as connection:
        async with asyncio.timeout(5):
            assert isinstance(await connection.lost, BusLostError)
        with pytest.raises(BusLostError):
            await connection.publish(Publication("a", b""))


async def test_a_missing_acknowledgement_ends_the_connection_after_its_deadline() -> None:
    async with serving(FalseBroker(CONNACK)) as port, port.connect(Login("gw"), ignore) as connection:
        with pytest.raises(BusLostError):
            async with asyncio.timeout(5):
                await connection.publish(Publication("a", b"x"))
        assert connection.lost.done()


async def test_the_brokers_packet_limit_and_window_are_kept() -> None:
    granted = bytes([0x20, 11, 0, 0, 8, 0x27, 0, 0, 0, 100, 0x21, 0, 7])
    async with serving(FalseBroker(granted)) as port, port.connect(Login("gw"), ignore) as connection:
        assert connection.welcome.max_packet_bytes == 100
        assert connection.welcome.receive_maximum == 7
        assert await connection.publish(Publication("a", b"x" * 100)) == 0x95
