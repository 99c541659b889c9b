"""The calls of late over HTTP, and a page whose files are there."""

from litestar import Litestar
from litestar.di import Provide
from litestar.testing import AsyncTestClient

from gateway.core.board import Board
from gateway.core.clock import ManualClock
from gateway.principals.model import SYSTEM
from gateway.web.assets import page_assets
from tests.support.memory_store import MemoryStore
from tests.unit.trunks.telephone.test_service import Desk
from trunks.telephone.book import CallBook
from trunks.telephone.lines import Lines
from trunks.telephone.routes import PAGE, routes


async def test_calls_are_listed() -> None:
    desk = Desk()
    store = MemoryStore(ManualClock()).create()
    desk.service._book = CallBook(store, Board(), ManualClock(), Lines([]), lambda _: [])
    app = Litestar(routes(desk.service), dependencies={"principal": Provide(lambda: SYSTEM, sync_to_thread=False)})
    async with AsyncTestClient(app) as client:
        answer = await client.get("/calls?limit=5")
    store.close()
    assert (answer.status_code, answer.json()) == (200, [])


def test_the_page_has_its_files() -> None:
    assert set(page_assets([PAGE])) == {"telephone/telephone.js", "telephone/telephone.svg"}
