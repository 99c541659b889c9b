import asyncio
import json
from dataclasses import replace

import pytest

from gateway.commands import dispatcher
from gateway.commands.answers import CommandState, Reply, Source
from gateway.commands.errors import CommandSchemaError, IdConflictError
from gateway.core.clock import ManualClock
from gateway.core.errors import NotFoundError, UnavailableError
from gateway.principals.model import NotPermittedError, Principal, PrincipalKind, Right
from gateway.store.errors import StoreOutcomeUnknownError, StoreUnavailableError
from tests.support.commands import APP, STRANGER, Desk, Principals, envelope
from tests.support.memory_store import MemoryStore


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def desk(clock):
    store = MemoryStore(clock).create()
    desk = Desk(clock, store)
    await desk.dispatcher.recover()
    yield desk
    await desk.dispatcher.stop()
    store.close()


def states(desk):
    return [note.answer.state.value for note in desk.notes]


async def test_a_command_is_accepted_begun_answered_and_audited(desk, clock):
    ticket = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"number": "119"}))
    assert ticket.answer.state is CommandState.ACCEPTED
    answer = await ticket.outcome()
    assert answer.state is CommandState.SUCCEEDED
    assert json.loads(answer.result) == {"call": "call-c-1", "note": "单雄信"}
    assert states(desk) == ["accepted", "in_progress", "succeeded"]
    assert await desk.audit_of("c-1") == ["accepted", "succeeded"]
    assert (await desk.audit.verify()).faults == ()
    told = json.loads(answer.encode())
    assert told == {
        "id": "c-1",
        "command": "tel.dial",
        "state": "succeeded",
        "at": "2026-01-01T00:00:00Z",
        "result": {"call": "call-c-1", "note": "单雄信"},
    }


async def test_the_body_is_forgotten_when_the_command_has_ended(desk, clock):
    ticket = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"number": "13800000000"}))
    await ticket.outcome()
    dump = "\n".join(desk.store.engine.raw_connection().driver_connection.iterdump())
    assert b"13800000000".hex().upper() not in dump.upper()
    assert "13800000000" not in dump


async def test_the_same_again_is_answered_and_not_done_again(desk, clock):
    first = await (await desk.dispatcher.accept(APP, "tel.dial", envelope(clock))).outcome()
    await clock.advance(60)  # its time is over, yet it was done
    again = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, ttl_s=-50))
    assert again.answer == replace(first, duplicate=True)
    assert again.answer.encode() == first.encode()
    assert desk.exchange.effects == {"cad/c-1": 1}


async def test_the_same_while_it_runs_is_a_duplicate_and_waits_for_the_same_end(desk, clock):
    ticket = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"how": "wait"}))
    await desk.exchange.began.wait()
    again = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"how": "wait"}, ttl_s=7))
    told = json.loads(again.answer.encode())
    assert (told["state"], told["original"]) == ("duplicate", "in_progress")
    desk.exchange.go.set()
    assert await again.outcome() == await ticket.outcome()
    assert desk.exchange.effects == {"cad/c-1": 1}


async def test_the_same_id_for_another_body_is_a_conflict_but_not_for_another_principal(desk, clock):
    await (await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"number": "119"}))).outcome()
    conflict = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"number": "120"}))
    assert isinstance(conflict.refusal, IdConflictError)
    assert not conflict.note.in_ledger  # nothing there brings this answer again after a reconnect
    assert conflict.answer.error["code"] == "command.id_conflict"
    other = await desk.dispatcher.accept(STRANGER, "tel.dial", envelope(clock, data={"line": "line-8"}))
    assert (await other.outcome()).state is CommandState.SUCCEEDED


