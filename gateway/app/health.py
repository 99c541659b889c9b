"""A part that stays down is an alarm."""

import asyncio
from collections.abc import Callable

from gateway.core.alarm import AlarmSink, Condition, Severity
from gateway.core.supervisor import Health, State
from gateway.core.text import Text

_WRONG = frozenset({State.DEGRADED, State.CONFIG_ERROR})
_PARTS = {
    "ami": Text("The connection to Asterisk", "与 Asterisk 的连接"),
    "fastagi": Text("The handling of incoming calls", "来电处理"),
    "calls": Text("The call book", "通话登记"),
    "telephone": Text("The switchboard", "电话交换"),
    "cel": Text("The reading of call records", "通话记录读取"),
    "broker": Text("The connection to the broker", "与消息代理的连接"),
    "web": Text("The console", "控制台"),
    "archive": Text("The archive", "文档归档"),
    "contacts": Text("The directory", "通讯录"),
}
# Without these a call cannot be answered at the gateway; the others hinder, but do not silence, the duty room.
_VITAL = frozenset({"ami", "fastagi", "calls", "telephone"})
_PATIENCE_S = 5.0


class HealthAlarms:
    """Listens to the supervisor: raises an alarm for each adapter that stays down, and clears it when it is ready.

    A part that comes back within five seconds, as most do after a restart of their other side, is told by its state
    alone.
    """

    def __init__(self, alarms: AlarmSink, *, patience_s: float = _PATIENCE_S) -> None:
        self._alarms = alarms
        self._patience_s = patience_s
        self._listeners: list[Callable[[Health], None]] = []
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._latest: dict[str, Health] = {}

    def listen(self, listener: Callable[[Health], None]) -> None:
        """Call *listener* with every change too."""
        self._listeners.append(listener)

    def changed(self, health: Health) -> None:
        """Take a change of an adapter's health."""
        self._latest[health.name] = health
        waiting = self._waiting.get(health.name)
        if health.state in _WRONG:
            if waiting is None:
                loop = asyncio.get_running_loop()
                self._waiting[health.name] = loop.call_later(self._patience_s, self._raise, health.name)
        elif health.state in {State.READY, State.STOPPED}:
            if waiting is not None:
                waiting.cancel()
                del self._waiting[health.name]
            self._alarms.clear(_key(health.name))
        for listener in self._listeners:
            listener(health)

    def close(self) -> None:
        """Raise nothing any more."""
        for waiting in self._waiting.values():
            waiting.cancel()

    def _raise(self, name: str) -> None:
        self._alarms.report(
            Condition(
                key=_key(name),
                severity=Severity.CRITICAL if name in _VITAL else Severity.MAJOR,
                source=name,
                text=_text(name),
                # somebody on watch must know, whatever page is open
                needs_acknowledgement=name in _VITAL,
                fields={"reason": self._latest[name].reason},
            )
        )


def _text(name: str) -> Text:
    part = _PARTS.get(name, Text(name, name))
    return Text(f"{part.en} does not work: {{reason}}", f"{part.zh}无法工作：{{reason}}")


def _key(name: str) -> str:
    return f"adapter:{name}"
