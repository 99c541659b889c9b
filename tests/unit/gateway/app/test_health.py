import asyncio
from datetime import UTC, datetime

from gateway.app.health import HealthAlarms
from gateway.core.alarm import Condition, Severity
from gateway.core.supervisor import Health, State


class Alarms:
    def __init__(self) -> None:
        self.raised: dict[str, Condition] = {}

    def report(self, condition: Condition) -> None:
        self.raised[condition.key] = condition

    def clear(self, key: str) -> None:
        self.raised.pop(key, None)


def health(name: str, state: State, reason: str = "") -> Health:
    return Health(name=name, state=state, since=datetime.now(UTC), reason=reason)


async def turn() -> None:
    # Timers of no delay are due at the next turn of the loop, and run in the one after.
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_part_that_stays_down_is_an_alarm_until_it_is_back():
    alarms = Alarms()
    listener = HealthAlarms(alarms, patience_s=0)
    told = []
    listener.listen(told.append)
    listener.changed(health("ami", State.DEGRADED, "ami.lost"))
    listener.changed(health("web", State.CONFIG_ERROR, "web.certificate"))
    await turn()
    assert {key: one.severity for key, one in alarms.raised.items()} == {
        "adapter:ami": Severity.CRITICAL,
        "adapter:web": Severity.MAJOR,
    }
    assert alarms.raised["adapter:ami"].says("zh") == "与 Asterisk 的连接无法工作：ami.lost"
    assert {key for key, one in alarms.raised.items() if one.needs_acknowledgement} == {"adapter:ami"}
    listener.changed(health("ami", State.READY))
    assert list(alarms.raised) == ["adapter:web"]
    assert [one.name for one in told] == ["ami", "web", "ami"]
    listener.close()


async def test_a_part_that_is_soon_back_is_none():
    alarms = Alarms()
    listener = HealthAlarms(alarms, patience_s=3600)
    listener.changed(health("ami", State.DEGRADED, "starting"))
    listener.changed(health("ami", State.READY))
    await turn()
    assert alarms.raised == {}
    listener.close()
