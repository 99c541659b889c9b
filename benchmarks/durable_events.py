"""Durable events per second, and their latency, against bare mosquitto and paho with the same payloads in the same run.

    python benchmarks/durable_events.py [--events 6000] [--seconds 10] [--json]

What is measured goes the whole way: a unit of work in the store (SQLite, synchronous=FULL, group commit), the outbox
relay, the private mosquitto as it is configured for use, and a paho subscriber in a process of its own that knows
nothing of the gateway. Latency is from the call of ``store.write`` to the subscriber's callback. Bare: a paho publisher
in a process of its own, same payloads, same broker, window of 128.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway.bus.connections import CurrentConnection
from gateway.bus.messages import Catalog, Info
from gateway.bus.mqtt import Endpoint, MqttPort
from gateway.bus.port import Login
from gateway.bus.relay import OutboxRelay
from gateway.bus.retained import RetainedState
from gateway.bus.session import BusSession
from gateway.bus.topics import Topics
from gateway.core.board import Board
from gateway.core.clock import SystemClock
from gateway.core.events import Event, Happening
from gateway.core.supervisor import Supervisor
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base, Unit
from tests.support.broker import RealBroker, real_broker

SUBSCRIBER = """
import json, sys, time
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
host, port, user, password, expected, client_id = sys.argv[1:]
expected = int(expected)
seen, delays = [], []
first = last = 0.0
def on_message(client, data, message):
    global first, last
    now = time.monotonic()
    envelope = json.loads(message.payload)
    first = first or now
    last = now
    seen.append(envelope["gwseq"])
    delays.append((now - envelope["data"]["sent_at"]) * 1000)
client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
client.username_pw_set(user, password)
client.on_message = on_message
client.on_connect = lambda client, *_: client.subscribe("gw/v1/duty/+/+/evt/+", qos=1)
client.on_subscribe = lambda *_: print("ready", flush=True)
client.connect(host, int(port))
deadline = time.monotonic() + 60
while len(seen) < expected and time.monotonic() < deadline:
    client.loop(0.1)
