"""The life of an alarm, without I/O.

Laws:
1. A condition that lasts is one alarm, however often it is reported.
2. An alarm that needs an acknowledgement is over only when it was acknowledged and its condition is gone, in any order.
3. Whatever waits for an acknowledgement and is not shelved has a next step until its ladder ends; a ladder that ends in
   telephones does not end.
4. Worse than what was acknowledged is not acknowledged.
"""

import enum
from datetime import datetime, timedelta

from msgspec.structs import replace

from gateway.alarms.options import AlarmOptions
from gateway.core.alarm import Condition, Severity
from gateway.core.errors import ConflictError
from gateway.core.events import Message

TEXT_LIMIT = 200


class AlarmState(enum.StrEnum):
    """Where an alarm is in its life."""

    RAISED = "raised"  # the condition lasts, nobody has acknowledged it
    SHOWN = "shown"  # the condition lasts and needs no acknowledgement
    ACKNOWLEDGED = "acknowledged"  # the condition lasts, somebody knows
    CLEARED = "cleared"  # the condition is gone, nobody has acknowledged it: it stays on the board
    OVER = "over"  # history


class Action(enum.StrEnum):
    """What happens to an alarm."""

    REPORT = "report"  # the condition is reported again
    WORSEN = "worsen"  # it is reported again, and now asks for more than before
    ACKNOWLEDGE = "acknowledge"
    CLEAR = "clear"  # the condition is gone


_S, _A = AlarmState, Action
TRANSITIONS: dict[tuple[AlarmState, Action], AlarmState] = {
    (_S.RAISED, _A.REPORT): _S.RAISED,
    (_S.RAISED, _A.WORSEN): _S.RAISED,
    (_S.RAISED, _A.ACKNOWLEDGE): _S.ACKNOWLEDGED,
    (_S.RAISED, _A.CLEAR): _S.CLEARED,
    (_S.SHOWN, _A.REPORT): _S.SHOWN,
    (_S.SHOWN, _A.WORSEN): _S.RAISED,
    (_S.SHOWN, _A.ACKNOWLEDGE): _S.ACKNOWLEDGED,
    (_S.SHOWN, _A.CLEAR): _S.OVER,
    (_S.ACKNOWLEDGED, _A.REPORT): _S.ACKNOWLEDGED,
    (_S.ACKNOWLEDGED, _A.WORSEN): _S.RAISED,
    (_S.ACKNOWLEDGED, _A.ACKNOWLEDGE): _S.ACKNOWLEDGED,
    (_S.ACKNOWLEDGED, _A.CLEAR): _S.OVER,
    (_S.CLEARED, _A.REPORT): _S.RAISED,
    (_S.CLEARED, _A.WORSEN): _S.RAISED,
    (_S.CLEARED, _A.ACKNOWLEDGE): _S.OVER,
    (_S.CLEARED, _A.CLEAR): _S.CLEARED,
}

WAITING = frozenset({AlarmState.RAISED, AlarmState.CLEARED})


class Alarm(Message, frozen=True, kw_only=True):
    """One alarm, as it is kept.

    ``step`` counts the steps of the ladder that were taken since ``waiting_since``; ``due_at`` is when the next is due.
    ``ring_step`` is the step whose telephones are being rung, ``rings`` the tries in this round, ``ring_due_at`` when
    the next try is due. ``quiet_since`` holds the clearing of a flapping condition back.
    """

    id: str
    key: str
    severity: int
    source: str
    text_en: str
    text_zh: str
    urgent: bool
    incident: str | None
    state: AlarmState
    count: int
    raised_at: datetime
    last_at: datetime
    cleared_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    note: str = ""
    waiting_since: datetime | None = None
    step: int = 0
    due_at: datetime | None = None
    ring_step: int | None = None
    rings: int = 0
    ring_due_at: datetime | None = None
    shelved_until: datetime | None = None
    shelved_by: str | None = None
    shelved_why: str = ""
    flapping: bool = False
    quiet_since: datetime | None = None

    @property
    def waits(self) -> bool:
        """Whether somebody must acknowledge it."""
        return self.state in WAITING


def begin(condition: Condition, alarm: str, now: datetime, options: AlarmOptions) -> Alarm:
    """Return the alarm of a condition that is new."""
    first = Alarm(
        id=alarm,
        key=condition.key,
        severity=int(condition.severity),
        source=condition.source,
        text_en=condition.says("en")[:TEXT_LIMIT],
        text_zh=condition.says("zh")[:TEXT_LIMIT],
        urgent=condition.urgent,
        incident=condition.incident,
        state=AlarmState.RAISED if condition.needs_acknowledgement else AlarmState.SHOWN,
        count=1,
        raised_at=now,
        last_at=now,
    )
    return _await_person(first, now, options) if first.waits else first


