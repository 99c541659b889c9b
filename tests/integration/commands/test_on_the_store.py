"""The dispatcher and the principals on the real store."""

import asyncio
import json

import pytest

from gateway.commands.answers import CommandState
from gateway.commands.errors import CommandSchemaError
from gateway.core.clock import ManualClock
from gateway.core.errors import NotFoundError
from gateway.core.events import Happening
from gateway.core.options import Secret
from gateway.principals.errors import CredentialRefusedError, SignInRefusedError
from gateway.principals.model import SYSTEM, Right
from gateway.principals.options import PrincipalsOptions
from gateway.principals.service import PrincipalService
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base
from tests.support.bus import Rang
from tests.support.commands import APP, Desk, envelope
from tests.support.postgres import PostgresCluster

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def postgres():
    cluster = PostgresCluster()
    try:
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def options(request, tmp_path):
    if request.param == "sqlite":
        return StoreOptions()
    cluster = request.getfixturevalue("postgres")
    secret = tmp_path / "password"
    secret.write_text(cluster.password)
    return StoreOptions(url=cluster.new_database(), password=Secret(file=str(secret)))


@pytest.fixture
async def store(options, tmp_path):
    store = SqlStore(options, folder=tmp_path / "state", site="test", prepare=Base.metadata.create_all)
    await store.open()
    yield store
    await store.close()


async def test_commands_at_the_same_time_are_each_done_once(store):
    clock = ManualClock()
    desk = Desk(clock, store)
    await desk.dispatcher.recover()
    sent = [desk.dispatcher.accept(APP, "tel.dial", envelope(clock, f"c-{n % 20}")) for n in range(60)]
    tickets = await asyncio.gather(*sent)
    answers = await asyncio.gather(*(ticket.outcome() for ticket in tickets))
    assert {answer.state for answer in answers} == {CommandState.SUCCEEDED}
    assert set(desk.exchange.effects.values()) == {1}
    assert (await desk.audit.verify()).faults == ()
    assert (await desk.audit.head()).seq == 40
    assert len(await desk.dispatcher.pending_answers()) == 20
    unknown = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, "x", data={"how": "crash"}))
    assert (await unknown.outcome()).state is CommandState.UNKNOWN
    (event,) = await store.events_after(0)
    assert event.name == "command_unknown"
    await desk.dispatcher.stop()


async def test_the_events_of_a_command_name_it_and_its_trace(store):
    clock = ManualClock()
    desk = Desk(clock, store)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def tell():
        happening = Happening(event=Rang(number=1), resource="line-1", aggregate="call:1")
        await store.write(lambda unit: unit.emit(happening), name="test")

    desk.exchange.pause = tell
    await desk.dispatcher.recover()
    ticket = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, "c-1"), traceparent=trace)
    await ticket.outcome()
    odd = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, "c-2"), traceparent="x" * 500)
    await odd.outcome()
    await tell()
    crash = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, "c-3", data={"how": "crash"}))
    await crash.outcome()
    told = [json.loads(event.payload) for event in await store.events_after(0)]
    assert [(one["type"], one.get("causationid"), one.get("traceparent")) for one in told] == [
        ("tel.rang.v1", "c-1", trace),
        ("tel.rang.v1", "c-2", None),
        ("tel.rang.v1", None, None),
        ("tel.rang.v1", "c-3", None),
        ("sys.command_unknown.v1", "c-3", None),
    ]
    await desk.dispatcher.stop()


async def test_principals_work_on_it_too(store):
    desk = Desk(ManualClock(), store)
    cheap = PrincipalsOptions(argon2_time_cost=1, argon2_memory_kib=8)
    service = PrincipalService(store, desk.clock, cheap, desk.audit)
    password = await service.bootstrap_administrator("admin")
    session = await service.sign_in("admin", password)
    assert (await service.resolve_session(session.token)).name == "admin"
    issued = await service.applications.add(SYSTEM, "cad", [Right("tel.*")])
    assert (await service.resolve_application("cad", issued.secret)).name == "cad"
    assert (await desk.audit.verify()).faults == ()
    for name, secret in (("a\x00b", "x"), ("\ud800", "\ud800"), ("nobody", "x\x00")):
        with pytest.raises(SignInRefusedError):
            await service.sign_in(name, secret)
        with pytest.raises(CredentialRefusedError):
            await service.resolve_application(name, secret)
    with pytest.raises(NotFoundError):
        await desk.dispatcher.answer(APP, "a\x00b")
    service.close()


async def test_whatever_strangers_send_is_written_down_harmlessly(store):
    clock = ManualClock()
    desk = Desk(clock, store)
    await desk.dispatcher.recover()
    for number, data in enumerate([{"line": "a\x00b" * 50}, {"number": "\x00"}, {"line": "𠮷野家 🚒"}]):
        ticket = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, f"c-{number}", data=data))
        assert (await ticket.outcome()).state is CommandState.SUCCEEDED
    await desk.dispatcher.accept(APP, "tel.\x00", envelope(clock, "c-9"))
    with pytest.raises(CommandSchemaError):
        await desk.dispatcher.submit(APP, "tel.dial", b"{}", command_id="a\x00b")
    assert (await desk.audit.verify()).faults == ()
    assert {row.resource for row in await desk.audit.query()} >= {"𠮷野家 🚒", ("a?b" * 50)[:64]}
    await clock.advance(15 * 86400)
    assert await desk.dispatcher.prune() == 3
    await desk.dispatcher.stop()
