import asyncio
from typing import Any

from gateway.app.bus import SecurityKeeper, bus_door
from gateway.app.paths import StatePaths
from gateway.bus.connections import CurrentConnection
from gateway.bus.options import BusOptions
from tests.support.bus import until


def test_nobody_can_guess_the_session_of_the_gateway_at_the_private_broker(tmp_path):
    here, there = StatePaths(tmp_path / "a"), StatePaths(tmp_path / "b")
    login, _ = bus_door(BusOptions(), here)
    other, _ = bus_door(BusOptions(), there)
    assert login.client_id.startswith("trunkline-main-")
    assert len(login.client_id) >= len("trunkline-main-") + 32
    assert login.client_id != other.client_id
    assert bus_door(BusOptions(), here)[0].client_id == login.client_id


def test_a_client_id_that_is_given_is_used_as_it_is(tmp_path):
    login, _ = bus_door(BusOptions(client_id="mine"), StatePaths(tmp_path))
    assert login.client_id == "mine"


class Standing:
    def __init__(self) -> None:
        self.lost: asyncio.Future[Any] = asyncio.get_running_loop().create_future()


class Security:
    def __init__(self) -> None:
        self.behind = asyncio.Event()
        self.reconciled = 0

    async def reconcile(self, _: Any) -> None:
        self.behind.clear()
        self.reconciled += 1


class Nobody:
    async def active(self) -> list[Any]:
        return []


class Quiet:
    def ready(self) -> None:
        """Tell nobody."""

    def degraded(self, reason: str) -> None:
        """Tell nobody."""


async def test_the_broker_is_told_at_each_connection_and_whenever_it_fell_behind():
    security, current, first = Security(), CurrentConnection(), Standing()
    current.put(first)  # type: ignore[arg-type]
    keeper = SecurityKeeper(security, current, Nobody())  # type: ignore[arg-type]
    task = asyncio.create_task(keeper.run(Quiet()), name="keeper")
    await until(lambda: security.reconciled == 1)
    security.behind.set()
    await until(lambda: security.reconciled == 2)
    first.lost.set_result(None)
    current.put(Standing())  # type: ignore[arg-type]
    await until(lambda: security.reconciled == 3)
    task.cancel()
    await asyncio.wait([task])