def report(alarm: Alarm, condition: Condition, now: datetime, options: AlarmOptions) -> tuple[Alarm, bool]:
    """Return *alarm* after its condition was reported again, and whether it now asks for more than before."""
    asks = condition.needs_acknowledgement
    higher = condition.severity > alarm.severity
    worse = (higher and (asks or alarm.waits)) or (asks and alarm.state is AlarmState.SHOWN)
    state = TRANSITIONS[alarm.state, Action.WORSEN if worse else Action.REPORT]
    again = replace(
        alarm,
        severity=max(alarm.severity, int(condition.severity)),
        text_en=condition.says("en")[:TEXT_LIMIT],
        text_zh=condition.says("zh")[:TEXT_LIMIT],
        urgent=alarm.urgent or condition.urgent,
        incident=condition.incident or alarm.incident,
        state=state,
        count=alarm.count + 1,
        last_at=now,
        cleared_at=None,
        quiet_since=None,
    )
    if worse:
        again = replace(again, acknowledged_at=None, acknowledged_by=None, note="")
        again = _await_person(replace(again, shelved_until=None, shelved_by=None, shelved_why=""), now, options)
    return again, worse


def acknowledge(alarm: Alarm, by: str, note: str, now: datetime) -> Alarm:
    """Return *alarm* after somebody took note of it; the first to do so stands."""
    if alarm.acknowledged_by is not None:
        return alarm
    return _settle(
        replace(
            alarm,
            state=TRANSITIONS[alarm.state, Action.ACKNOWLEDGE],
            acknowledged_at=now,
            acknowledged_by=by,
            note=note[:TEXT_LIMIT],
        )
    )


def clear(alarm: Alarm, now: datetime) -> Alarm:
    """Return *alarm* after its condition has gone; a flapping one is held until it has been quiet."""
    if alarm.state is AlarmState.CLEARED:
        return alarm
    if alarm.flapping:
        return alarm if alarm.quiet_since is not None else replace(alarm, quiet_since=now)
    return _settle(replace(alarm, state=TRANSITIONS[alarm.state, Action.CLEAR], cleared_at=now))


def calm(alarm: Alarm, now: datetime, options: AlarmOptions) -> Alarm:
    """Return *alarm* cleared when it was flapping and has been quiet long enough."""
    if alarm.quiet_since is None or now - alarm.quiet_since < timedelta(seconds=options.flap_quiet_s):
        return alarm
    return clear(replace(alarm, flapping=False, quiet_since=None), now)


def shelve(alarm: Alarm, *, for_s: float, by: str, why: str, now: datetime, options: AlarmOptions) -> Alarm:
    """Return *alarm* put aside: it stays shown, and neither escalates nor rings until the time is over."""
    longest = (
        options.shelve_critical_max_s if alarm.severity >= Severity.CRITICAL or alarm.urgent else options.shelve_max_s
    )
    if for_s > longest:
        raise ConflictError(what=f"alarm {alarm.id}", reason=f"it may be shelved for {longest:g} s at most")
    until = now + timedelta(seconds=for_s)
    shelved = replace(alarm, shelved_until=until, shelved_by=by, shelved_why=why[:TEXT_LIMIT])
    return replace(shelved, due_at=None, ring_step=None, rings=0, ring_due_at=None)


def unshelve(alarm: Alarm, now: datetime, options: AlarmOptions) -> Alarm:
    """Return *alarm* taken back; while nobody has acknowledged it, its ladder begins anew."""
    back = replace(alarm, shelved_until=None, shelved_by=None, shelved_why="")
    return _await_person(back, now, options) if back.waits else back


def climb(alarm: Alarm, now: datetime, options: AlarmOptions) -> Alarm:
    """Return *alarm* after the step that was due."""
    ladder = options.ladder(alarm.severity)
    taken = ladder[alarm.step]
    after = replace(alarm, step=alarm.step + 1)
    if taken.notify == "ring" and taken.targets:
        after = replace(after, ring_step=alarm.step, rings=0, ring_due_at=now)
    return _due(after, now, options)


