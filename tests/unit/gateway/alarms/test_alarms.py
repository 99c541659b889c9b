import asyncio
import contextlib
import itertools

import pytest

from gateway.alarms.commands import AlarmAck, AlarmClear, AlarmRaise, commands
from gateway.alarms.escalation import Escalation
from gateway.alarms.events import EVENTS
from gateway.alarms.options import AlarmOptions, Step
from gateway.alarms.ringer import RingOutcome, RingResult
from gateway.alarms.rules import TRANSITIONS, Action, AlarmState
from gateway.alarms.service import AlarmService
from gateway.core.alarm import Condition, Severity
from gateway.core.board import Board
from gateway.core.clock import ManualClock
from gateway.core.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from gateway.core.text import Text
from gateway.principals.model import Principal, PrincipalKind
from tests.support.local_store import LocalStore

ZENG = Principal(PrincipalKind.OPERATOR, "zeng", display_name="曾国藩")
QUICK = AlarmOptions(
    critical=(
        Step(after_s=0, notify="positions"),
        Step(after_s=30, notify="duty_leader"),
        Step(after_s=60, notify="ring", targets=("positions", "duty_leader")),
    ),
    ring_attempts=2,
)


def condition(key="rec-stalled", severity=Severity.CRITICAL, source="line-3", **more):
    text = Text("Line {line} is not recorded.", "{line} 号线未录音 🚒。")
    more.setdefault("needs_acknowledgement", True)
    return Condition(key=key, severity=severity, source=source, text=text, fields={"line": 3}, **more)


class FakeRinger:
    """Answers with the outcomes given, then with no answer; ``hold`` keeps it ringing."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.rung = []
        self.hold = None

    async def ring(self, target, text):
        self.rung.append((target, text))
        if self.hold is not None:
            await self.hold.wait()
        outcome = self.outcomes.pop(0) if self.outcomes else RingResult(RingOutcome.NO_ANSWER)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Watch:
    """The adapter's reports."""

    def __init__(self):
        self.told = []

    def ready(self):
        self.told.append("ready")

    def degraded(self, reason):
        self.told.append("degraded")


class Room:
    """One service with its escalation running."""

    def __init__(self, options=QUICK, *outcomes):
        self.clock = ManualClock()
        self.store = LocalStore(self.clock)
        self.options = options
        self.ringer = FakeRinger(*outcomes)
        self.watch = Watch()
        self._made()

    def _made(self):
        self.board = Board()
        self.service = AlarmService(store=self.store, board=self.board, clock=self.clock, options=self.options)
        self.escalation = Escalation(self.service, self.ringer, self.clock)
        self.task = None

    async def run(self):
        self.task = asyncio.create_task(self.escalation.run(self.watch), name="escalation")
        await self.clock.advance(0)

    async def advance(self, seconds):
        # In steps, for each thing that happens needs a few turns of the loop before the next wait begins.
        step = 0.1 if seconds < 1 else 1 if seconds < 100 else 5
        for _ in range(round(seconds / step)):
            await self.clock.advance(step)
        await self.clock.advance(0)

    async def stop(self):
        if self.task is not None:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task
            self.task = None

    async def restart(self, *, away_s=0.0):
        await self.stop()
        await self.clock.advance(away_s)
        self._made()
        await self.run()

    @property
    def shown(self):
        return self.board.get("ops", "alarms").state

    def told(self, name):
        return [happening.event for happening in self.store.happenings if f"ops.{name}.v1" == happening.event.TYPE]


@pytest.fixture
async def rooms():
    made = []

    async def room(options=QUICK, *outcomes):
        made.append(Room(options, *outcomes))
        await made[-1].run()
        return made[-1]

    yield room
    for one in made:
        await one.stop()
        one.store.close()


def test_every_state_but_the_last_has_an_answer_to_every_action():
    living = set(AlarmState) - {AlarmState.OVER}
    assert set(TRANSITIONS) == set(itertools.product(living, Action))


