import asyncio
import json

from gateway.bus.memory import MemoryBroker, MemoryPort
from gateway.bus.port import Delivery, Login, Publication
from gateway.core.board import Board
from gateway.core.clock import ManualClock, SystemClock
from gateway.core.events import Message
from gateway.core.supervisor import State
from tests.support.bus import MemoryJournal, gateway_side, until

STATE = "gw/v1/duty/state"
LEASE = "gw/v1/duty/lease"
LINE = "gw/v1/duty/tel/line-1/state"


class Line(Message, frozen=True, kw_only=True):
    status: str


async def ignore(_: Delivery) -> None:
    return


def shown(broker: MemoryBroker, topic: str) -> dict[str, object]:
    return json.loads(broker.retained()[topic])


async def test_everything_is_retained_once_it_is_connected() -> None:
    broker, board = MemoryBroker(SystemClock()), Board()
    board.put("tel", "line-1", Line(status="idle"))
    async with gateway_side(MemoryPort(broker), MemoryJournal(), board=board, epoch=7) as side:
        await side.session.ready()
        assert shown(broker, STATE) == {"status": "online", "epoch": 7, "instance": "first"}
        assert shown(broker, LEASE)["epoch"] == 7
        assert shown(broker, "gw/v1/duty/info")["product"] == "trunkline"
        assert shown(broker, LINE) == {"revision": 1, "epoch": 7, "state": {"status": "idle"}}
        assert "gw/v1/duty/catalog" in broker.retained()
        await until(lambda: {one["state"] for one in shown(broker, "gw/v1/duty/health")["adapters"]} == {"READY"})
    assert shown(broker, STATE)["status"] == "offline"
    assert LEASE not in broker.retained()


async def test_online_is_told_only_after_the_gateway_takes_commands() -> None:
    broker = MemoryBroker(SystemClock())
    order: list[str] = []
    broker.may_subscribe = lambda _, topic: order.append(topic) is None
    broker.may_publish = lambda _, topic: order.append(topic) is None
    async with gateway_side(MemoryPort(broker), MemoryJournal()) as side:
        await side.session.ready()
    assert order.index("gw/v1/duty/cmd/+/+/+") < order.index(STATE)
    assert order.index("gw/v1/duty/info") < order.index("gw/v1/duty/cmd/+/+/+")


async def test_changes_are_coalesced_and_the_latest_wins() -> None:
    broker = MemoryBroker(SystemClock())
    async with gateway_side(MemoryPort(broker), MemoryJournal()) as side:
        await side.session.ready()
        for number in range(100):
            side.board.put("tel", "line-1", Line(status=str(number)))
        await until(lambda: shown(broker, LINE)["state"] == {"status": "99"} if LINE in broker.retained() else False)
        assert shown(broker, LINE)["revision"] == 100
        assert sum(one.topic == LINE for one in broker.published) < 5


async def test_after_a_reconnect_everything_is_published_anew_and_orphans_are_cleared() -> None:
    broker, board = MemoryBroker(SystemClock()), Board()
    port = MemoryPort(broker)
    async with port.connect(Login("old"), ignore) as connection:
        for topic in ("gw/v1/duty/tel/line-9/state", "gw/v1/duty/old-thing", "gw/v1/other/state"):
            await connection.publish(Publication(topic, b"{}", retain=True))
    board.put("tel", "line-1", Line(status="idle"))
    async with gateway_side(port, MemoryJournal(), board=board) as side:
        await side.session.ready()
        assert "gw/v1/duty/tel/line-9/state" not in broker.retained()
        assert "gw/v1/duty/old-thing" not in broker.retained()
        assert "gw/v1/other/state" in broker.retained()
        await broker.kill()
        broker._retained.clear()
        board.put("tel", "line-1", Line(status="ringing"))
        broker.down = False
        await until(lambda: STATE in broker.retained())
        assert shown(broker, LINE)["state"] == {"status": "ringing"}


async def test_a_vanished_gateway_is_offline_by_its_will_and_its_lease_runs_out() -> None:
    clock = ManualClock()
    broker = MemoryBroker(clock)
    async with gateway_side(MemoryPort(broker), MemoryJournal(), clock=clock, heartbeat_s=10) as side:
        await side.session.ready()
        await clock.advance(25)
        assert LEASE in broker.retained()
        broker.down = True
        broker.drop("trunkline")
        assert shown(broker, STATE)["status"] == "offline"
        await clock.advance(20)
        assert LEASE in broker.retained()  # renewed at 20 s, good for 30
        await clock.advance(10)
        assert LEASE not in broker.retained()


async def test_a_second_gateway_on_the_site_stops_the_first_and_is_not_thrown_out_again() -> None:
    broker = MemoryBroker(SystemClock())
    port = MemoryPort(broker)
    async with gateway_side(port, MemoryJournal()) as first:
        await first.session.ready()
        async with gateway_side(port, MemoryJournal(), instance="second") as second:
            await second.session.ready()
            await until(lambda: first.supervisor.health()[0].state is State.CONFIG_ERROR)
            assert "bus.taken_over" in first.supervisor.health()[0].reason
            await asyncio.sleep(0)
            assert second.session.is_ready
            assert second.supervisor.health()[0].restarts == 0


async def test_a_silent_take_over_is_found_by_the_lease() -> None:
    """Mosquitto 2.0 closes the older connection without saying why."""
    broker = MemoryBroker(SystemClock())
    port = MemoryPort(broker)
    async with gateway_side(port, MemoryJournal()) as first:
        await first.session.ready()
        broker.down = True
        broker.drop("trunkline")
        broker._sessions.clear()
        lease = json.dumps({**shown(broker, LEASE), "instance": "second"}).encode()
        broker._retained[LEASE] = (Publication(LEASE, lease, retain=True), None)
        broker.down = False
        await until(lambda: "bus.taken_over" in first.supervisor.health()[0].reason)
        assert not first.session.is_ready


async def test_a_refused_topic_raises_an_alarm_and_the_rest_goes_on() -> None:
    broker = MemoryBroker(SystemClock(), may_publish=lambda _, topic: not topic.endswith("/info"))
    async with gateway_side(MemoryPort(broker), MemoryJournal()) as side:
        await side.session.ready()
        assert [error.code for error in side.alarms] == ["bus.denied"]
        assert shown(broker, STATE)["status"] == "online"
