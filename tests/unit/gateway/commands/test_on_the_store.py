"""The dispatcher and the principals on the real store."""

import asyncio

import pytest

from gateway.commands.answers import CommandState
from gateway.core.clock import ManualClock
from gateway.principals.model import SYSTEM, Right
from gateway.principals.options import PrincipalsOptions
from gateway.principals.service import PrincipalService
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base
from tests.support.commands import APP, Desk, envelope


@pytest.fixture
async def store(tmp_path):
    store = SqlStore(StoreOptions(), folder=tmp_path, site="test", prepare=Base.metadata.create_all)
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
    service.close()
