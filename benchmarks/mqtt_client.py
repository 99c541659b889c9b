"""Publications per second of the bus port's adapter, of aiomqtt and of paho's own thread, QoS 1, same broker.

    python benchmarks/mqtt_client.py

And how long a command's answer waits when it shares a connection with a flood of events, against a second connection.
"""

import asyncio
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.bus.mqtt import Endpoint, MqttPort
from gateway.bus.port import BusConnection, Delivery, Login, Publication
from tests.support.broker import RealBroker, real_broker

COUNT = 5000
WINDOW = 128
TOPIC = "gw/v1/duty/tel/line-1/evt/call_started"
ANSWER = "gw/v1/duty/res/cad/1"
PAYLOAD = b"x" * 350


async def ignore(_: Delivery) -> None:
    return


async def by_port(connection: BusConnection) -> float:
    start = time.perf_counter()
    await asyncio.gather(*(connection.publish(Publication(TOPIC, PAYLOAD)) for _ in range(COUNT)))
    return COUNT / (time.perf_counter() - start)


async def by_aiomqtt(broker: RealBroker) -> float:
    user, password = broker.login()
    window = asyncio.Semaphore(WINDOW)
    async with aiomqtt.Client(
        "127.0.0.1",
        broker.port,
        username=user,
        password=password,
        protocol=aiomqtt.ProtocolVersion.V5,
        max_inflight_messages=WINDOW,
    ) as client:
        client.pending_calls_threshold = 10 * WINDOW

        async def one() -> None:
            async with window:
                await client.publish(TOPIC, PAYLOAD, qos=1)

        start = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(COUNT)))
        return COUNT / (time.perf_counter() - start)


def by_paho(broker: RealBroker) -> float:
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.username_pw_set(*broker.login())
    client.max_inflight_messages_set(WINDOW)
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    connected.wait(10)
    start = time.perf_counter()
    infos = [client.publish(TOPIC, PAYLOAD, qos=1) for _ in range(COUNT)]
    for info in infos:
        info.wait_for_publish(30)
    rate = COUNT / (time.perf_counter() - start)
    client.disconnect()
    client.loop_stop()
    return rate


async def answers_during_flood(events: BusConnection, answers: BusConnection) -> list[float]:
    window = asyncio.Semaphore(WINDOW - 8)  # as the relay: it leaves room in the port's own window

    async def one() -> None:
        async with window:
            await events.publish(Publication(TOPIC, PAYLOAD))

    flood = asyncio.gather(*(one() for _ in range(2 * COUNT)))
    delays = []
    while not flood.done():
        start = time.perf_counter()
        await answers.publish(Publication(ANSWER, b"{}"))
        delays.append((time.perf_counter() - start) * 1000)
        await asyncio.sleep(0.005)
    await flood
    return sorted(delays)


async def main() -> None:
    async with real_broker(loopback=True, deadline_s=30.0) as broker:
        user, password = broker.login()
        tcp = MqttPort(Endpoint(host="127.0.0.1", port=broker.port), broker.options)
        unix = MqttPort(Endpoint(socket=broker.paths.socket), broker.options)
        rates: dict[str, list[float]] = {
            "port, unix socket": [],
            "port, TCP": [],
            "aiomqtt, TCP": [],
            "paho thread, TCP": [],
        }
        for _ in range(3):
            for name, port in (("port, unix socket", unix), ("port, TCP", tcp)):
                async with port.connect(Login("bench", user, password), ignore) as connection:
                    rates[name].append(await by_port(connection))
            rates["aiomqtt, TCP"].append(await by_aiomqtt(broker))
            rates["paho thread, TCP"].append(await asyncio.to_thread(by_paho, broker))
        for name, values in rates.items():
            ratio = statistics.median(values) / statistics.median(rates["paho thread, TCP"])
            print(f"{name}: {statistics.median(values):,.0f}/s, {ratio:.2f} of paho's thread")
        async with (
            unix.connect(Login("one", user, password), ignore) as one,
            unix.connect(Login("two", user, password), ignore) as two,
        ):
            for name, answers in (("shared", one), ("of its own", two)):
                delays = await answers_during_flood(one, answers)
                p99 = delays[int(len(delays) * 0.99)]
                p50 = statistics.median(delays)
                print(f"answer during a flood, connection {name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms")


if __name__ == "__main__":
    asyncio.run(main())