delays.sort()
print(json.dumps({"count": len(seen), "distinct": len(set(seen)), "in_order": seen == sorted(seen), "first": first,
    "last": last, "p50_ms": delays[len(delays) // 2], "p99_ms": delays[int(len(delays) * 0.99)], "max_ms": delays[-1]}))
"""

PUBLISHER = """
import json, sys, threading, time
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
port, user, password, count, rate, window = sys.argv[1:]
count, rate = int(count), float(rate)
envelopes = [json.loads(line) for line in sys.stdin]
client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bare", protocol=paho.MQTTv5)
client.username_pw_set(user, password)
client.max_inflight_messages_set(int(window))
connected = threading.Event()
client.on_connect = lambda *_: connected.set()
client.connect("127.0.0.1", int(port))
client.loop_start()
connected.wait(10)
print(time.monotonic(), flush=True)
start = time.monotonic()
infos = []
for number in range(count):
    if rate:
        while (wait := start + number / rate - time.monotonic()) > 0:
            time.sleep(wait)
    envelope = envelopes[number % len(envelopes)]
    envelope["gwseq"] = number + 1
    envelope["data"]["sent_at"] = time.monotonic()
    infos.append(client.publish("gw/v1/duty/tel/line-1/evt/call_started", json.dumps(envelope), qos=1))
for info in infos:
    info.wait_for_publish(30)
client.disconnect()
client.loop_stop()
"""


class CallStarted(Event, frozen=True, kw_only=True):
    """An event of the size that calls have."""

    TYPE = "tel.call_started.v1"
    call: str
    line: str
    caller: str
    called: str
    unit: str
    sent_at: float


class NoCommands:
    async def take(self, delivery: object) -> None:
        raise AssertionError(delivery)


def body() -> CallStarted:
    return CallStarted(
        call="01jd0000000000000000000000",
        line="line-1",
        caller="+8613800000000",
        called="+861088880000",
        unit="消防一中队",
        sent_at=time.monotonic(),
    )


async def subscriber(broker: RealBroker, expected: int, client_id: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SUBSCRIBER,
        "127.0.0.1",
        str(broker.port),
        *broker.login(),
        str(expected),
        client_id,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert (await asyncio.wait_for(process.stdout.readline(), 10)).strip() == b"ready"
    return process


async def result(process: asyncio.subprocess.Process) -> dict[str, float]:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 70)
    await process.wait()
    return json.loads(line)


class Gateway:
    """Store, session and relay, as the daemon has them."""

    def __init__(self, broker: RealBroker, folder: Path) -> None:
        self.store = SqlStore(StoreOptions(), folder=folder, site="duty", prepare=Base.metadata.create_all)
        self.broker = broker
        self.supervisor = Supervisor(SystemClock())

    async def start(self) -> None:
        await self.store.open()
        clock, topics, board = SystemClock(), Topics("duty"), Board()
        info = Info(version="0", site="duty", epoch=self.store.epoch, instance="x", started_at=clock.wall())
        retained = RetainedState(
            topics,
            board,
            clock,
            info,
            catalog=Catalog(contract="", events=(), commands=(), states=()),
            health=self.supervisor.health,
            heartbeat_s=10,
            deadline_s=10,
        )
        port = MqttPort(Endpoint(socket=self.broker.paths.socket), self.broker.options)
        login = Login("trunkline-duty", *self.broker.login(), will=retained.will, session_expiry_s=60)
        current = CurrentConnection()
        session = BusSession(port, login, topics, retained, NoCommands(), current)
        self.relay = OutboxRelay(self.store, current, topics, clock, window=self.broker.options.publish_window)
        self.supervisor.start(session)
        self.supervisor.start(self.relay)
        await current.ready()

    async def stop(self) -> None:
        await self.supervisor.stop()
        await self.store.close()

    async def tell(self) -> None:
        def work(unit: Unit) -> None:
            unit.emit(Happening(event=event, resource="line-1", aggregate="call:01jd"))

        event = body()
        await self.store.write(work, name="bench")

    async def flood(self, count: int, writers: int = 64) -> None:
        left = iter(range(count))

        async def writer() -> None:
            for _ in left:
                await self.tell()

        await asyncio.gather(*(writer() for _ in range(writers)))

    async def paced(self, count: int, rate: float) -> None:
        start = time.monotonic()
        tasks = []
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            tasks.append(asyncio.create_task(self.tell()))
        await asyncio.gather(*tasks)


async def bare(broker: RealBroker, payloads: bytes, count: int, rate: float) -> dict[str, float]:
    watch = await subscriber(broker, count, f"watch-bare-{rate}")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PUBLISHER,
        str(broker.port),
        *broker.login(),
        str(count),
        str(rate),
        "128",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(payloads), 60)
    outcome = await result(watch)
    outcome["per_s"] = count / (outcome["last"] - float(output))
    return outcome


async def durable(gateway: Gateway, count: int, rate: float) -> dict[str, float]:
    watch = await subscriber(gateway.broker, count, f"watch-durable-{rate}")
    start = time.monotonic()
    await (gateway.paced(count, rate) if rate else gateway.flood(count))
    outcome = await result(watch)
    outcome["per_s"] = count / (outcome["last"] - start)
    return outcome


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=6000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    paced = int(200 * arguments.seconds)
    report: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="tl-bench-") as name:
        async with real_broker(loopback=True, deadline_s=20.0) as broker:
            gateway = Gateway(broker, Path(name))
            await gateway.start()
            try:
                await gateway.flood(500)  # warm
                events = await gateway.store.events_after(0, limit=100)
                payloads = b"\n".join(event.payload for event in events)
                report["payload_bytes"] = round(statistics.mean(len(event.payload) for event in events))
                report["durable"] = await durable(gateway, arguments.events, 0)
                report["bare"] = await bare(broker, payloads, arguments.events, 0)
                report["durable_200"] = await durable(gateway, paced, 200)
                report["bare_200"] = await bare(broker, payloads, paced, 200)
            finally:
                await gateway.stop()
    if arguments.json:
        print(json.dumps(report))
        return
    flood, plain = report["durable"], report["bare"]
    slow, slow_plain = report["durable_200"], report["bare_200"]
    print(f"payload {report['payload_bytes']} bytes, {arguments.events} events")
    print(
        f"durable: {flood['per_s']:,.0f}/s; bare: {plain['per_s']:,.0f}/s; ratio {flood['per_s'] / plain['per_s']:.2f}"
    )
    for label, one in (("durable at 200/s", slow), ("bare at 200/s", slow_plain)):
        print(f"{label}: p50 {one['p50_ms']:.2f} ms, p99 {one['p99_ms']:.2f} ms, max {one['max_ms']:.2f} ms")
    for one in (flood, plain, slow, slow_plain):
        assert one["distinct"] == one["count"], one
        assert one["in_order"], one


if __name__ == "__main__":
    asyncio.run(main())
