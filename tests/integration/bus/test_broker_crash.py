"""The broker is killed in the middle, and a consumer that knows nothing of the gateway misses nothing."""

import asyncio
import json
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.bus.mqtt import Endpoint, MqttPort
from gateway.core.events import Happening
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base, Unit
from tests.support.broker import RealBroker, real_broker
from tests.support.bus import Rang, gateway_side, until

pytestmark = pytest.mark.integration


class Consumer:
    """paho with a persistent session, in a thread of its own."""

    def __init__(self, broker: RealBroker) -> None:
        self.seen: list[int] = []
        self.lock = threading.Lock()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="consumer", protocol=paho.MQTTv5)
        self._client.username_pw_set(*broker.login())
        self._client.reconnect_delay_set(0.05, 0.2)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe("gw/v1/duty/+/+/evt/+", qos=1)
        self.subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", broker.port, clean_start=False, properties=properties)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        with self.lock:
            self.seen.append(json.loads(message.payload)["gwseq"])

    def start(self) -> None:
        self._client.loop_start()
        assert self.subscribed.wait(10)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def distinct(self) -> set[int]:
        with self.lock:
            return set(self.seen)


async def tell(store: SqlStore, number: int) -> None:
    def work(unit: Unit) -> None:
        unit.emit(Happening(event=Rang(number=number), resource="line-1", aggregate="call:1"))

    await store.write(work, name="test")


async def test_a_killed_broker_loses_no_event(tmp_path: Path) -> None:
    store = SqlStore(StoreOptions(), folder=tmp_path, site="duty", prepare=Base.metadata.create_all)
    await store.open()
    total = 900
    try:
        async with real_broker(loopback=True) as broker:
            consumer = Consumer(broker)
            await asyncio.to_thread(consumer.start)
            port = MqttPort(Endpoint(socket=broker.paths.socket), broker.options)
            user, password = broker.login()
            async with gateway_side(port, store, user=user, password=password, settle_s=5) as side:  # type: ignore[arg-type]
                # A subscription younger than the broker's last save would be forgotten with the crash.
                saved = broker.paths.persistence / "mosquitto.db"
                subscribed_at = time.time()
                await until(lambda: saved.exists() and saved.stat().st_mtime > subscribed_at)
                for number in range(total):
                    await tell(store, number)
                    if number == 300:
                        await until(lambda: len(consumer.distinct()) > 50)
                        await broker.kill()
                    if number == 600:
                        assert not side.session.is_ready
                        await broker.start()
                await until(lambda: side.relay.position == store.last_seq)
                await until(lambda: max(consumer.distinct()) == store.last_seq)
                seen = consumer.distinct()
                gaps = set(range(1, store.last_seq + 1)) - seen
                # What a consumer does about a gap: it asks the journal.
                for gap in sorted(gaps):
                    (event,) = await store.events_after(gap - 1, limit=1)
                    seen.add(event.seq)
            assert seen == set(range(1, total + 1))
            assert not gaps, f"{len(gaps)} events had to be replayed"
            await asyncio.to_thread(consumer.stop)
    finally:
        await store.close()
