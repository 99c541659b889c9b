"""A real mosquitto that sends faster than commands can be written down."""

import asyncio

import pytest

from gateway.bus.mqtt import Endpoint, MqttPort
from gateway.bus.port import Delivery, Login, Publication
from tests.support.broker import real_broker
from tests.support.bus import until

pytestmark = pytest.mark.integration

TOPIC = "gw/v1/duty/tel/line-1/evt/x"
SENT = 2000
PUBLISH_WINDOW = 16


async def test_a_flood_waits_in_the_broker_and_not_in_the_gateway() -> None:
    present = most = seen = 0
    one_at_a_time = asyncio.Lock()

    async def slow(_: Delivery) -> None:
        nonlocal present, most, seen
        present += 1
        most = max(most, present)
        async with one_at_a_time:
            await asyncio.sleep(0.0005)  # as long as a ledger takes
        present -= 1
        seen += 1

    async def ignore(_: Delivery) -> None:
        return

    async with real_broker(receive_window=8, publish_window=PUBLISH_WINDOW) as broker:
        port = MqttPort(Endpoint(socket=broker.paths.socket), broker.options)
        user, password = broker.login()
        async with port.connect(Login("reader", user, password), slow) as reader:
            await reader.subscribe(TOPIC)
            async with port.connect(Login("writer", user, password), ignore) as writer:
                await asyncio.gather(*(writer.publish(Publication(TOPIC, b"{}")) for _ in range(SENT)))
            await until(lambda: seen == SENT)
    assert most <= 4 * 8 + PUBLISH_WINDOW