@pytest.mark.parametrize(
    ("how", "state", "code"),
    [
        ("refused", "failed", "conflict"),
        ("crash_before", "failed", "internal"),
        ("crash", "unknown", "internal"),
        ("no_answer", "unknown", "deadline"),
    ],
)
async def test_how_it_ended_is_said_without_the_inside(desk, clock, how, state, code):
    answer = await (await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"how": how}))).outcome()
    assert (answer.state, answer.error["code"]) == (state, code)
    assert b"secret inside" not in answer.encode()
    assert await desk.audit_of("c-1") == ["accepted", state]


@pytest.mark.parametrize(("how", "state"), [("slow_before", "expired"), ("slow", "unknown")])
async def test_the_deadline_ends_it(desk, clock, how, state):
    ticket = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, ttl_s=5, data={"how": how}))
    await clock.advance(5.1)
    assert (await ticket.outcome()).state == state
    told = [json.loads(event.payload) for event in desk.store.events]
    assert [(event["command"], event["about"]) for event in told] == (
        [("tel.dial", "line-1")] if state == "unknown" else []
    )


async def test_a_command_whose_time_ends_while_the_disk_writes_has_no_effect(desk, clock):
    ticket = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, ttl_s=5, data={"how": "hold"}))
    async with desk.store.turn:  # the disk stands still just before "in progress"
        desk.exchange.go.set()
        await clock.advance(4.9)
        clock._elapsed_s = 5.0  # the deadline is reached before its timer is heard
    assert (await ticket.outcome()).state is CommandState.EXPIRED
    assert desk.exchange.effects == {}


@pytest.mark.parametrize(
    ("principal", "name", "data", "ttl_s", "state", "code"),
    [
        (STRANGER, "tel.dial", {"line": "line-1"}, 5, "rejected", "auth.not_permitted"),
        (APP, "tel.fly", {}, 5, "rejected", "command.unknown_verb"),
        (APP, "tel.dial", {"numbre": "1"}, 5, "rejected", "command.schema"),
        (APP, "tel.dial", {}, -1, "expired", "command.expired"),
        (APP, "tel.dial", {}, 12.5, "rejected", "command.ttl_too_long"),
        (APP, "sys.issue", {"name": "x"}, 5, "rejected", "command.not_on_bus"),
    ],
)
async def test_refusals_are_answered_and_audited(  # noqa: PLR0917
    desk, clock, principal, name, data, ttl_s, state, code
):
    ticket = await desk.dispatcher.accept(principal, name, envelope(clock, data=data, ttl_s=ttl_s))
    answer = await ticket.outcome()
    assert (answer.state, answer.error["code"], ticket.refusal.code) == (state, code, code)
    await asyncio.sleep(0)
    assert desk.notes[-1].answer == answer
    assert await desk.audit_of("c-1") == [state]
    assert desk.exchange.effects == {}


async def test_a_sender_whose_clock_is_two_seconds_ahead_is_heard_but_ends_at_the_bound(desk, clock):
    ticket = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"how": "slow"}, ttl_s=11.9))
    await clock.advance(9.9)
    assert await desk.audit_of("c-1") == ["accepted"]
    await clock.advance(0.2)
    assert (await ticket.outcome()).state is CommandState.UNKNOWN


async def test_an_unreadable_command_is_answered_without_an_id(desk):
    ticket = await desk.dispatcher.accept(APP, "tel.dial", b'{"id": NaN}', reply=Reply("gw/v1/x/res/cad/1", b"\x01"))
    assert json.loads(ticket.answer.encode())["id"] is None
    await asyncio.sleep(0)
    assert desk.notes[0].reply == Reply("gw/v1/x/res/cad/1", b"\x01")
    assert desk.notes[0].answer.error["code"] == "command.not_finite"


async def test_a_rejected_command_stays_rejected(desk, clock):
    await desk.dispatcher.accept(STRANGER, "tel.dial", envelope(clock))
    mighty = Principal(STRANGER.kind, STRANGER.name, (Right("*"),))
    again = await desk.dispatcher.accept(mighty, "tel.dial", envelope(clock))
    assert (again.answer.state, again.later) == (CommandState.REJECTED, None)
    assert desk.exchange.effects == {}


