"""The console on the real store, principals and dispatcher, as the daemon composes them."""

import asyncio
import contextlib
import json
from datetime import UTC, datetime

import httpx
import pytest
from prometheus_client import CollectorRegistry

from gateway.commands.dispatcher import CommandDispatcher
from gateway.commands.options import CommandOptions
from gateway.commands.registry import CommandRegistry
from gateway.commands.spec import BoundCommand
from gateway.core.board import Board
from gateway.core.clock import SystemClock
from gateway.core.events import Happening
from gateway.principals.audit import AuditTrail
from gateway.principals.model import SYSTEM
from gateway.principals.options import PrincipalsOptions
from gateway.principals.service import PrincipalService
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base
from gateway.web.application import WebParts, web_application
from gateway.web.host import LocalSocket, WebHost
from gateway.web.live import LiveHub
from gateway.web.options import WebOptions
from gateway.web.status_routes import Site
from tests.fakes.web import DIAL, CallStarted, Dialled, running

PASSWORD = "十个字符以上的口令🚒"
QUICK = PrincipalsOptions(argon2_time_cost=1, argon2_memory_kib=8)


@pytest.fixture
async def house(short_path):
    clock, board = SystemClock(), Board()
    store = SqlStore(StoreOptions(), folder=short_path, site="test", clock=clock, prepare=Base.metadata.create_all)
    await store.open()
    audit = AuditTrail(store)
    principals = PrincipalService(store, clock, QUICK, audit)
    await principals.bootstrap_administrator("shan", PASSWORD)

    async def dial(body, context):
        await context.begin_side_effect()
        happening = Happening(CallStarted(caller=body.to), "line-1", f"call:{context.command_id}")
        await store.write(lambda unit: unit.emit(happening), name="dial")
        return Dialled(call=context.command_id)

    registry = CommandRegistry([BoundCommand(DIAL, dial)])
    dispatcher = CommandDispatcher(store, clock, CommandOptions(), registry, audit, principals=principals)
    await dispatcher.recover()
    options = WebOptions(port=0, stop_s=1.0, heartbeat_s=0.2)
    hub = LiveHub(journal=store, board=board, clock=clock, epoch=store.epoch, last_seq=store.last_seq)
    parts = WebParts(
        authenticator=principals,
        dispatcher=dispatcher,
        journal=store,
        hub=hub,
        site=Site("test", datetime.now(UTC), list),
        clock=clock,
        metrics=CollectorRegistry(),
    )
    app = web_application(options, parts)
    host, local = WebHost(options, app, hub), LocalSocket(options, app, hub, short_path / "t.sock")
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(running(host))
        await stack.enter_async_context(running(local))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=host.url))
        transport = httpx.AsyncHTTPTransport(uds=str(short_path / "t.sock"))
        at_the_machine = await stack.enter_async_context(
            httpx.AsyncClient(base_url="http://local", transport=transport)
        )
        client.local, client.audit, client.principals = at_the_machine, audit, principals
        yield client
    hub.close()
    await dispatcher.stop()
    principals.close()
    await store.close()


async def sign_in(client):
    answer = await client.post("/api/v1/session", json={"name": "shan", "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf"]


async def test_a_command_from_the_console_becomes_an_event_on_its_stream(house):
    await sign_in(house)
    async with house.stream("GET", "/api/v1/events") as stream, asyncio.timeout(10):
        lines = stream.aiter_lines()
        headers = {"idempotency-key": "dial-1", "prefer": "wait=5"}
        answer = await house.post("/api/v1/commands/tel.dial", json={"to": "曾国藩"}, headers=headers)
        assert (answer.status_code, answer.json()["result"]) == (200, {"call": "dial-1"})
        async for line in lines:
            if line.startswith("data: ") and "tel.call_started.v1" in line:
                break
        assert json.loads(line[6:])["data"]["caller"] == "曾国藩"
    again = await house.post("/api/v1/commands/tel.dial", json={"to": "曾国藩"}, headers=headers)
    assert again.json()["result"] == {"call": "dial-1"}
    assert len((await house.get("/api/v1/journal")).text.splitlines()) == 1
    audited = await house.audit.query(action="tel.dial")
    assert {entry.principal for entry in audited} == {"operator:shan"}


async def test_another_body_under_the_same_key_is_a_conflict(house):
    await sign_in(house)
    headers = {"idempotency-key": "dial-2", "accept-language": "zh"}
    assert (await house.post("/api/v1/commands/tel.dial", json={"to": "1"}, headers=headers)).status_code in (200, 202)
    answer = await house.post("/api/v1/commands/tel.dial", json={"to": "2"}, headers=headers)
    assert answer.status_code == 409
    wrong = await house.post("/api/v1/commands/tel.dial", json={"to": "1", "x": 2})
    assert wrong.status_code == 422


async def test_guessing_is_locked_out_and_a_signed_out_session_is_over(house):
    await sign_in(house)
    assert (await house.get("/api/v1/session")).json()["name"] == "shan"
    assert (await house.delete("/api/v1/session")).status_code == 204
    assert (await house.get("/api/v1/session")).status_code == 401
    for _ in range(QUICK.lockout_failures):
        answer = await house.post("/api/v1/session", json={"name": "shan", "password": "falsch"})
        assert answer.json()["code"] == "auth.sign_in_refused"
    answer = await house.post("/api/v1/session", json={"name": "shan", "password": PASSWORD})
    assert answer.status_code == 401


async def test_an_application_is_let_in_by_its_token_until_it_is_revoked(house):
    issued = await issue(house)
    headers = {"authorization": f"Bearer wall:{issued}"}
    assert (await house.get("/api/v1/session", headers=headers)).json()["kind"] == "application"
    await house.principals.applications.revoke(SYSTEM, "wall")
    assert (await house.get("/api/v1/session", headers=headers)).status_code == 401


async def issue(house):
    credential = await house.principals.applications.add(SYSTEM, "wall", [], "大屏")
    return credential.secret


async def test_the_command_line_acts_as_the_user_of_the_machine(house):
    answer = await house.local.post("/api/v1/commands/tel.dial", json={"to": "110"}, headers={"prefer": "wait=5"})
    assert answer.json()["state"] == "succeeded"
    audited = await house.audit.query(action="tel.dial")
    assert all(entry.principal.startswith("local:") for entry in audited)
