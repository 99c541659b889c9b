"""Each event exactly once and in order, whatever happens to the stream."""

import asyncio
import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.board import Board
from gateway.core.clock import ManualClock
from gateway.principals.model import Principal, PrincipalKind, Right
from gateway.web.errors import StreamLimitError
from gateway.web.live import PAGE, RECHECK_S, LiveHub, Wanted
from tests.fakes.web import OPERATOR, AdapterChanged, CallStarted, FakeJournal, LineState

ALL = Wanted(OPERATOR)


class Reader:
    """Reads frames as a browser does: keeps the last id, and resumes by it."""

    def __init__(self, hub, wanted=ALL, after=None, **more):
        self.hub, self.wanted, self.last_id, self.more = hub, wanted, after, more
        self.frames = []
        self.seqs = []
        self._stack = contextlib.ExitStack()
        self._subscription = None
        self._generator = None

    def connect(self):
        self._subscription = self._stack.enter_context(self.hub.subscribe(self.wanted))
        self._generator = self.hub.frames(self._subscription, after=self.last_id, **self.more)

    async def disconnect(self):
        await self._generator.aclose()
        self._stack.close()
        self._generator = None

    @property
    def connected(self):
        return self._generator is not None

    async def read(self, most=1000, turns=30):
        """Read what there is, up to *most* frames, without letting time pass; tells whether the stream goes on."""
        for _ in range(most):
            step = asyncio.ensure_future(anext(self._generator))
            for _ in range(turns):
                if step.done():
                    break
                await asyncio.sleep(0)
            if not step.done():
                step.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await step
                await self.disconnect()  # a generator that was cancelled is over: as if the line had broken
                self.connect()
                return True
            try:
                self.take(step.result())
            except StopAsyncIteration:
                await self.disconnect()
                return False
        return True

    def take(self, frame):
        name, data = "message", b""
        for line in frame.decode().rstrip("\n").split("\n"):
            key, _, value = line.partition(": ")
            if key == "id":
                self.last_id = int(value)
            elif key == "event":
                name = value
            elif key == "data":
                data = value
        if data:
            self.frames.append((name, json.loads(data)))
            if name == "message":
                self.seqs.append(self.frames[-1][1]["gwseq"])

    def named(self, name):
        return [body for kind, body in self.frames if kind == name]


def hub_of(journal, board=None, clock=None, **more):
    settings_ = {"epoch": 3, "last_seq": journal.last_seq, "heartbeat_s": 1.0, **more}
    return LiveHub(journal=journal, board=board or Board(), clock=clock or ManualClock(), **settings_)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.integers(1, 8)),
        st.tuples(st.just("write"), st.integers(1, 4)),
        st.tuples(st.just("announce"), st.just(0)),
        st.tuples(st.just("read"), st.integers(1, 12)),
        st.tuples(st.just("cut"), st.just(0)),
        st.tuples(st.just("show"), st.integers(1, 3)),
    ),
    max_size=40,
)


async def act(action, *, journal, board, reader, unannounced):
    action, count = action
    if action in ("tell", "write"):
        unannounced.extend(journal.write(CallStarted(number=number)) for number in range(count))
    if action in ("tell", "announce"):
        while unannounced:
            journal.announce(unannounced.pop(0))
    elif action == "show":
        board.put("tel", "line-1", LineState(state=str(count)))
    elif action == "cut":
        await reader.disconnect()
        reader.connect()
    elif action == "read" and not await reader.read(count):
        reader.connect()


@settings(max_examples=150, deadline=None)
@given(before=st.integers(0, 12), buffer=st.integers(1, 6), actions=ACTIONS)
async def test_every_event_once_and_in_order_across_cuts_and_overflows(before, buffer, actions):
    journal, board = FakeJournal(), Board()
    for number in range(before):
        journal.tell(CallStarted(number=number))
    hub = hub_of(journal, board, stream_buffer=buffer)
    reader = Reader(hub, after=0)
    reader.connect()
    unannounced = []
    for action in actions:
        await act(action, journal=journal, board=board, reader=reader, unannounced=unannounced)
    for stored in unannounced:
        journal.announce(stored)
    while not await reader.read():
        reader.connect()
    assert reader.seqs == list(range(1, journal.last_seq + 1))
    await reader.disconnect()
    assert hub.streams == 0