async def test_a_flood_of_refusals_is_answered_but_cannot_fill_the_disk(desk, clock):
    for number in range(200):
        ticket = await desk.dispatcher.accept(STRANGER, "tel.dial", envelope(clock, f"c-{number}"))
        assert ticket.answer.state is CommandState.REJECTED
        broken = await desk.dispatcher.accept(STRANGER, "tel.dial", b"{")
        assert broken.answer.error["code"] == "command.not_json"
        assert ticket.note.in_ledger == (number < 15)
    assert len(await desk.audit.query(limit=1000)) == 30
    await clock.advance(10)
    await desk.dispatcher.accept(STRANGER, "tel.dial", envelope(clock, "later"))
    (row, *_) = await desk.audit.query()
    assert row.details["refusals_left_out"] == 370


async def test_one_principal_cannot_take_the_place_of_the_others(clock):
    store = MemoryStore(clock).create()
    desk = Desk(clock, store, pending_per_principal=2)
    await desk.dispatcher.recover()
    tickets = [
        await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, f"c-{n}", data={"how": "wait"})) for n in range(3)
    ]
    assert [ticket.answer.state.value for ticket in tickets] == ["accepted", "accepted", "rejected"]
    assert tickets[2].refusal.retryable
    other = await desk.dispatcher.accept(STRANGER, "tel.dial", envelope(clock, data={"line": "line-8"}))
    assert (await other.outcome()).state is CommandState.SUCCEEDED
    desk.exchange.go.set()
    await tickets[0].outcome()
    await tickets[1].outcome()
    again = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, "c-2", data={"how": "wait"}))
    assert (await again.outcome()).state is CommandState.SUCCEEDED  # an overload is not remembered
    await desk.dispatcher.stop()
    store.close()


async def test_a_secret_is_shown_once_and_never_written_down(desk):
    await desk.dispatcher.submit(APP, "sys.issue", b'{"name":"cad","password":"correct horse 42"}', command_id="s-1")
    answer = await desk.dispatcher.answer(APP, "s-1", wait_s=5)
    assert json.loads(answer.result)["secret"] == "hunter2-hunter2"
    again = await desk.dispatcher.answer(APP, "s-1")
    assert json.loads(again.result) == {"name": "cad", "secret": None}
    dump = "\n".join(desk.store.engine.raw_connection().driver_connection.iterdump()).upper()
    for secret in ("hunter2", "correct horse"):
        assert secret.upper() not in dump
        assert secret.encode().hex().upper() not in dump
    assert all(b"hunter2" not in note.answer.encode() for note in desk.notes)


async def test_submit_raises_what_it_is_refused_for(desk):
    with pytest.raises(NotPermittedError):
        await desk.dispatcher.submit(STRANGER, "tel.dial", b"{}")
    with pytest.raises(CommandSchemaError):
        await desk.dispatcher.submit(APP, "tel.dial", b"{}", command_id="a b")
    with pytest.raises(NotFoundError):
        await desk.dispatcher.answer(APP, "never")


async def test_a_caller_that_goes_away_does_not_lose_the_command(desk, clock):
    task = asyncio.create_task(desk.dispatcher.accept(APP, "tel.dial", envelope(clock)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await clock.advance(1)  # lets everything run that can
    assert (await desk.dispatcher.answer(APP, "c-1")).state is CommandState.SUCCEEDED


async def test_a_store_that_is_down_means_deliver_it_again(desk, clock):
    desk.store.failing = StoreUnavailableError(reason="test")
    with pytest.raises(StoreUnavailableError):
        await desk.dispatcher.accept(APP, "tel.dial", envelope(clock))
    desk.store.failing = None
    ticket = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock))
    assert (await ticket.outcome()).state is CommandState.SUCCEEDED
    assert desk.dispatcher._pending.total() == 0