def ring_target(alarm: Alarm, options: AlarmOptions) -> str:
    """Return the telephone that is to be tried now."""
    targets = options.ladder(alarm.severity)[alarm.ring_step or 0].targets
    return targets[alarm.rings % len(targets)]


def try_ring(alarm: Alarm, now: datetime, options: AlarmOptions) -> Alarm:
    """Return *alarm* with one more try begun: written before the telephone rings, so a crash leads to the next."""
    due = now + timedelta(seconds=options.ring_timeout_s + options.ring_retry_s)
    return replace(alarm, rings=alarm.rings + 1, ring_due_at=due)


def rang(alarm: Alarm, *, answered: bool, now: datetime, options: AlarmOptions) -> tuple[Alarm, bool]:
    """Return *alarm* after a try, and whether its round has come to its end without an acknowledgement."""
    if alarm.ring_step is None:
        return alarm, False
    targets = options.ladder(alarm.severity)[alarm.ring_step].targets
    if alarm.rings >= len(targets) * options.ring_attempts:
        return replace(alarm, rings=0, ring_due_at=now + timedelta(seconds=options.ring_again_s)), True
    wait_s = options.ring_grace_s if answered else options.ring_retry_s
    return replace(alarm, ring_due_at=now + timedelta(seconds=wait_s)), False


def restore(alarm: Alarm, now: datetime, options: AlarmOptions) -> Alarm:
    """Return a kept *alarm* as it goes on after a restart.

    No time lies farther off than its rule allows, whatever the wall clock did meanwhile; what the settings no longer
    know begins anew.
    """
    ladder = options.ladder(alarm.severity)
    ring_step = alarm.ring_step
    if ring_step is not None and (ring_step >= len(ladder) or not ladder[ring_step].targets):
        return _await_person(alarm, now, options)
    longest = timedelta(seconds=options.shelve_max_s)
    shelved = alarm.shelved_until
    alarm = replace(
        alarm,
        ring_step=ring_step,
        waiting_since=None if alarm.waiting_since is None else min(alarm.waiting_since, now),
        ring_due_at=None if ring_step is None else _at_most(alarm.ring_due_at, now, options.ring_again_s),
        shelved_until=None if shelved is None else min(shelved, now + longest),
    )
    if not alarm.waits or alarm.shelved_until is not None:
        return alarm
    if alarm.step < len(ladder):
        return replace(alarm, due_at=_at_most(alarm.due_at, now, ladder[alarm.step].after_s))
    return replace(alarm, due_at=None)


def times(alarm: Alarm, options: AlarmOptions) -> list[datetime]:
    """Return when something is due for *alarm*."""
    quiet = None if alarm.quiet_since is None else alarm.quiet_since + timedelta(seconds=options.flap_quiet_s)
    return [time for time in (alarm.due_at, alarm.ring_due_at, alarm.shelved_until, quiet) if time is not None]


def shift(alarm: Alarm, by: timedelta) -> Alarm:
    """Return *alarm* with its intervals kept after the wall clock was set by *by*."""

    def moved(time: datetime | None) -> datetime | None:
        return None if time is None else time + by

    return replace(
        alarm,
        waiting_since=moved(alarm.waiting_since),
        due_at=moved(alarm.due_at),
        ring_due_at=moved(alarm.ring_due_at),
        shelved_until=moved(alarm.shelved_until),
        quiet_since=moved(alarm.quiet_since),
    )


def _at_most(time: datetime | None, now: datetime, longest_s: float) -> datetime:
    return now if time is None else min(time, now + timedelta(seconds=longest_s))


def _await_person(alarm: Alarm, now: datetime, options: AlarmOptions) -> Alarm:
    fresh = replace(alarm, waiting_since=now, step=0, ring_step=None, rings=0, ring_due_at=None)
    return _due(fresh, now, options)


def _due(alarm: Alarm, now: datetime, options: AlarmOptions) -> Alarm:
    ladder = options.ladder(alarm.severity)
    if alarm.step >= len(ladder):
        return replace(alarm, due_at=None)
    since = alarm.waiting_since or now
    return replace(alarm, due_at=since + timedelta(seconds=ladder[alarm.step].after_s))


def _settle(alarm: Alarm) -> Alarm:
    # What nobody has to acknowledge (any more) has no ladder and rings nowhere.
    if alarm.waits:
        return alarm
    quiet = replace(alarm, due_at=None, ring_step=None, rings=0, ring_due_at=None)
    if alarm.state is AlarmState.OVER:
        return replace(quiet, shelved_until=None, flapping=False, quiet_since=None)
    return quiet