async def test_first_a_snapshot_then_what_was_missed_then_live():
    journal, board = FakeJournal(), Board()
    board.put("tel", "line-1", LineState(state="ringing", caller_name="𠮷野家 🚒"))
    for number in range(PAGE + 3):
        journal.write(CallStarted(number=number))
    reader = Reader(hub_of(journal, board), after=2)
    reader.connect()
    await reader.read()
    assert reader.frames[0][0] == "snapshot"
    assert reader.frames[0][1]["shown"][0]["state"]["caller_name"] == "𠮷野家 🚒"
    assert reader.seqs == list(range(3, PAGE + 4))
    journal.tell(CallStarted())
    await reader.read()
    assert reader.seqs[-1] == PAGE + 4
    await reader.disconnect()


async def test_a_stream_without_a_number_begins_now_and_can_be_resumed_before_any_event():
    journal = FakeJournal()
    for number in range(5):
        journal.write(CallStarted(number=number))
    reader = Reader(hub_of(journal))
    reader.connect()
    await reader.read(2)
    assert reader.last_id == 5
    await reader.disconnect()
    journal.tell(CallStarted())
    reader.connect()
    await reader.read()
    assert reader.seqs == [6]
    await reader.disconnect()


async def test_only_the_latest_state_waits_for_a_slow_reader():
    board = Board()
    hub = hub_of(FakeJournal(), board, stream_buffer=2)
    reader = Reader(hub)
    reader.connect()
    await reader.read(2)  # the opening; from here on it does not read
    for number in range(500):
        board.put("tel", "line-1", LineState(state=str(number)))
    await reader.read(2)
    assert [body["state"]["state"] for body in reader.named("state")] == ["499"]
    await reader.disconnect()


async def test_a_reader_that_is_too_slow_is_let_go_and_resumes():
    journal = FakeJournal()
    hub = hub_of(journal, stream_buffer=10)
    reader = Reader(hub, after=0)
    reader.connect()
    await reader.read(3)  # the opening and the first heartbeat, which ends the replay
    journal.tell(CallStarted(number=0))
    await reader.read(1)  # it is live now
    for number in range(1, 50):
        journal.tell(CallStarted(number=number))
    assert not await reader.read()
    assert hub.streams == 0
    reader.connect()
    await reader.read()
    assert reader.seqs == list(range(1, 51))
    await reader.disconnect()


@pytest.mark.parametrize(
    ("kind", "rights", "told"),
    [
        (PrincipalKind.APPLICATION, ("*.read",), [2]),
        (PrincipalKind.APPLICATION, ("*.read", "sensitive.sms"), [2]),
        (PrincipalKind.APPLICATION, ("*.read", "sensitive.tel"), [1, 2]),
        (PrincipalKind.OPERATOR, ("*.read",), [1, 2]),
    ],
)
async def test_an_application_is_told_what_is_sensitive_only_with_the_right_of_the_bus(kind, rights, told):
    journal, board = FakeJournal(), Board()
    principal = Principal(kind, "wall", tuple(Right(one) for one in rights))
    wanted = Wanted(principal, sensitive=frozenset({("tel", "call_started")}))
    reader = Reader(hub_of(journal, board), wanted, after=0)
    reader.connect()
    journal.tell(CallStarted(), "line-1")
    journal.tell(AdapterChanged(), "ami")
    await reader.read()
    assert reader.seqs == told
    assert reader.last_id == 2
    await reader.disconnect()


