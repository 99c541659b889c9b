"""The supervised adapter ``alarms``: climbs the ladders, rings telephones, writes what could not be written."""

import asyncio

import structlog

from gateway.alarms import rules
from gateway.alarms.events import AlarmEscalated, AlarmRang, AlarmUnanswered
from gateway.alarms.ringer import Ringer, RingOutcome, RingResult
from gateway.alarms.rules import Alarm
from gateway.alarms.service import AlarmService
from gateway.core.alarm import Severity
from gateway.core.clock import Clock
from gateway.core.errors import Kind, TrunklineError
from gateway.core.supervisor import Reporter
from gateway.core.text import Text

log = structlog.get_logger(__name__)

LONGEST_SLEEP_S = 60.0
STORE_RETRY_S = 2.0
STORE_WAIT_S = 1.0
IDS_TOLD = 20


class Escalation:
    """Acts when time passes. One telephone rings at a time, for all alarms that wait for one."""

    name = "alarms"

    def __init__(self, service: AlarmService, ringer: Ringer, clock: Clock) -> None:
        self._service = service
        self._ringer = ringer
        self._clock = clock
        self._options = service.options
        self._woken = asyncio.Event()
        service.wake = self._woken.set

    async def run(self, reporter: Reporter) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            ringing: asyncio.Task[None] | None = None
            while True:
                self._woken.clear()
                await self._start()
                wait_s = self.tick()
                if (ringing is None or ringing.done()) and self._to_ring():
                    ringing = tasks.create_task(self._ring(), name="alarms-ring")
                if await self._flushed() and self._service.started:
                    reporter.ready()
                else:
                    wait_s = min(wait_s, STORE_RETRY_S)
                    reporter.degraded("the store is down; alarms stand in memory")
                try:
                    async with self._clock.timeout(wait_s):
                        await self._woken.wait()
                except TimeoutError:
                    continue

    async def _start(self) -> None:
        try:
            async with self._clock.timeout(STORE_WAIT_S):
                await self._service.start()
        except TimeoutError:
            log.warning("alarms of the time before cannot be read yet", error="timeout")
        except TrunklineError as error:
            if error.kind is not Kind.UNAVAILABLE:
                raise
            log.warning("alarms of the time before cannot be read yet", error=error.code)

    async def _flushed(self) -> bool:
        # A store that waits for its database must not hold up the ladders; the write goes on by itself.
        try:
            async with self._clock.timeout(STORE_WAIT_S):
                return await self._service.flush()
        except TimeoutError:
            return False

    def tick(self) -> float:
        """Do what is due now, except ringing; return after how many seconds to look again."""
        now = self._service.now()
        for alarm in self._service.active():
            self._tick_alarm(alarm)
        times = [time for alarm in self._service.active() for time in rules.times(alarm, self._options)]
        waits = [(time - now).total_seconds() for time in times]
        repeat_s = self._service.tell_repeats()
        # What is due and not done is a telephone that waits for the one that rings now; its end wakes the loop.
        return min([LONGEST_SLEEP_S, *(wait for wait in waits if wait > 0), *([] if repeat_s is None else [repeat_s])])

    def _tick_alarm(self, alarm: Alarm) -> None:
        service, now = self._service, self._service.now()
        if alarm.shelved_until is not None and alarm.shelved_until <= now:
            service.take_back(alarm, by="system:time")
        alarm = service.get(alarm.id)
        service.settle(alarm, rules.calm(alarm, now, self._options), by="system:quiet")
        current = service.find(alarm.id)
        while current is not None and current.due_at is not None and current.due_at <= now:
            self._climb(current)
            current = service.find(alarm.id)

    def _climb(self, alarm: Alarm) -> None:
        step = self._options.ladder(alarm.severity)[alarm.step]
        after = rules.climb(alarm, self._service.now(), self._options)
        self._service.advance(alarm, after)
        told = AlarmEscalated(
            id=alarm.id,
            key=alarm.key,
            severity=Severity(alarm.severity).name.lower(),
            step=alarm.step,
            notify=step.notify,
            targets=step.targets,
            text_en=alarm.text_en,
            text_zh=alarm.text_zh,
        )
        self._service.tell(after, told)

    def _to_ring(self) -> list[Alarm]:
        """Return the alarms that are rung now, the worst first: every one of them is said to whoever answers."""
        now = self._service.now()
        waiting = [alarm for alarm in self._service.active() if alarm.waits and alarm.ring_step is not None]
        waiting.sort(key=lambda alarm: (-alarm.severity, alarm.raised_at))
        first = next((alarm for alarm in waiting if alarm.ring_due_at is not None and alarm.ring_due_at <= now), None)
        if first is None:
            return []
        target = rules.ring_target(first, self._options)
        same = [alarm for alarm in waiting if alarm is not first and rules.ring_target(alarm, self._options) == target]
        return [first, *same]

    async def _ring(self) -> None:
        service, options = self._service, self._options
        alarms = self._to_ring()
        if not alarms:
            return
        target = rules.ring_target(alarms[0], options)
        for alarm in alarms:
            service.advance(alarm, rules.try_ring(alarm, service.now(), options))
        result = await self._try(target, _say(alarms))
        ids = tuple(alarm.id for alarm in alarms)
        told = AlarmRang(
            ids=ids[:IDS_TOLD], alarms=len(ids), target=target, outcome=result.outcome.value, reason=result.reason
        )
        service.tell(alarms[0], told)
        log.info("telephone rung for alarms", alarms=len(ids), outcome=result.outcome.value)
        if result.outcome is RingOutcome.ACKNOWLEDGED:
            waiting = [alarm.id for alarm in service.active() if alarm.waits and alarm.id in ids]
            await service.acknowledge_as(waiting, result.by or f"telephone:{target}", "")
        for name in ids:
            self._rang(name, answered=result.outcome is RingOutcome.ANSWERED)
        service.wake()

    async def _try(self, target: str, text: Text) -> RingResult:
        try:
            async with self._clock.timeout(self._options.ring_timeout_s):
                return await self._ringer.ring(target, text)
        except TimeoutError:
            return RingResult(RingOutcome.FAILED, reason="no outcome in time")
        except TrunklineError as error:
            return RingResult(RingOutcome.FAILED, reason=error.code)

    def _rang(self, name: str, *, answered: bool) -> None:
        alarm = self._service.find(name)
        if alarm is None or not alarm.waits or alarm.ring_step is None:
            return
        after, ended = rules.rang(alarm, answered=answered, now=self._service.now(), options=self._options)
        self._service.advance(alarm, after)
        if ended and after.ring_due_at is not None:
            told = AlarmUnanswered(id=alarm.id, key=alarm.key, again_at=after.ring_due_at)
            self._service.tell(after, told)


def _say(alarms: list[Alarm]) -> Text:
    worst = alarms[0]
    if len(alarms) == 1:
        return Text(worst.text_en, worst.text_zh)
    count = len(alarms)
    return Text(
        f"{count} alarms wait for an acknowledgement. The worst: {worst.text_en}",
        f"有 {count} 条告警等待确认，最严重的是：{worst.text_zh}",
    )
