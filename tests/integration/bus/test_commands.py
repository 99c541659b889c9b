"""Commands over the bus, with the real store and dispatcher, on a real mosquitto and on its twin."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from gateway.bus.asyncapi import Contract
from gateway.bus.connections import CurrentConnection
from gateway.bus.memory import MemoryBroker, MemoryPort
from gateway.bus.mqtt import Endpoint, MqttPort
from gateway.bus.options import BusOptions
from gateway.bus.port import BusConnection, BusLostError, BusPort, Delivery, Login, Publication
from gateway.bus.replay import ReplayService, commands
from gateway.bus.service import Bus, BusNeeds
from gateway.bus.topics import Topics
from gateway.commands.dispatcher import CommandDispatcher
from gateway.commands.options import CommandOptions
from gateway.commands.registry import CommandRegistry
from gateway.commands.spec import BoundCommand, CommandContext, CommandSpec
from gateway.core.board import Board
from gateway.core.causation import Cause, standing_cause
from gateway.core.clock import SystemClock
from gateway.core.errors import NotFoundError, UnavailableError
from gateway.core.events import Happening, Message
from gateway.core.supervisor import Backoff, Supervisor
from gateway.core.text import Text
from gateway.principals.audit import AuditTrail
from gateway.principals.model import Principal, PrincipalKind, Right
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base, Unit
from tests.support.broker import real_broker
from tests.support.bus import DEADLINE_S, Rang, until

pytestmark = pytest.mark.integration

CAD = Principal(PrincipalKind.APPLICATION, "cad", (Right("tel.*"), Right("sys.replay")))


class Dial(Message, frozen=True, kw_only=True):
    number: str


class Dialled(Message, frozen=True, kw_only=True):
    call: str


DIAL = CommandSpec(name="tel.dial", body=Dial, result=Dialled, summary=Text("Dial.", "拨号。"), max_ttl_s=60)


class Principals:
    async def principal(self, kind: object, name: str = "") -> Principal:
        if (name or kind) != "cad":
            raise NotFoundError(what="application", name=name or kind)
        return CAD


class Exchange:
    def __init__(self) -> None:
        self.dialled: list[str] = []
        self.causes: list[Cause | None] = []

    async def dial(self, body: Dial, context: CommandContext) -> Dialled:
        await context.begin_side_effect()
        self.dialled.append(body.number)
        self.causes.append(standing_cause())
        return Dialled(call=f"call-{len(self.dialled)}")


class Gateway:
    def __init__(self, port: BusPort, options: BusOptions, user: str, password: str, folder: Path) -> None:
        self.port, self.options, self.user, self.password = port, options, user, password
        self.folder = folder

    async def start(self) -> None:
        self.exchange = Exchange()
        self.store = SqlStore(StoreOptions(), folder=self.folder, site="duty", prepare=Base.metadata.create_all)
        await self.store.open()
        clock = SystemClock()
        self.current = CurrentConnection()
        self.replay = ReplayService(self.store, self.current, Topics("duty"), clock)
        audit = AuditTrail(self.store)
        registry = CommandRegistry([BoundCommand(DIAL, self.exchange.dial), *commands(self.replay)])
        self.dispatcher = CommandDispatcher(
            self.store, clock, CommandOptions(), registry, audit, principals=Principals()
        )
        self.supervisor = Supervisor(clock, backoff=Backoff(first_s=0.02, longest_s=0.1))
        self.bus = Bus(
            BusNeeds(
                options=self.options,
                port=self.port,
                login=Login(self.options.stable_client_id, self.user, self.password),
                store=self.store,
                journal=self.store,
                board=Board(),
                clock=clock,
                dispatcher=self.dispatcher,
                applications=Principals(),
                audit=audit,
                contract=Contract(events=[Rang], commands=registry.specs(), states={}),
                version="0",
                epoch=self.store.epoch,
                health=self.supervisor.health,
                on_alarm=lambda _: None,
            ),
            self.current,
        )
        await self.dispatcher.recover()
        self.bus.start(self.supervisor)
        await asyncio.wait_for(self.current.ready(), 10)

    async def stop(self) -> None:
        await self.replay.close()
        await self.supervisor.stop()
        await self.dispatcher.stop()
        self.bus.close()
        await self.store.close()


class Application:
    def __init__(self, connection: BusConnection, inbox: list[Delivery]) -> None:
        self.connection = connection
        self.inbox = inbox

    async def send(self, body: bytes, verb: str = "tel/dial", **more: Any) -> int:
        return await self.connection.publish(Publication(f"gw/v1/duty/cmd/cad/{verb}", body, **more))

    def answers(self, command_id: str, topic: str = "") -> list[dict[str, Any]]:
        wanted = topic or f"gw/v1/duty/res/cad/{command_id}"
        return [json.loads(one.payload) for one in self.inbox if one.topic == wanted]

    async def final(self, command_id: str) -> dict[str, Any]:
        def finals() -> list[dict[str, Any]]:
            states = ("accepted", "in_progress")
            return [one for one in self.answers(command_id) if one["state"] not in states]

        await until(lambda: bool(finals()))
        return finals()[-1]


def envelope(command_id: str, number: str = "110", **more: Any) -> bytes:
    expires_at = datetime.now(UTC) + timedelta(seconds=30)
    return msgspec.json.encode({"id": command_id, "expires_at": expires_at, "data": {"number": number}, **more})


@contextlib.asynccontextmanager
async def memory(folder: Path) -> AsyncIterator[Gateway]:
    yield Gateway(MemoryPort(MemoryBroker(SystemClock())), BusOptions(site="duty"), "", "", folder)


@contextlib.asynccontextmanager
async def mosquitto(folder: Path) -> AsyncIterator[Gateway]:
    async with real_broker() as broker:
        port = MqttPort(Endpoint(socket=broker.paths.socket), broker.options)
        yield Gateway(port, broker.options, *broker.login(), folder)


@pytest.fixture(params=[memory, mosquitto], ids=["memory", "mosquitto"])
async def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with request.param(tmp_path) as made:
        await made.start()
        try:
            yield made
        finally:
            await made.stop()


@pytest.fixture
async def app(gateway: Gateway) -> AsyncIterator[Application]:
    inbox: list[Delivery] = []

    async def handler(delivery: Delivery) -> None:
        inbox.append(delivery)

    login = Login("cad", gateway.user, gateway.password)
    async with gateway.port.connect(login, handler) as connection:
        await connection.subscribe("gw/v1/duty/res/cad/#")
        await connection.subscribe("gw/v1/duty/replay/cad")
        yield Application(connection, inbox)


def audited(gateway: Gateway) -> Any:
    query = sa.text("SELECT action, outcome, details FROM audit ORDER BY seq")
    return gateway.store.read(lambda connection: [tuple(row) for row in connection.execute(query)])


async def test_a_command_is_carried_out_once_and_answered_on_both_topics(gateway: Gateway, app: Application) -> None:
    own = "gw/v1/duty/res/cad/my-own/place"
    await app.send(envelope("c1"), response_topic=own, correlation=b"\x01\x02")
    final = await app.final("c1")
    assert (final["state"], final["result"], final["command"]) == ("succeeded", {"call": "call-1"}, "tel.dial")
    states = [one["state"] for one in app.answers("c1")]
    assert states[0] == "accepted"
    await until(lambda: len(app.answers("", own)) == len(states))
    assert {one.correlation for one in app.inbox} == {b"\x01\x02"}
    await app.send(envelope("c1"))  # again, other expiry: same body, same id
    await until(lambda: len(app.answers("c1")) > len(states))
    assert gateway.exchange.dialled == ["110"]


@pytest.mark.parametrize("topic", ["gw/v1/duty/res/other/x", "gw/v1/duty/state", "gw/v1/duty/cmd/cad/tel/dial"])
async def test_nobody_is_answered_outside_the_own_prefix(gateway: Gateway, app: Application, topic: str) -> None:
    await app.connection.subscribe(topic, no_local=True)
    await app.send(envelope("c1", reply_to=topic), response_topic=topic)
    await app.final("c1")
    assert not [one for one in app.answers("", topic) if one.get("id") == "c1"]


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff\xfe", b"{", b'{"id":NaN}', b"[" * 3000, b'{"id":"x","id":"y"}', b'{"id":"a b"}', b'"\\ud800"'],
    ids=["empty", "not-utf8", "cut", "nan", "deep", "duplicate", "no-id", "surrogate"],
)
async def test_what_cannot_be_read_is_refused_with_an_answer(app: Application, payload: bytes) -> None:
    await app.send(payload)
    refused = await app.final("unreadable")
    assert refused["state"] == "rejected"
    assert refused["error"]["code"].startswith("command.")


async def test_a_command_of_which_only_the_id_can_be_used_is_answered_under_its_id(app: Application) -> None:
    await app.send(b'{"id":"c1","data":{}}')
    refused = await app.final("c1")
    assert (refused["id"], refused["error"]["code"]) == ("c1", "command.schema")


async def test_the_trace_of_a_command_is_taken_along(gateway: Gateway, app: Application) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await app.send(envelope("c1"), user=(("traceparent", trace),))
    await app.final("c1")
    assert gateway.exchange.causes == [Cause("c1", trace)]


async def test_a_command_that_is_too_long_is_answered(gateway: Gateway, app: Application) -> None:
    await app.send(envelope("c1", "1" * 40_000))
    refused = await app.final("c1")
    assert (refused["state"], refused["error"]["code"]) == ("rejected", "command.oversize")
    await app.send(envelope("c2", "1" * 32_000))
    assert (await app.final("c2"))["state"] == "succeeded"
    assert len(gateway.exchange.dialled) == 1


async def test_an_unknown_application_is_refused_and_audited(gateway: Gateway, app: Application) -> None:
    await app.connection.subscribe("gw/v1/duty/res/ghost/#")
    await app.connection.publish(Publication("gw/v1/duty/cmd/ghost/tel/dial", envelope("c1")))
    topic = "gw/v1/duty/res/ghost/c1"
    await until(lambda: bool(app.answers("", topic)))
    assert app.answers("", topic)[0]["error"]["code"] == "not_found"
    assert ("tel.dial", "rejected", '{"error":"not_found"}') in await audited(gateway)
    assert gateway.exchange.dialled == []


async def test_a_retained_command_is_refused_audited_and_cleared(gateway: Gateway, app: Application) -> None:
    await app.send(envelope("c1"), retain=True)
    assert (await app.final("c1"))["error"]["code"] == "command.retained"
    assert ("tel.dial", "rejected", '{"error":"command.retained"}') in await audited(gateway)
    assert gateway.exchange.dialled == []
    seen: list[Delivery] = []

    async def handler(delivery: Delivery) -> None:
        seen.append(delivery)

    login = Login("late", gateway.user, gateway.password)
    async with gateway.port.connect(login, handler) as connection:
        await connection.subscribe("gw/v1/duty/cmd/#", retain_handling=0)
        await app.send(b"{}", verb="tel/other")
        await until(lambda: bool(seen))
    assert [one.topic for one in seen] == ["gw/v1/duty/cmd/cad/tel/other"]


async def test_a_command_that_was_retained_while_the_gateway_was_away_does_not_fire(
    gateway: Gateway, app: Application
) -> None:
    await gateway.stop()
    await app.send(envelope("c1"), retain=True)
    await gateway.start()
    assert (await app.final("c1"))["error"]["code"] == "command.retained"
    assert gateway.exchange.dialled == []


async def test_commands_that_came_while_the_gateway_was_away_are_carried_out_or_expire(
    gateway: Gateway, app: Application
) -> None:
    await gateway.stop()
    await app.send(envelope("good"))
    past = datetime.now(UTC) - timedelta(seconds=1)
    await app.send(msgspec.json.encode({"id": "late", "expires_at": past, "data": {"number": "119"}}))
    await gateway.start()
    assert (await app.final("good"))["state"] == "succeeded"
    assert (await app.final("late"))["state"] == "expired"
    assert gateway.exchange.dialled == ["110"]


async def test_a_command_that_the_ledger_could_not_take_is_delivered_again(
    gateway: Gateway, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = gateway.dispatcher.accept
    tries = 0

    async def fails_twice(*arguments: Any, **more: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise UnavailableError(part="store", reason="no space left on the device")
        return await accept(*arguments, **more)

    monkeypatch.setattr(gateway.dispatcher, "accept", fails_twice)
    await app.send(envelope("c1"))
    assert (await app.final("c1"))["state"] == "succeeded"
    assert tries == 3
    assert gateway.exchange.dialled == ["110"]


async def test_answers_that_could_not_be_sent_are_sent_after_the_reconnect(
    gateway: Gateway, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a crash leaves it: the ledger holds a final answer that the broker never took."""
    publish = gateway.bus.intake._publish
    broken = True

    async def loses(*arguments: Any) -> None:
        if broken:
            raise BusLostError(reason="the test says so")
        await publish(*arguments)

    monkeypatch.setattr(gateway.bus.intake, "_publish", loses)
    await app.send(envelope("c1"))
    await until(lambda: bool(gateway.exchange.dialled))
    assert app.answers("c1") == []
    broken = False
    assert (await app.final("c1"))["state"] == "succeeded"
    assert gateway.exchange.dialled == ["110"]


