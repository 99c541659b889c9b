"""What mosquitto's persistence settings cost, and what a SIGKILL loses with each.

    python benchmarks/broker_persistence.py

For each setting: the rate of QoS 1 publications that are queued for an absent subscriber, then how many of the
acknowledged ones are gone after SIGKILL and restart, once behind a burst of 3,000 and once behind a quiet hour's 30.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway.bus.mqtt import Endpoint, MqttPort
from gateway.bus.port import Delivery, Login, Publication
from tests.support.broker import RealBroker, real_broker

TOPIC = "gw/v1/duty/tel/line-1/evt/call_started"
OURS = "autosave_on_changes false\nautosave_interval 1"
PACKAGED = {OURS: "autosave_interval 1800"}


def changes(count: int) -> dict[str, str]:
    return {OURS: f"autosave_on_changes true\nautosave_interval {count}"}


SETTINGS: list[tuple[str, dict[str, str], float]] = [
    ("packaged: 1800 s", PACKAGED, 0),
    ("on changes, 1", changes(1), 0),
    ("on changes, 10", changes(10), 0),
    ("on changes, 100", changes(100), 0),
    ("on changes, 1000", changes(1000), 0),
    ("each second, killed at once", {}, 0),
    ("each second, killed 2.5 s later", {}, 2.5),
    ("on changes, 100 + SIGUSR1 each 1 s", changes(100), 1.0),
]


async def ignore(_: Delivery) -> None:
    return


async def leave_session(port: MqttPort, login: Login) -> None:
    async with port.connect(login, ignore) as connection:
        await connection.subscribe("gw/v1/duty/#")


async def publish(port: MqttPort, login: Login, count: int) -> float:
    async with port.connect(login, ignore) as connection:
        start = time.perf_counter()
        reasons = await asyncio.gather(*(connection.publish(Publication(TOPIC, b"x" * 390)) for _ in range(count)))
        assert all(reason < 0x80 for reason in reasons)
        return count / (time.perf_counter() - start)


async def delivered(port: MqttPort, login: Login, expected: int) -> int:
    seen = 0
    last = time.monotonic()

    async def handler(_: Delivery) -> None:
        nonlocal seen, last
        seen += 1
        last = time.monotonic()

    async with port.connect(login, handler):
        while seen < expected and time.monotonic() - last < 1.0:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return seen


async def lost(broker: RealBroker, count: int, wait_s: float, number: int, *, signalled: bool) -> tuple[float, int]:
    port = MqttPort(Endpoint(socket=broker.paths.socket), broker.options)
    user, password = broker.login()
    absent = Login(f"absent-{number}", user, password, session_expiry_s=3600)
    await leave_session(port, absent)
    # The session itself is made durable, so that the loss of messages is measured.
    assert broker.process is not None
    broker.process.send_signal(signal.SIGUSR1)
    await asyncio.sleep(0.3)
    rate = await publish(port, Login("sender", user, password), count)
    if signalled:
        broker.process.send_signal(signal.SIGUSR1)
    await asyncio.sleep(wait_s)
    await broker.kill()
    await broker.start()
    return rate, count - await delivered(port, absent, count)


async def main() -> None:
    print("| setting | publications/s | lost of 3,000 | lost of 30 |\n| --- | --- | --- | --- |")
    for name, replacements, wait_s in SETTINGS:
        signalled = "SIGUSR1" in name
        async with real_broker(replacements=replacements) as broker:
            rate, burst = await lost(broker, 3000, wait_s, 1, signalled=signalled)
            _, quiet = await lost(broker, 30, wait_s, 2, signalled=signalled)
            print(f"| {name} | {rate:,.0f} | {burst} | {quiet} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