async def test_the_same_condition_is_counted_not_doubled(rooms):
    room = await rooms()
    for _ in range(500):
        room.service.report(condition())
    await room.advance(11)
    assert [line.count for line in room.shown.alarms] == [500]
    assert [event.count for event in room.told("alarm_repeated")] == [500]
    assert len(room.told("alarm_raised")) == 1
    assert (await room.service.history())[0].count == 500
    assert room.shown.alarms[0].text_zh == "3 号线未录音 🚒。"


async def test_a_cleared_alarm_stays_until_somebody_acknowledges(rooms):
    room = await rooms()
    alarm = await room.service.raise_alarm(condition())
    await room.service.clear_alarm("rec-stalled")
    await room.advance(0)
    assert room.shown.alarms[0].state == "cleared"
    assert await room.service.acknowledge([alarm.id], by=ZENG, note="已派人")
    await room.advance(0)
    assert room.shown.total == 0
    kept = (await room.service.history())[0]
    assert (kept.state, kept.acknowledged_by, kept.note) == (AlarmState.OVER, "operator:zeng", "已派人")


async def test_an_alarm_that_needs_nobody_is_over_when_its_condition_is(rooms):
    room = await rooms()
    await room.service.raise_alarm(condition(needs_acknowledgement=False))
    await room.advance(4000)
    assert room.ringer.rung == []
    await room.service.clear_alarm("rec-stalled")
    assert room.service.active() == []


async def test_the_ladder_is_climbed_and_the_telephones_are_rung_in_turn(rooms):
    room = await rooms()
    alarm = await room.service.raise_alarm(condition())
    await room.advance(0)
    assert [event.notify for event in room.told("alarm_escalated")] == ["positions"]
    await room.advance(30)
    assert [event.notify for event in room.told("alarm_escalated")] == ["positions", "duty_leader"]
    assert room.ringer.rung == []
    await room.advance(30)
    await room.advance(9)
    assert [target for target, _ in room.ringer.rung] == ["positions", "duty_leader"] * 2
    assert room.ringer.rung[0][1] == Text("Line 3 is not recorded.", "3 号线未录音 🚒。")
    assert len(room.told("alarm_unanswered")) == 1
    await room.advance(600)
    assert len(room.ringer.rung) > 4
    await room.service.acknowledge([alarm.id], by=ZENG)
    rung = len(room.ringer.rung)
    await room.advance(5000)
    assert len(room.ringer.rung) == rung


async def test_a_failing_ringer_leads_to_the_next_telephone(rooms):
    room = await rooms(QUICK, UnavailableError(part="ami", reason="down"), RingResult(RingOutcome.BUSY))
    await room.service.raise_alarm(condition())
    await room.advance(60)
    await room.advance(7)
    told = room.told("alarm_rang")
    assert [(event.target, event.outcome) for event in told[:3]] == [
        ("positions", "failed"),
        ("duty_leader", "busy"),
        ("positions", "no_answer"),
    ]
    assert told[0].reason == "unavailable"


async def test_a_ringer_that_hangs_is_given_up(rooms):
    room = await rooms()
    room.ringer.hold = asyncio.Event()
    await room.service.raise_alarm(condition())
    await room.advance(60)
    await room.advance(46)
    await room.advance(4)
    assert [target for target, _ in room.ringer.rung] == ["positions", "duty_leader"]
    assert room.told("alarm_rang")[0].outcome == "failed"


async def test_a_key_pressed_on_the_telephone_acknowledges(rooms):
    room = await rooms(QUICK, RingResult(RingOutcome.ACKNOWLEDGED, by="telephone:值班领导"))
    await room.service.raise_alarm(condition())
    await room.advance(61)
    assert room.service.active()[0].acknowledged_by == "telephone:值班领导"
    await room.advance(5000)
    assert len(room.ringer.rung) == 1


