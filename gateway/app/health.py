"""A part that stays down is an alarm."""

from collections.abc import Callable

from gateway.core.alarm import AlarmSink, Condition, Severity
from gateway.core.supervisor import Health, State
from gateway.core.text import Text

_WRONG = frozenset({State.DEGRADED, State.CONFIG_ERROR})
_TEXT = Text("{part} does not work: {reason}", "{part} 无法工作：{reason}")
# Without these a call cannot be answered at the gateway; the others hinder, but do not silence, the duty room.
_VITAL = frozenset({"ami", "fastagi", "calls", "cel"})


class HealthAlarms:
    """Listens to the supervisor: raises an alarm for each adapter that is down and clears it when it is ready."""

    def __init__(self, alarms: AlarmSink) -> None:
        self._alarms = alarms
        self._listeners: list[Callable[[Health], None]] = []

    def listen(self, listener: Callable[[Health], None]) -> None:
        """Call *listener* with every change too."""
        self._listeners.append(listener)

    def changed(self, health: Health) -> None:
        """Take a change of an adapter's health."""
        key = f"adapter:{health.name}"
        if health.state in _WRONG:
            self._alarms.report(
                Condition(
                    key=key,
                    severity=Severity.CRITICAL if health.name in _VITAL else Severity.MAJOR,
                    source=health.name,
                    text=_TEXT,
                    fields={"part": health.name, "reason": health.reason},
                )
            )
        elif health.state in {State.READY, State.STOPPED}:
            self._alarms.clear(key)
        for listener in self._listeners:
            listener(health)
