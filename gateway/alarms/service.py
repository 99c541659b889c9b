"""Alarms: raised, counted, acknowledged, shelved, cleared; in memory first, so that they work without the store."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from gateway.alarms import repository, rules
from gateway.alarms.board import board
from gateway.alarms.events import (
    AlarmAcknowledged,
    AlarmCleared,
    AlarmFlapping,
    AlarmOverflowed,
    AlarmRaised,
    AlarmRepeated,
    AlarmShelved,
    AlarmUnshelved,
)
from gateway.alarms.journal import AlarmJournal
from gateway.alarms.options import AlarmOptions
from gateway.alarms.rules import Alarm, AlarmState
from gateway.core.alarm import Condition, Severity
from gateway.core.board import Board
from gateway.core.clock import Clock
from gateway.core.errors import NotFoundError
from gateway.core.events import Event, Happening
from gateway.core.ids import new_id
from gateway.core.text import Text
from gateway.principals.model import SYSTEM, Principal
from gateway.store.unit import Store

log = structlog.get_logger(__name__)

KEYS_REMEMBERED = 4096
CLOCK_STEP_S = 2.0
BIG_BOARD_S = 0.25  # a board that does not list everything is not made more often
OVERFLOW = Condition(
    key="alarms-overflow",
    severity=Severity.CRITICAL,
    source="alarms",
    text=Text("Too many alarms at once: more are only counted.", "同时告警过多：超出部分仅计数。"),
    needs_acknowledgement=True,
    urgent=True,
)


class AlarmService:
    """Holds every alarm that is not over. It is an :class:`~gateway.core.alarm.AlarmSink`.

    All methods belong on the event loop's thread. Changes are shown at once and written by :meth:`flush`, which the
    asynchronous methods call themselves; with the store down they stand in memory and are written later.
    """

    def __init__(
        self,
        *,
        store: Store,
        board: Board,
        clock: Clock,
        options: AlarmOptions,
    ) -> None:
        self.options = options
        self.journal = AlarmJournal(store)
        self._store = store
        self._board = board
        self._clock = clock
        self._base = (clock.wall(), clock.monotonic())
        self._alarms: dict[str, Alarm] = {}
        self._by_key: dict[str, str] = {}
        self._raises: OrderedDict[str, deque[float]] = OrderedDict()
        self._told: dict[str, tuple[int, float]] = {}
        self._overflowed = 0
        self._showing = False
        self.wake: Callable[[], None] = lambda: None
        self.started = False

    async def start(self) -> None:
        """Take over the alarms of the time before: their timers go on where they were.

        Raises when the store is down; the escalation tries again, and alarms work meanwhile.
        """
        if self.started:
            return
        kept = await self._store.read(repository.active)
        now = self.now()
        for alarm in kept:
            if alarm.key in self._by_key:
                # Raised anew while the store was down: one condition is one alarm, the older one gives way.
                self._put(replace(alarm, state=AlarmState.OVER, last_at=now))
                continue
            self._adopt(rules.restore(alarm, now, self.options))
        self.started = True
        self._show()
        self.wake()

    async def flush(self) -> bool:
        """Write what is to be written; return whether all of it is on disk. Never raises for a store that is down."""
        down = self.journal.down
        durable = await self.journal.flush()
        if self.journal.down is not down:
            self._show()
        return durable

    def now(self) -> datetime:
        """Return the wall time. When the wall clock was set, every interval that runs is kept."""
        wall, monotonic = self._clock.wall(), self._clock.monotonic()
        steady = self._base[0] + timedelta(seconds=monotonic - self._base[1])
        step = wall - steady
        if abs(step.total_seconds()) < CLOCK_STEP_S:
            return steady
        log.warning("wall clock was set", step_s=step.total_seconds())
        self._base = (wall, monotonic)
        for alarm in list(self._alarms.values()):
            self._put(rules.shift(alarm, step))
        return wall

    # what is wrong

    def report(self, condition: Condition) -> None:
        """Raise the alarm of *condition*, or count it. Returns at once; written soon after."""
        now = self.now()
        alarm = self.find_key(condition.key)
        if alarm is None:
            self._raise_new(condition, now)
        else:
            self._raise_again(alarm, condition, now)
        self.wake()

    def clear(self, key: str, *, by: Principal = SYSTEM) -> None:
        """Say that a condition is gone; an unknown key is ignored."""
        alarm = self.find_key(key)
        if alarm is None:
            return
        self.settle(alarm, rules.clear(alarm, self.now()), by=str(by))
        self.wake()

    async def raise_alarm(self, condition: Condition) -> Alarm | None:
        """Report *condition* and wait until it is written (or the store is known to be down)."""
        self.report(condition)
        await self.flush()
        return self.find_key(condition.key)

    async def clear_alarm(self, key: str, *, by: Principal = SYSTEM) -> None:
        """Clear *key* and wait until it is written."""
        self.clear(key, by=by)
        await self.flush()

    # what people do about it

    async def acknowledge(self, ids: Sequence[str], *, by: Principal, note: str = "") -> bool:
        """Take note of alarms; return whether that is on disk. All exist, or nothing is done."""
        return await self.acknowledge_as(ids, str(by), note)

    async def acknowledge_as(self, ids: Sequence[str], by: str, note: str) -> bool:
        """Take note of alarms in the name of somebody who is no principal: one who answered a telephone."""
        now = self.now()
        for alarm in [self.get(name) for name in dict.fromkeys(ids)]:
            after = rules.acknowledge(alarm, by, note, now)
            if after is alarm:
                continue
            self._put(after)
            over = after.state is AlarmState.OVER
            told = AlarmAcknowledged(id=alarm.id, key=alarm.key, by=by, note=after.note, over=over)
            self.tell(after, told)
        self.wake()
        return await self.flush()

    async def shelve(self, alarm_id: str, *, for_s: float, why: str, by: Principal) -> bool:
        """Put an alarm aside for *for_s* seconds; return whether that is on disk."""
        alarm = self.get(alarm_id)
        after = rules.shelve(alarm, for_s=for_s, by=str(by), why=why, now=self.now(), options=self.options)
        self._put(after)
        until = after.shelved_until or self.now()
        self.tell(after, AlarmShelved(id=alarm.id, key=alarm.key, until=until, by=str(by), why=after.shelved_why))
        self.wake()
        return await self.flush()

    async def unshelve(self, alarm_id: str, *, by: Principal) -> bool:
        """Take a shelved alarm back; return whether that is on disk."""
        self.take_back(self.get(alarm_id), by=str(by))
        self.wake()
        return await self.flush()

    async def history(
        self, *, before: datetime | None = None, source: str | None = None, limit: int = 100
    ) -> list[Alarm]:
        """Return alarms from the store, the latest raised first."""
        return await self._store.read(
            lambda connection: repository.history(connection, before=before, source=source, limit=limit)
        )

    # what the escalation needs

    def active(self) -> list[Alarm]:
        """Return every alarm that is not over, oldest first."""
        return list(self._alarms.values())

    def get(self, alarm_id: str) -> Alarm:
        """Return one alarm that is not over."""
        try:
            return self._alarms[alarm_id]
        except KeyError:
            raise NotFoundError(what="alarm", name=alarm_id) from None

    def find(self, alarm_id: str) -> Alarm | None:
        """Return one alarm, or nothing when it is over."""
        return self._alarms.get(alarm_id)

    def find_key(self, key: str) -> Alarm | None:
        """Return the alarm of a condition."""
        name = self._by_key.get(key)
        return None if name is None else self._alarms[name]

    def advance(self, before: Alarm, after: Alarm) -> None:
        """Put the next state of an alarm in its place."""
        if after is not before:
            self._put(after)

    def settle(self, before: Alarm, after: Alarm, *, by: str) -> None:
        """Put the state after a clearing in its place, and tell it when the condition is gone."""
        self.advance(before, after)
        if after.state is not before.state:
            over = after.state is AlarmState.OVER
            self.tell(after, AlarmCleared(id=after.id, key=after.key, by=by, over=over))

    def take_back(self, alarm: Alarm, *, by: str) -> None:
        """End the shelving of an alarm."""
        if alarm.shelved_until is None:
            return
        self._put(rules.unshelve(alarm, self.now(), self.options))
        self.tell(alarm, AlarmUnshelved(id=alarm.id, key=alarm.key, by=by))

    def tell(self, alarm: Alarm, event: Event) -> None:
        """Tell an event of an alarm."""
        aggregate = f"alarm:{alarm.id}"
        self.journal.tell(
            Happening(event=event, resource="alarms", aggregate=aggregate, time=self.now(), incident=alarm.incident)
        )

    def tell_repeats(self) -> float | None:
        """Tell the counts that have grown, each at its rate; return in how many seconds the next is due."""
        soonest: float | None = None
        monotonic = self._clock.monotonic()
        for name, (count, at) in list(self._told.items()):
            alarm = self._alarms.get(name)
            if alarm is None:
                del self._told[name]
                continue
            if alarm.count == count:
                continue
            wait_s = at + self.options.repeat_event_s - monotonic
            if wait_s > 0:
                soonest = wait_s if soonest is None else min(soonest, wait_s)
                continue
            self._told[name] = (alarm.count, monotonic)
            self.tell(alarm, AlarmRepeated(id=alarm.id, key=alarm.key, count=alarm.count))
        return soonest

    # inside

    def _raise_new(self, condition: Condition, now: datetime) -> None:
        # Room is left for what is urgent when everything else is a flood.
        most = self.options.active_max * (2 if condition.urgent or condition.severity is Severity.CRITICAL else 1)
        full = len(self._alarms) >= most or self.journal.unsaved >= 2 * most
        if full and condition.key != OVERFLOW.key:
            self._overflow(condition, now)
            return
        alarm = rules.begin(condition, new_id(int(now.timestamp() * 1000)), now, self.options)
        if self._flaps(condition.key):
            alarm = replace(alarm, flapping=True)
        self._adopt(alarm)
        self._put(alarm)
        self._tell_raised(alarm, again=False)
        if alarm.flapping:
            self.tell(alarm, AlarmFlapping(id=alarm.id, key=alarm.key, count=alarm.count))

    def _raise_again(self, alarm: Alarm, condition: Condition, now: datetime) -> None:
        after, worse = rules.report(alarm, condition, now, self.options)
        comes_back = alarm.state is AlarmState.CLEARED
        if (comes_back or alarm.quiet_since is not None) and self._flaps(alarm.key) and not alarm.flapping:
            after = replace(after, flapping=True)
            self.tell(after, AlarmFlapping(id=after.id, key=after.key, count=after.count))
        self._put(after)
        if worse or (comes_back and not after.flapping):
            self._tell_raised(after, again=True)

    def _overflow(self, condition: Condition, now: datetime) -> None:
        self._overflowed += 1
        told = AlarmOverflowed(
            key=condition.key,
            severity=condition.severity.name.lower(),
            source=condition.source,
            text_en=condition.says("en")[: rules.TEXT_LIMIT],
            text_zh=condition.says("zh")[: rules.TEXT_LIMIT],
        )
        overflow = self.find_key(OVERFLOW.key)
        if overflow is None:
            self._raise_new(OVERFLOW, now)
        else:
            self._raise_again(overflow, OVERFLOW, now)
        self.tell(self._alarms[self._by_key[OVERFLOW.key]], told)

    def _tell_raised(self, alarm: Alarm, *, again: bool) -> None:
        self._told[alarm.id] = (alarm.count, self._clock.monotonic())
        self.tell(
            alarm,
            AlarmRaised(
                id=alarm.id,
                key=alarm.key,
                severity=Severity(alarm.severity).name.lower(),
                source=alarm.source,
                text_en=alarm.text_en,
                text_zh=alarm.text_zh,
                needs_acknowledgement=alarm.waits,
                count=alarm.count,
                again=again,
            ),
        )

    def _flaps(self, key: str) -> bool:
        # Remembered by key and not by alarm, because a condition that needs no acknowledgement is over at each clear.
        raises = self._raises.get(key)
        if raises is None:
            raises = self._raises[key] = deque(maxlen=self.options.flap_count)
        self._raises.move_to_end(key)
        while len(self._raises) > KEYS_REMEMBERED:
            self._raises.popitem(last=False)
        monotonic = self._clock.monotonic()
        raises.append(monotonic)
        full = len(raises) == self.options.flap_count
        return full and monotonic - raises[0] <= self.options.flap_window_s

    def _adopt(self, alarm: Alarm) -> None:
        self._alarms[alarm.id] = alarm
        self._by_key[alarm.key] = alarm.id
        self._told.setdefault(alarm.id, (alarm.count, self._clock.monotonic()))

    def _put(self, alarm: Alarm) -> None:
        if alarm.state is AlarmState.OVER:
            self._alarms.pop(alarm.id, None)
            self._told.pop(alarm.id, None)
            if self._by_key.get(alarm.key) == alarm.id:
                del self._by_key[alarm.key]
        else:
            self._alarms[alarm.id] = alarm
        self.journal.keep(alarm)
        self._show_soon()

    def _show_soon(self) -> None:
        # A flood changes many alarms in one turn of the loop; the board is made once for all of them.
        if not self._showing:
            self._showing = True
            delay_s = 0.0 if len(self._alarms) <= self.options.shown_max else BIG_BOARD_S
            asyncio.get_running_loop().call_later(delay_s, self._show)

    def _show(self) -> None:
        self._showing = False
        state = board(self._alarms.values(), self.options, overflowed=self._overflowed, unsaved=self.journal.down)
        self._board.put("ops", "alarms", state)