async def test_one_call_tells_all_alarms_that_wait(rooms):
    room = await rooms()
    for number in range(30):
        room.service.report(condition(key=f"k{number}"))
    await room.advance(60)
    assert len(room.ringer.rung) == 1
    assert room.ringer.rung[0][1].zh.startswith("有 30 条告警等待确认")
    assert room.told("alarm_rang")[0].alarms == 30


async def test_worse_than_what_was_acknowledged_is_not_acknowledged(rooms):
    room = await rooms()
    alarm = await room.service.raise_alarm(condition(severity=Severity.WARNING))
    await room.service.acknowledge([alarm.id], by=ZENG)
    await room.service.raise_alarm(condition(severity=Severity.WARNING))
    assert not room.service.get(alarm.id).waits
    await room.service.raise_alarm(condition(severity=Severity.CRITICAL))
    assert room.service.get(alarm.id).waits
    assert [event.again for event in room.told("alarm_raised")] == [False, True]


async def test_a_shelved_alarm_is_quiet_and_comes_back(rooms):
    room = await rooms()
    alarm = await room.service.raise_alarm(condition())
    with pytest.raises(ConflictError):
        await room.service.shelve(alarm.id, for_s=901, why="检修", by=ZENG)
    await room.service.shelve(alarm.id, for_s=900, why="检修", by=ZENG)
    await room.advance(895)
    assert room.ringer.rung == []
    assert room.shown.alarms[0].shelved_until is not None
    await room.advance(70)
    assert room.told("alarm_unshelved")[0].by == "system:time"
    assert len(room.ringer.rung) > 0


async def test_timers_go_on_after_a_restart(rooms):
    room = await rooms()
    await room.service.raise_alarm(condition())
    await room.advance(20)
    await room.restart(away_s=15)
    assert [event.notify for event in room.told("alarm_escalated")] == ["positions", "duty_leader"]
    assert room.ringer.rung == []
    await room.advance(25)
    assert len(room.ringer.rung) == 1
    assert room.shown.total == 1


async def test_a_wall_clock_that_is_set_delays_no_step(rooms):
    room = await rooms()
    await room.service.raise_alarm(condition())
    await room.advance(10)
    room.clock._start = room.clock._start.replace(year=2020)
    await room.advance(20)
    assert [event.notify for event in room.told("alarm_escalated")] == ["positions", "duty_leader"]
    await room.advance(30)
    assert len(room.ringer.rung) == 1


async def test_a_clock_that_was_wrong_before_the_restart_delays_no_step(rooms):
    room = await rooms()
    room.clock._start = room.clock._start.replace(year=2036)
    await room.service.raise_alarm(condition())
    await room.stop()
    room.clock._start = room.clock._start.replace(year=2026)
    await room.restart()
    await room.advance(91)
    assert len(room.ringer.rung) >= 1


async def test_without_the_store_alarms_are_shown_and_rung_and_written_later(rooms):
    room = await rooms()
    room.store.down = True
    alarm = await room.service.raise_alarm(condition())
    await room.advance(61)
    assert room.shown.total == 1
    assert room.shown.unsaved
    assert len(room.ringer.rung) == 1
    assert room.watch.told[-1] == "degraded"
    assert not await room.service.acknowledge([alarm.id], by=ZENG)
    room.store.down = False
    await room.advance(3)
    assert not room.shown.unsaved
    assert room.watch.told[-1] == "ready"
    assert [happening.event.TYPE.split(".")[1] for happening in room.store.happenings] == [
        "alarm_raised",
        "alarm_escalated",
        "alarm_escalated",
        "alarm_escalated",
        "alarm_rang",
        "alarm_acknowledged",
    ]
    assert (await room.service.history())[0].acknowledged_by == "operator:zeng"


async def test_a_store_that_is_down_at_the_start_is_read_when_it_comes(rooms):
    room = await rooms()
    await room.service.raise_alarm(condition())
    await room.service.raise_alarm(condition(key="other"))
    room.store.down = True
    await room.restart()
    room.service.report(condition())
    room.store.down = False
    await room.advance(3)
    assert sorted(line.key for line in room.shown.alarms) == ["other", "rec-stalled"]
    assert sum(alarm.state is not AlarmState.OVER for alarm in await room.service.history()) == 2


