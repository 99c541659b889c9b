from litestar import Litestar
from litestar.di import Provide
from litestar.testing import AsyncTestClient

from gateway.alarms.options import AlarmOptions
from gateway.alarms.routes import routes
from gateway.alarms.service import AlarmService
from gateway.core.alarm import Condition, Severity
from gateway.core.board import Board
from gateway.core.clock import ManualClock
from gateway.core.text import Text
from gateway.principals.model import SYSTEM
from tests.support.local_store import LocalStore


async def test_the_list_and_the_history():
    store = LocalStore(ManualClock())
    service = AlarmService(store=store, board=Board(), clock=store.clock, options=AlarmOptions())
    await service.raise_alarm(
        Condition(key="k", severity=Severity.MAJOR, source="ami", text=Text("Down {why}", "中断 {why}"))
    )
    await service.clear_alarm("k")
    await service.raise_alarm(Condition(key="k", severity=Severity.MAJOR, source="ami", text=Text("Down", "中断")))
    app = Litestar(
        routes(service), dependencies={"principal": Provide(lambda: SYSTEM, sync_to_thread=False)}, debug=True
    )
    async with AsyncTestClient(app) as client:
        assert [row["text_zh"] for row in (await client.get("/alarms")).json()] == ["中断"]
        history = (await client.get("/alarms/history", params={"source": "ami", "limit": 5})).json()
        assert sorted(row["state"] for row in history) == ["over", "shown"]
        assert (await client.get("/alarms/history", params={"limit": 0})).status_code == 400
    store.close()