async def test_a_visitor_settles_nothing_and_carries_out_only_what_it_is_given(desk, clock):
    await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, "left", data={"how": "hold"}))
    await desk.kill()
    desk.dispatcher.open()
    await desk.dispatcher.submit(APP, "tel.dial", b"{}", command_id="own")
    assert (await desk.dispatcher.answer(APP, "own", wait_s=5)).state is CommandState.SUCCEEDED
    again = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, "left", data={"how": "hold"}))
    assert (again.answer.state, again.answer.duplicate, again.later) == (CommandState.ACCEPTED, True, None)
    assert (await desk.dispatcher.answer(APP, "left")).state is CommandState.ACCEPTED
    assert desk.exchange.effects == {"cad/own": 1}


async def test_an_acceptance_in_doubt_is_begun_when_it_is_delivered_again(desk, clock):
    desk.store.doubtful = StoreOutcomeUnknownError(what="command.accept", reason="test")
    with pytest.raises(StoreOutcomeUnknownError):
        await desk.dispatcher.accept(APP, "tel.dial", envelope(clock))
    desk.store.doubtful = None
    ticket = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock))
    assert (await ticket.outcome()).state is CommandState.SUCCEEDED
    assert desk.exchange.effects == {"cad/c-1": 1}
    assert await desk.audit_of("c-1") == ["accepted", "succeeded"]
    assert desk.dispatcher._pending.total() == 0


async def test_an_acceptance_in_doubt_that_nobody_repeats_expires(desk, clock):
    desk.store.doubtful = StoreOutcomeUnknownError(what="command.accept", reason="test")
    with pytest.raises(StoreOutcomeUnknownError):
        await desk.dispatcher.submit(APP, "tel.dial", b"{}", command_id="c-1")
    desk.store.doubtful = None
    await desk.dispatcher.prune()
    assert (await desk.dispatcher.answer(APP, "c-1")).state is CommandState.ACCEPTED
    await clock.advance(120)
    await desk.dispatcher.prune()
    assert (await desk.dispatcher.answer(APP, "c-1")).state is CommandState.EXPIRED
    assert desk.exchange.effects == {}


async def test_a_begin_in_doubt_has_no_effect_and_an_end_in_doubt_is_written_once(desk, clock):
    begin = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"how": "hold"}))
    desk.store.doubtful = StoreOutcomeUnknownError(what="test", reason="test")
    desk.exchange.go.set()
    await clock.advance(0.1)
    desk.store.doubtful = None
    await clock.advance(0.2)
    assert (await begin.outcome()).state is CommandState.FAILED
    assert desk.exchange.effects == {}
    assert await desk.audit_of("c-1") == ["accepted", "failed"]


async def test_an_end_that_could_not_be_written_at_all_is_unknown_to_who_asks_again(desk, clock):
    ticket = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"how": "wait"}))
    await desk.exchange.began.wait()
    desk.store.failing = StoreUnavailableError(reason="test")
    desk.exchange.go.set()
    await clock.advance(60)
    assert (await ticket.outcome()).state is CommandState.SUCCEEDED  # what truly happened
    desk.store.failing = None
    again = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"how": "wait"}))
    assert again.answer.state is CommandState.UNKNOWN
    assert desk.exchange.effects == {"cad/c-1": 1}


async def test_an_end_that_cannot_be_written_for_a_while_is_written_later(desk, clock):
    ticket = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"how": "wait"}))
    await desk.exchange.began.wait()
    desk.store.failing = StoreUnavailableError(reason="test")
    desk.exchange.go.set()
    await clock.advance(0.1)
    desk.store.failing = None
    await clock.advance(0.2)
    assert (await ticket.outcome()).state is CommandState.SUCCEEDED
    assert await desk.audit_of("c-1") == ["accepted", "succeeded"]


