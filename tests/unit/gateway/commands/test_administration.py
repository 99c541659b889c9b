import json

import pytest

from gateway.commands.administration import commands
from gateway.commands.dispatcher import CommandDispatcher
from gateway.commands.options import CommandOptions
from gateway.commands.registry import CommandRegistry
from gateway.core.clock import ManualClock
from gateway.principals.audit import AuditTrail
from gateway.principals.model import NotPermittedError
from gateway.principals.options import PrincipalsOptions
from gateway.principals.service import PrincipalService
from tests.support.commands import envelope
from tests.support.memory_store import MemoryStore


class Broker:
    """Checks secrets by itself, when it can be told of them."""

    def __init__(self):
        self.up = True

    async def granted(self, application, secret):
        return self.up

    async def revoked(self, name):
        return self.up


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
async def house(broker):
    clock = ManualClock()
    store = MemoryStore(clock).create()
    audit = AuditTrail(store)
    cheap = PrincipalsOptions(argon2_time_cost=1, argon2_memory_kib=8)
    service = PrincipalService(store, clock, cheap, audit, sinks=[broker])
    await service.start()
    registry = CommandRegistry(commands(service))
    dispatcher = CommandDispatcher(store, clock, CommandOptions(), registry, audit, principals=service)
    await dispatcher.recover()
    yield dispatcher, service, store, clock
    await dispatcher.stop()
    service.close()
    store.close()


async def ask(dispatcher, principal, command, /, **body):
    answer = await dispatcher.submit(principal, command, json.dumps(body).encode())
    answer = await dispatcher.answer(principal, answer.command_id, wait_s=60)
    return answer.state, json.loads(answer.result) if answer.result else answer.error["code"]


async def test_the_life_of_an_application(house):
    dispatcher, service, _, _ = house
    root = await service.local(0, "root")
    state, issued = await ask(dispatcher, root, "sys.app_add", name="cad", rights=[{"verb": "tel.*"}])
    assert state == "succeeded"
    assert (await service.resolve_application("cad", issued["secret"])).may("tel.dial", "line-1")
    _, rotated = await ask(dispatcher, root, "sys.app_rotate", name="cad")
    assert rotated["secret"] != issued["secret"]
    assert await ask(dispatcher, root, "sys.app_add", name="cad") == ("failed", "auth.name_taken")
    _, listed = await ask(dispatcher, root, "sys.app_list")
    assert listed["applications"][0]["rights"] == [{"verb": "tel.*", "resource": "*"}]
    assert await ask(dispatcher, root, "sys.app_revoke", name="cad") == (
        "succeeded",
        {"name": "cad", "broker": "told"},
    )
    assert await ask(dispatcher, root, "sys.app_revoke", name="cad") == ("failed", "not_found")


async def test_a_broker_that_is_away_follows_and_the_secret_is_shown_all_the_same(house, broker):
    dispatcher, service, _, _ = house
    root = await service.local(0, "root")
    broker.up = False
    for command in ("sys.app_add", "sys.app_rotate"):
        state, issued = await ask(dispatcher, root, command, name="cad")
        assert (state, issued["broker"]) == ("succeeded", "follows")
        assert (await service.resolve_application("cad", issued["secret"])).name == "cad"
    assert await ask(dispatcher, root, "sys.app_revoke", name="cad") == (
        "succeeded",
        {"name": "cad", "broker": "follows"},
    )


async def test_the_life_of_an_operator(house):
    dispatcher, service, store, _ = house
    root = await service.local(0, "root")
    await service.bootstrap_administrator("admin")
    body = {"name": "shan", "display_name": "单雄信", "roles": ["operator"], "password": "correct-horse-42"}
    state, operator = await ask(dispatcher, root, "sys.operator_add", **body)
    assert (state, operator["display_name"]) == ("succeeded", "单雄信")
    own = (await service.sign_in("shan", "correct-horse-42")).principal
    with pytest.raises(NotPermittedError):
        await ask(dispatcher, own, "sys.operator_add", **body)
    done = await ask(dispatcher, own, "sys.password_change", old="correct-horse-42", new="battery-staple-7")
    assert done == ("succeeded", {"name": "shan"})
    assert (await service.sign_in("shan", "battery-staple-7")).principal.name == "shan"
    _, roles = await ask(dispatcher, root, "sys.role_list")
    assert {role["title_zh"] for role in roles["roles"]} >= {"接警员", "调度员", "值班长", "系统管理员", "观察员"}
    dump = "\n".join(store.engine.raw_connection().driver_connection.iterdump()).upper()
    for secret in ("correct-horse-42", "battery-staple-7"):
        assert secret.upper() not in dump
        assert secret.encode().hex().upper() not in dump


async def test_secrets_do_not_come_from_the_bus(house):
    dispatcher, service, _, clock = house
    root = await service.local(0, "root")
    ticket = await dispatcher.accept(root, "sys.app_add", envelope(clock, data={"name": "cad"}))
    assert ticket.refusal.code == "command.not_on_bus"
    listed = await dispatcher.accept(root, "sys.app_list", envelope(clock, "c-2"))
    assert (await listed.outcome()).state == "succeeded"
