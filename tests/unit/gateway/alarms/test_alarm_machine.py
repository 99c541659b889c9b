"""The laws of alarms under random histories, with restarts and a store that comes and goes."""

import asyncio

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.alarms import repository
from gateway.alarms.escalation import Escalation
from gateway.alarms.options import AlarmOptions
from gateway.alarms.ringer import RingOutcome, RingResult
from gateway.alarms.rules import AlarmState
from gateway.alarms.service import AlarmService
from gateway.core.alarm import Condition, Severity
from gateway.core.board import Board
from gateway.core.clock import ManualClock
from gateway.core.errors import ConflictError
from gateway.core.text import Text
from gateway.principals.model import SYSTEM
from tests.support.local_store import LocalStore

KEYS = st.sampled_from(["a", "b", "c"])


class Silent:
    async def ring(self, target, text):
        return RingResult(RingOutcome.NO_ANSWER)


class Alarms(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.store = LocalStore(self.clock)
        self.options = AlarmOptions()
        self.lasting = {}  # key -> reported and not cleared since, for conditions that do not flap
        self.unacknowledged = set()
        self.reports = 0
        self.do(self.begin())

    def do(self, coroutine):
        return self.runner.run(coroutine)

    async def begin(self):
        self.board = Board()
        self.service = AlarmService(store=self.store, board=self.board, clock=self.clock, options=self.options)
        self.escalation = Escalation(self.service, Silent(), self.clock)
        await self.service.start()

    @rule(key=KEYS, severity=st.sampled_from(Severity), needs=st.booleans())
    def report(self, key, severity, needs):
        async def work():
            before = self.service.find_key(key)
            condition = Condition(
                key=key, severity=severity, source="x", text=Text("t", "文"), needs_acknowledgement=needs
            )
            after = await self.service.raise_alarm(condition)
            self.reports += 1
            self.lasting[key] = True
            acknowledged = before is not None and before.acknowledged_by is not None
            worse = before is None or (acknowledged and severity > before.severity) or before.state is AlarmState.SHOWN
            if needs and worse:
                self.unacknowledged.add(key)
            assert after.severity >= severity

        self.do(work())

    @rule(key=KEYS)
    def clear(self, key):
        alarm = self.service.find_key(key)
        self.do(self.service.clear_alarm(key))
        if alarm is not None and not alarm.flapping:
            self.lasting.pop(key, None)

    @rule(key=KEYS)
    def acknowledge(self, key):
        alarm = self.service.find_key(key)
        if alarm is not None:
            self.do(self.service.acknowledge([alarm.id], by=SYSTEM))
            self.unacknowledged.discard(key)

    @rule(key=KEYS, for_s=st.sampled_from([10.0, 900.0, 28_800.0]))
    def shelve(self, key, for_s):
        alarm = self.service.find_key(key)
        if alarm is not None:
            try:
                self.do(self.service.shelve(alarm.id, for_s=for_s, why="检修", by=SYSTEM))
            except ConflictError:
                assert alarm.severity == Severity.CRITICAL

    @rule(seconds=st.sampled_from([0.5, 5.0, 61.0, 1000.0]))
    def time_passes(self, seconds):
        async def work():
            await self.clock.advance(seconds)
            self.escalation.tick()
            if self.escalation._to_ring():
                await self.escalation._ring()
            for key in list(self.lasting):
                if self.service.find_key(key) is None:  # it flapped, was cleared, and has been quiet
                    del self.lasting[key]
            self.lasting = {k: v for k, v in self.lasting.items() if self.service.find_key(k).state != "cleared"}

        self.do(work())

    @rule(down=st.booleans())
    def store_changes(self, down):
        self.store.down = down
        self.do(self.service.flush())

    @rule()
    def restart(self):
        if not self.store.down:
            self.do(self.service.flush())
            self.do(self.begin())

    @invariant()
    def one_condition_is_one_alarm(self):
        keys = [alarm.key for alarm in self.service.active()]
        assert len(keys) == len(set(keys))

    @invariant()
    def what_lasts_or_waits_is_shown(self):
        assert {alarm.key for alarm in self.service.active()} >= set(self.lasting) | self.unacknowledged
        assert {alarm.key for alarm in self.service.active() if alarm.waits} == self.unacknowledged

    @invariant()
    def what_waits_has_a_next_step(self):
        for alarm in self.service.active():
            if not alarm.waits:
                assert alarm.due_at is None
                assert alarm.ring_due_at is None
            elif alarm.shelved_until is None:
                ladder = self.options.ladder(alarm.severity)
                ended = alarm.step >= len(ladder) and ladder[-1].notify != "ring"
                assert ended or alarm.due_at is not None or alarm.ring_due_at is not None

    @invariant()
    def the_disk_knows_what_memory_knows(self):
        if not self.store.down and self.do(self.service.flush()):
            kept = self.do(self.store.read(repository.active))
            assert sorted(kept, key=lambda alarm: alarm.id) == sorted(self.service.active(), key=lambda alarm: alarm.id)
            assert sum(alarm.count for alarm in self.do(self.service.history(limit=1000))) == self.reports

    def teardown(self):
        self.runner.close()
        self.store.close()


TestAlarms = Alarms.TestCase
TestAlarms.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
