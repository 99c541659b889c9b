"""Every feature's routes over HTTP, on a real house with neither Asterisk nor broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from config.settings import load
from gateway.app.client import LocalClient
from gateway.app.house import House, open_house
from gateway.app.paths import StatePaths
from gateway.app.sections import SECTIONS
from gateway.app.stand.ports import free_ports
from gateway.core.ids import new_id
from gateway.core.supervisor import State
from gateway.principals.model import SYSTEM
from tests.support.wait import until

pytestmark = pytest.mark.integration

PASSWORD = "一一九值班室的口令 🚒"
CONTACTS = "unit,name,post,phone,kind\n城关镇人民政府,单雄信,值班镇长,13800001111,mobile\n"
LISTS = ("alarms", "alarms/history", "incidents", "releases", "documents", "holds", "calls")
THINGS = ("incidents/none", "incidents/none/timeline", "releases/none", "documents/none/why", "documents/none/content")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[tuple[House, str]]:
    """A running house and the address of its console."""
    web, ami, fastagi = free_ports(3)
    names = {"WEB__PORT": web, "ASTERISK__AMI__PORT": ami, "ASTERISK__FASTAGI__PORT": fastagi}
    settings = load(SECTIONS, file=None, environment={f"TRUNKLINE_{name}": str(port) for name, port in names.items()})
    async with open_house(settings, StatePaths(tmp_path / "state"), running=True) as running:
        await running.start()
        try:
            await until(lambda: _ready(running, "web"), "the console")
            yield running, f"http://127.0.0.1:{web}"
        finally:
            await running.stop(3.0)


def _ready(house: House, name: str) -> bool:
    return any(one.name == name and one.state is State.READY for one in house.supervisor.health())


@contextlib.asynccontextmanager
async def _signed_in(house: House, url: str, name: str, *roles: str) -> AsyncIterator[httpx.AsyncClient]:
    await house.principals.add_operator(SYSTEM, name, "仇英", list(roles), PASSWORD)
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        answer = await client.post("/api/v1/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code in {200, 201}, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        yield client


async def test_an_operator_reads_what_every_feature_keeps(house):
    running, url = house
    await running.directory.import_file(CONTACTS.encode(), principal=SYSTEM)
    async with _signed_in(running, url, "qiu", "operator") as client:
        for path in LISTS:
            answer = await client.get(f"/api/v1/{path}")
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), path
            assert isinstance(answer.json(), list), path
        for path in THINGS:
            answer = await client.get(f"/api/v1/{path}")
            assert answer.status_code == 404, f"{path}: {answer.text}"
            assert answer.json()["code"] not in {"web.not_found", ""}, path  # the feature answered, not the host
        (found,) = (await client.get("/api/v1/contacts", params={"q": "单雄"})).json()
        assert (found["unit"], found["name"], found["post"]) == ("城关镇人民政府", "单雄信", "值班镇长")
        for path in ("alarms/history?limit=501", "calls?limit=0", "contacts?q=x&limit=0"):
            assert (await client.get(f"/api/v1/{path}")).status_code in {400, 422}, path


async def test_nobody_unnamed_reads_anything(house):
    _, url = house
    async with httpx.AsyncClient(base_url=url) as client:
        for path in (*LISTS, *THINGS, "contacts?q=x", "contacts/export", "pages"):
            assert (await client.get(f"/api/v1/{path}")).status_code == 401, path
        assert (await client.post("/api/v1/contacts/import", content=b"unit\n")).status_code == 401


async def test_an_administrator_imports_and_exports_and_an_operator_may_not(house):
    running, url = house
    async with _signed_in(running, url, "chef", "administrator") as client:
        answer = await client.post("/api/v1/contacts/import", content=CONTACTS.encode("gb18030"))
        assert answer.status_code == 200, answer.text
        assert "单雄信" in (await client.get("/api/v1/contacts/export")).content.decode("utf-8-sig")
    async with _signed_in(running, url, "qiu", "operator") as client:
        assert (await client.post("/api/v1/contacts/import", content=CONTACTS.encode())).status_code == 403


async def test_the_telephones_page_is_offered_and_dialling_without_asterisk_says_why_not(house):
    running, url = house
    async with _signed_in(running, url, "qiu", "operator") as client:
        (page,) = (await client.get("/api/v1/pages")).json()
        assert page["title"] == {"en": "Telephone", "zh": "电话"}
        for file in (page["module"], page["icon"]):
            assert (await client.get(file)).status_code == 200, file
        headers = {"Idempotency-Key": new_id(), "Prefer": "wait=5"}
        answer = (await client.post("/api/v1/commands/tel.dial", json={"number": "110"}, headers=headers)).json()
        assert "tel.unavailable" in str(answer), answer


async def test_the_description_names_every_route_once_below_api_v1(house):
    running, url = house
    async with _signed_in(running, url, "qiu", "operator") as client:
        paths = (await client.get("/api/v1/openapi.json")).json()["paths"]
    assert not [path for path in paths if path.count("/api/v1") > 1]
    assert {f"/api/v1/{path}" for path in (*LISTS, "contacts", "contacts/import", "contacts/export")} <= set(paths)


async def test_the_directory_gives_one_answer_over_http_bus_and_command_line(house, tmp_path):
    running, url = house
    async with _signed_in(running, url, "chef", "administrator") as client:

        async def command(verb: str, **body: object) -> dict:
            headers = {"Idempotency-Key": new_id(), "Prefer": "wait=5"}
            answer = (await client.post(f"/api/v1/commands/{verb}", json=body, headers=headers)).json()
            assert answer["state"] == "succeeded", answer
            return answer["result"]

        number = {"number": "010-8234 5678", "kind": "值班"}
        body = {"unit": "中共某市委员会办公室", "name": "单雄信", "numbers": [number], "groups": ["防汛"]}
        made = await command("dir.contact_put", **body)
        await command("dir.unit_put", name="中共某市委员会办公室", parent="某市委员会", aliases=["市委办"])
        over_http = (await client.get("/api/v1/contacts", params={"q": "市委办 shanxx"})).json()
        assert over_http == (await command("dir.search", text="市委办 shanxx"))["contacts"]

        def on_the_line() -> dict:
            with LocalClient(tmp_path / "state" / "trunkline.sock") as gate:
                return gate.command("dir.search", {"text": "市委办 shanxx"}, key=new_id(), ttl_s=None, wait_s=5.0)

        assert over_http == (await asyncio.to_thread(on_the_line))["result"]["contacts"]
        assert over_http == [
            {
                "id": made["id"],
                "unit": "中共某市委员会办公室",
                "name": "单雄信",
                "post": "",
                "numbers": [{"number": "01082345678", "kind": "duty"}],
                "match": {"field": "alias", "reason": "exact"},
            }
        ]
        for path in (
            f"contacts/{made['id']}",
            "contacts/units",
            "contacts/groups/防汛",
            "contacts/lookup?number=82345678",
        ):
            assert "单雄信" in (text := (await client.get(f"/api/v1/{path}")).text) or "市委办" in text, path
        (change,) = (await client.get(f"/api/v1/contacts/{made['id']}/history")).json()
        assert (change["action"], change["by"]) == ("created", "operator:chef")
        assert (await client.post(f"/api/v1/contacts/{made['id']}/used")).status_code == 204
        assert (await client.get("/api/v1/contacts/none")).status_code == 404
        book = (await client.get("/api/v1/contacts/export", params={"format": "xlsx"})).content
        report = (await client.post("/api/v1/contacts/import?dry_run=true", content=book)).json()
        assert (report["unchanged"], report["applied"], report["errors"]) == (1, False, [])
    async with _signed_in(running, url, "qiu", "operator") as client:
        headers = {"Idempotency-Key": new_id(), "Prefer": "wait=5"}
        body = {"id": made["id"]}
        answer = await client.post("/api/v1/commands/dir.contact_remove", json=body, headers=headers)
        assert answer.status_code == 403
