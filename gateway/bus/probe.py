"""What the broker really does, tried out: for ``doctor`` and before the gateway calls its events durable."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.bus.port import BusConnection, BusPort, Delivery, Login, Publication, is_good
from gateway.bus.topics import Topics
from gateway.core.clock import Clock
from gateway.core.ids import new_id
from gateway.core.text import Text

_POLL_S = 0.05
_LONGEST_AUTOSAVE_S = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried. ``needed`` findings that fail make the bus unfit for durable events."""

    name: str
    good: bool
    needed: bool
    detail: Text


class BrokerProbe:
    """Tries a broker with two clients of its own, under ``gw/v1/{site}/probe/…``, and cleans up behind itself.

    No subscriber of events or states hears of it.

    It takes about *expiry_s* plus a second. Whether sessions survive a restart cannot be seen from outside; what is
    seen is whether the broker keeps a session while its client is away.
    """

    def __init__(self, port: BusPort, login: Login, topics: Topics, clock: Clock, *, deadline_s: float = 10.0) -> None:
        self._port = port
        self._login = login
        self._topics = topics
        self._clock = clock
        self._deadline_s = deadline_s

    async def run(self) -> list[Finding]:
        """Return all findings; raises what prevents a connection at all."""
        name = f"probe-{new_id()[-8:]}"
        state = self._topics.probe(name, "retained")
        event = self._topics.probe(name, "queued")
        inbox: list[Delivery] = []

        async def handler(delivery: Delivery) -> None:
            if len(inbox) < 1000:
                inbox.append(delivery)

        first = replace(
            self._login, client_id=f"{self._login.client_id}-{name}", will=None, clean_start=True, session_expiry_s=60
        )
        again = replace(first, clean_start=False)
        other = replace(first, client_id=f"{first.client_id}-b", session_expiry_s=0)
        findings: list[Finding] = []
        async with self._port.connect(other, handler) as sender:
            async with self._port.connect(first, handler) as receiver:
                findings += self._granted(receiver)
                findings.append(await self._retain_handling(sender, receiver, state, inbox))
                findings.append(await self._expiry(sender, receiver, state, inbox))
                findings.append(await self._denial(sender))
                await receiver.subscribe(event)
            inbox.clear()
            await sender.publish(Publication(event, b"while away"))
            async with self._port.connect(again, handler) as receiver:
                kept = receiver.welcome.session_present and await self._until(lambda: bool(inbox))
                findings.append(
                    Finding(
                        "session",
                        kept,
                        True,
                        Text("keeps the session of an absent client", "为离线客户端保留会话")
                        if kept
                        else Text("forgets an absent client", "不为离线客户端保留会话"),
                    )
                )
            async with self._port.connect(replace(again, clean_start=True, session_expiry_s=0), handler):
                pass  # takes the session away
            await sender.publish(Publication(state, b"", retain=True))
        return findings

    @staticmethod
    def _granted(connection: BusConnection) -> list[Finding]:
        welcome = connection.welcome
        size = welcome.max_packet_bytes
        limit = "no limit" if size is None else f"{size} bytes"
        return [
            Finding("qos", welcome.max_qos >= 1, True, Text("delivers at least once", "支持至少一次投递")),
            Finding("retain", welcome.retain_available, True, Text("keeps retained messages", "支持保留消息")),
            Finding(
                "max_packet",
                size is None or size >= 65536,
                True,
                Text(f"packets: {limit}", f"报文上限：{limit}"),
            ),
            Finding(
                "window",
                welcome.receive_maximum >= 16,
                False,
                Text(f"window of {welcome.receive_maximum}", f"窗口 {welcome.receive_maximum}"),
            ),
        ]

    async def _retain_handling(
        self, sender: BusConnection, receiver: BusConnection, state: str, inbox: list[Delivery]
    ) -> Finding:
        await sender.publish(Publication(state, b"kept", retain=True))
        await receiver.subscribe(state, retain_handling=2)
        await sender.publish(Publication(state, b"live", retain=True))
        came = await self._until(lambda: any(one.payload == b"live" for one in inbox))
        good = came and not any(one.payload == b"kept" for one in inbox) and inbox[-1].retain
        await receiver.unsubscribe(state)
        return Finding(
            "retain_handling",
            good,
            True,
            Text("honours retain handling and shows the retain flag", "遵守保留处理选项并如实给出保留标志")
            if good
            else Text("delivers retained commands", "会投递保留的命令"),
        )

    async def _expiry(
        self, sender: BusConnection, receiver: BusConnection, state: str, inbox: list[Delivery]
    ) -> Finding:
        await sender.publish(Publication(state, b"short", retain=True, expiry_s=1))
        await self._clock.sleep(2.1)  # brokers count whole seconds
        inbox.clear()
        await receiver.subscribe(state, retain_handling=0)
        await sender.publish(Publication(state, b"barrier"))
        await self._until(lambda: any(one.payload == b"barrier" for one in inbox))
        good = not any(one.payload == b"short" for one in inbox)
        await receiver.unsubscribe(state)
        return Finding(
            "expiry",
            good,
            False,
            Text("expires messages", "支持消息过期") if good else Text("a stale lease stays", "过期租约不会消失"),
        )

    async def _denial(self, sender: BusConnection) -> Finding:
        reason = await sender.publish(Publication("gw/v1-denied/probe", b"x"))
        good = not is_good(reason)
        return Finding(
            "denial",
            good,
            False,
            Text(f"denies with 0x{reason:02x}", f"以 0x{reason:02x} 拒绝越权发布")
            if good
            else Text("lets the gateway publish anywhere", "允许网关向任意主题发布"),
        )

    async def _until(self, condition: Callable[[], bool]) -> bool:
        try:
            async with self._clock.timeout(self._deadline_s):
                while not condition():
                    await self._clock.sleep(_POLL_S)
        except TimeoutError:
            return False
        return True


def persistence_finding(configuration: str) -> Finding:
    """Return whether a private mosquitto's configuration keeps what it confirmed."""
    lines = {line.partition(" ")[0]: line.partition(" ")[2] for line in configuration.splitlines()}
    interval = lines.get("autosave_interval", "1800")
    good = (
        lines.get("persistence") == "true"
        and lines.get("autosave_on_changes") == "false"
        and interval.isdecimal()
        and 0 < int(interval) <= _LONGEST_AUTOSAVE_S
    )
    return Finding(
        "persistence",
        good,
        True,
        Text("writes its queues to disk every few seconds", "每隔几秒将队列写入磁盘")
        if good
        else Text("forgets its queues in a crash", "崩溃时会丢失队列"),
    )