async def test_answers_to_the_bus_wait_until_they_are_confirmed(desk, clock):
    await (await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, reply_to="gw/v1/x/res/cad/c-1"))).outcome()
    await (await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, "c-2"), source=Source.HTTP)).outcome()
    (note,) = await desk.dispatcher.pending_answers()
    assert (note.answer.command_id, note.reply.topic) == ("c-1", "gw/v1/x/res/cad/c-1")
    await clock.advance(1)
    conflict = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"number": "120"}))
    await desk.dispatcher.answer_sent(conflict.note)  # has the same id, and is another answer
    assert await desk.dispatcher.pending_answers() == [note]
    await desk.dispatcher.answer_sent(note)
    assert await desk.dispatcher.pending_answers() == []


async def test_a_stop_ends_what_was_begun_as_unknown_and_leaves_the_rest(desk, clock):
    begun = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, "begun", data={"how": "slow"}))
    await desk.exchange.began.wait()
    waiting = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, "waiting", data={"how": "slow_before"}))
    await asyncio.sleep(0)
    await desk.dispatcher.stop()
    assert (await begun.outcome()).state is CommandState.UNKNOWN
    with pytest.raises(UnavailableError):
        await waiting.outcome()
    with pytest.raises(UnavailableError):
        await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, "late"))
    assert await desk.audit_of("waiting") == ["accepted"]


@pytest.mark.parametrize(
    ("how", "away_s", "gone", "state"),
    [
        ("slow", 1, False, "unknown"),
        ("slow_before", 6, False, "expired"),
        ("well", 1, True, "failed"),
    ],
)
async def test_a_new_life_settles_what_the_last_one_left(  # noqa: PLR0917
    desk, clock, how, away_s, gone, state
):
    await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"how": "slow_before" if gone else how}))
    if how == "slow":
        await desk.exchange.began.wait()
    await desk.kill()
    if gone:
        desk.principals = Principals(STRANGER)
        desk.dispatcher = desk._new()
    await clock.advance(away_s)
    await desk.dispatcher.recover()
    assert (await desk.dispatcher.answer(APP, "c-1")).state == state
    assert await desk.audit_of("c-1") == ["accepted", state]
    assert [note.answer.state.value for note in await desk.dispatcher.pending_answers()] == [state]
    assert desk.exchange.effects["cad/c-1"] == (how == "slow")


async def test_a_new_life_begins_what_was_accepted_and_still_has_time(desk, clock):
    ticket = await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, data={"how": "hold"}))
    assert ticket.answer.state is CommandState.ACCEPTED
    await desk.kill()
    assert desk.exchange.effects == {}
    desk.exchange.go.set()
    await desk.dispatcher.recover()
    assert (await desk.dispatcher.answer(APP, "c-1", wait_s=5)).state is CommandState.SUCCEEDED
    assert desk.exchange.effects == {"cad/c-1": 1}


async def test_finished_commands_are_forgotten_after_their_days(desk, clock):
    await (await desk.dispatcher.accept(APP, "tel.dial", envelope(clock))).outcome()
    assert await desk.dispatcher.prune() == 0
    await clock.advance(15 * 86400)
    assert await desk.dispatcher.prune() == 1
    with pytest.raises(NotFoundError):
        await desk.dispatcher.answer(APP, "c-1")


async def test_the_local_user_is_told_apart_from_http(desk):
    root = Principal(PrincipalKind.LOCAL, "root", (Right("*"),))
    await desk.dispatcher.submit(root, "tel.dial", b"{}", command_id="l-1")
    rows = await desk.audit.query(principal="local:root")
    assert rows[-1].details["source"] == "local"


async def test_everything_old_is_forgotten_at_once(desk, clock, monkeypatch):
    monkeypatch.setattr(dispatcher, "_PRUNED_AT_ONCE", 2)
    for number in range(5):
        await (await desk.dispatcher.accept(APP, "tel.dial", envelope(clock, f"c-{number}"))).outcome()
    await clock.advance(15 * 86_400)
    assert await desk.dispatcher.prune() == 5
    with pytest.raises(NotFoundError):
        await desk.dispatcher.answer(APP, "c-4")