async def test_cancelling_a_caller_writes_each_event_once(rooms):
    room = await rooms()
    for key in ("a", "b", "c"):
        task = asyncio.create_task(room.service.raise_alarm(condition(key=key)), name="caller")
        await asyncio.sleep(0)
        task.cancel()
    await room.advance(1)
    assert [event.key for event in room.told("alarm_raised")] == ["a", "b", "c"]


async def test_a_flapping_condition_is_held_counted_and_told_a_bounded_number_of_times(rooms):
    room = await rooms()
    for _ in range(200):
        room.service.report(condition(needs_acknowledgement=False))
        room.service.clear("rec-stalled")
        await room.advance(0.1)
    assert [line.flapping for line in room.shown.alarms] == [True]
    assert len(room.told("alarm_raised")) == 4
    assert len(room.told("alarm_flapping")) == 1
    assert len(room.store.happenings) < 15
    await room.advance(61)
    assert room.shown.total == 0
    assert sum(alarm.count for alarm in await room.service.history()) == 200


async def test_a_flood_of_conditions_is_grouped_on_the_board_and_lost_nowhere(rooms):
    room = await rooms(AlarmOptions(active_max=100))
    for number in range(150):
        room.service.report(condition(key=f"k{number}", severity=Severity.MAJOR, needs_acknowledgement=False))
    room.service.report(condition(key="sos", urgent=True))
    await room.service.flush()
    room.service._show()
    assert [(group.source, group.alarms) for group in room.shown.groups] == [("line-3", 101)]
    assert "alarms-overflow" in {line.key for line in room.shown.alarms}
    told = {event.key for event in room.told("alarm_raised")} | {event.key for event in room.told("alarm_overflowed")}
    assert told >= {f"k{number}" for number in range(150)} | {"sos"}
    assert room.shown.total == room.shown.hidden + len(room.shown.alarms) + 100


async def test_commands_act_in_the_name_of_their_principal(rooms):
    room = await rooms()
    bound = {command.spec.name: command for command in commands(room.service)}

    class Context:
        principal = Principal(PrincipalKind.APPLICATION, "weather")
        incident = None

    raised = await bound["ops.alarm_raise"].handler(
        AlarmRaise(key="storm", severity="major", source="weather", text_en="Storm {x}", text_zh="大风"), Context()
    )
    assert raised.durable
    assert room.service.active()[0].text_en == "Storm {x}"
    acked = await bound["ops.alarm_ack"].handler(AlarmAck(source="weather"), Context())
    assert acked.ids == raised.ids
    await bound["ops.alarm_clear"].handler(AlarmClear(key="storm"), Context())
    assert room.service.active() == []
    for body in (AlarmAck(), AlarmAck(ids=raised.ids, source="weather")):
        with pytest.raises(InvalidInputError):
            await bound["ops.alarm_ack"].handler(body, Context())
    with pytest.raises(NotFoundError):
        await bound["ops.alarm_ack"].handler(AlarmAck(ids=raised.ids), Context())


def test_events_are_named_once():
    assert len({event.TYPE for event in EVENTS}) == len(EVENTS)


@pytest.mark.parametrize("done", [True, False])
async def test_a_write_of_unknown_outcome_tells_each_event_once(rooms, done):
    room = await rooms()
    if done:
        room.store.doubt = {"what": "alarms", "reason": "test"}
    else:
        room.store.down = True
    alarm = await room.service.raise_alarm(condition())
    await room.service.acknowledge([alarm.id], by=ZENG)
    room.store.doubt = {}
    room.store.down = False
    await room.advance(3)
    assert len(room.told("alarm_raised")) == len(room.told("alarm_acknowledged")) == 1