async def test_rights_and_filters_hold_events_back_but_the_position_moves_on():
    journal, board, clock = FakeJournal(), Board(), ManualClock()
    board.put("sys", "ami", LineState(state="READY"))
    board.put("tel", "line-1", LineState(state="idle"))
    board.put("tel", "trunk", LineState(state="idle"))
    only_lines = Principal(PrincipalKind.APPLICATION, "wall", (Right("tel.read", "line-*"),))
    reader = Reader(hub_of(journal, board, clock), Wanted(only_lines), after=0)
    reader.connect()
    for _ in range(3):
        journal.tell(AdapterChanged(), "ami")
        journal.tell(CallStarted(), "line-1")
        journal.tell(CallStarted(), "trunk")
    await reader.read()
    assert [shown["resource"] for shown in reader.named("snapshot")[0]["shown"]] == ["line-1"]
    assert reader.seqs == [2, 5, 8]
    assert reader.last_id == 9  # by the heartbeat
    typed = Reader(hub_of(journal, board), Wanted(OPERATOR, frozenset({"sys"}), frozenset({"sys.adapter_changed"})), 0)
    typed.connect()
    await typed.read()
    assert typed.seqs == [1, 4, 7]
    await reader.disconnect()
    await typed.disconnect()


async def test_what_is_no_longer_in_the_journal_is_told_as_a_gap():
    journal = FakeJournal()
    for number in range(10):
        journal.write(CallStarted(number=number))
    journal.pruned = 6
    reader = Reader(hub_of(journal), after=2)
    reader.connect()
    await reader.read()
    assert reader.named("gap") == [{"from": 3, "to": 6, "reason": "pruned"}]
    assert reader.seqs == [7, 8, 9, 10]
    await reader.disconnect()


async def test_a_reader_ahead_of_the_journal_is_told_and_set_back():
    journal = FakeJournal()
    journal.write(CallStarted())
    reader = Reader(hub_of(journal), after=400)
    reader.connect()
    await reader.read()
    assert reader.named("gap")[0] == {"from": 2, "to": 400, "reason": "ahead"}
    journal.tell(CallStarted())
    await reader.read()
    assert reader.seqs == [2]
    await reader.disconnect()


async def test_heartbeats_tell_how_far_the_journal_is():
    journal, clock = FakeJournal(), ManualClock()
    hub = hub_of(journal, clock=clock)
    with hub.subscribe(ALL) as subscription:
        frames = hub.frames(subscription)
        beats = []

        async def follow():
            timed = [(clock.monotonic(), frame) async for frame in frames if b"event: heartbeat" in frame]
            beats.extend((at, json.loads(frame.decode().split("data: ")[1])) for at, frame in timed)

        task = asyncio.create_task(follow())
        for _ in range(3):
            await clock.advance(1.0)
        journal.tell(CallStarted())
        await clock.advance(1.0)
        hub.close()
        await task
    assert [at for at, _ in beats] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert beats[-1][1] | {"time": ""} == {"epoch": 3, "seq": 1, "position": 1, "time": ""}
    assert not hub.streams


async def test_a_session_that_ends_ends_its_stream():
    clock = ManualClock()
    welcome = True

    async def still_welcome():
        return welcome

    hub = hub_of(FakeJournal(), clock=clock)
    with hub.subscribe(ALL) as subscription:
        seen = []

        async def follow():
            seen.extend([frame async for frame in hub.frames(subscription, still_welcome=still_welcome)])

        task = asyncio.create_task(follow())
        await clock.advance(RECHECK_S + 1)
        assert not task.done()
        welcome = False
        await clock.advance(RECHECK_S + 1)
        await task
    assert seen[-1] == b"event: signed_out\ndata: {}\n\n"


async def test_streams_are_limited():
    hub = hub_of(FakeJournal(), stream_max=1)
    with hub.subscribe(ALL), pytest.raises(StreamLimitError):
        hub.subscribe(ALL).__enter__()
    with hub.subscribe(ALL):
        assert hub.streams == 1