async def test_a_flood_is_bounded_and_every_command_is_answered(gateway: Gateway, app: Application) -> None:
    await asyncio.gather(*(app.send(envelope(f"c{number}", str(number))) for number in range(300)))
    finals = [(await app.final(f"c{number}"))["state"] for number in range(300)]
    assert set(finals) <= {"succeeded", "rejected"}
    assert finals.count("succeeded") == len(gateway.exchange.dialled) > 0
    async with asyncio.timeout(DEADLINE_S):
        while await gateway.dispatcher.pending_answers():  # noqa: ASYNC110  # written just after the answer
            await asyncio.sleep(0.01)


async def test_what_was_missed_is_replayed_on_the_own_topic(gateway: Gateway, app: Application) -> None:
    def work(unit: Unit) -> None:
        unit.emit(Happening(event=Rang(number=1), resource="line-1", aggregate="call:1"))

    for _ in range(20):
        await gateway.store.write(work, name="test")
    expires_at = datetime.now(UTC) + timedelta(seconds=30)
    await app.send(
        msgspec.json.encode({"id": "r1", "expires_at": expires_at, "data": {"from_seq": 5, "to_seq": 9}}), "sys/replay"
    )
    assert (await app.final("r1"))["state"] == "succeeded"
    replayed = "gw/v1/duty/replay/cad"
    await until(lambda: any("next_seq" in one for one in app.answers("", replayed)))
    assert [one.get("gwseq") for one in app.answers("", replayed)] == [5, 6, 7, 8, 9, None]
