"""The calls of late over HTTP, and a page whose files are there."""

import re

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
    folder = PAGE.module_path.parent
    assert set(page_assets([PAGE])) == {f"telephone/{file.name}" for file in folder.iterdir()}


def test_the_page_says_everything_in_both_languages_and_nothing_else() -> None:
    folder = PAGE.module_path.parent
    zh, en = re.findall(r"\n  (?:zh|en): \{(.*?)\n  \},", (folder / "texts.js").read_text(encoding="utf-8"), re.DOTALL)
    texts = [dict(re.findall(r'"([a-z_.]+)": "([^"]+)"', each)) for each in (zh, en)]
    assert list(texts[0]) == list(texts[1])
    for key, text in texts[0].items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", texts[1][key])), key
    scripts = "".join(file.read_text(encoding="utf-8") for file in folder.glob("*.js") if file.name != "texts.js")
    asked = set(re.findall(r'"(telephone\.[a-z_.]+)"', scripts)) - {"telephone.css"}
    assert asked <= set(texts[0])
    put_together = ("telephone.kind.", "telephone.direction.")
    assert {key for key in texts[0] if not key.startswith(put_together)} <= asked
