"""What is told of alarms."""

from datetime import datetime
from typing import ClassVar

from gateway.core.events import Event


class AlarmRaised(Event, frozen=True, kw_only=True):
    """Something needs attention; ``again`` when it had been cleared, or has become worse."""

    TYPE: ClassVar[str] = "ops.alarm_raised.v1"
    SUMMARY: ClassVar[str] = "An alarm was raised."

    id: str
    key: str
    severity: str
    source: str
    text_en: str
    text_zh: str
    needs_acknowledgement: bool
    count: int
    again: bool


class AlarmRepeated(Event, frozen=True, kw_only=True):
    """The condition of a raised alarm was reported again, ``count`` times so far. Told at a bounded rate."""

    TYPE: ClassVar[str] = "ops.alarm_repeated.v1"
    SUMMARY: ClassVar[str] = "A raised alarm was reported again."

    id: str
    key: str
    count: int


class AlarmFlapping(Event, frozen=True, kw_only=True):
    """The condition comes and goes; it stays raised until it has been quiet."""

    TYPE: ClassVar[str] = "ops.alarm_flapping.v1"
    SUMMARY: ClassVar[str] = "An alarm comes and goes quickly."

    id: str
    key: str
    count: int


class AlarmAcknowledged(Event, frozen=True, kw_only=True):
    """Somebody took note of an alarm."""

    TYPE: ClassVar[str] = "ops.alarm_acknowledged.v1"
    SUMMARY: ClassVar[str] = "An alarm was acknowledged."

    id: str
    key: str
    by: str
    note: str
    over: bool


class AlarmCleared(Event, frozen=True, kw_only=True):
    """The condition is gone; while not ``over``, the alarm still waits for an acknowledgement."""

    TYPE: ClassVar[str] = "ops.alarm_cleared.v1"
    SUMMARY: ClassVar[str] = "The condition of an alarm is gone."

    id: str
    key: str
    by: str
    over: bool


class AlarmEscalated(Event, frozen=True, kw_only=True):
    """Nobody acknowledged in time: whoever serves ``notify`` (positions, duty_leader, ring) acts on it."""

    TYPE: ClassVar[str] = "ops.alarm_escalated.v1"
    SUMMARY: ClassVar[str] = "A step of an alarm's ladder is due."

    id: str
    key: str
    severity: str
    step: int
    notify: str
    targets: tuple[str, ...]
    text_en: str
    text_zh: str


class AlarmRang(Event, frozen=True, kw_only=True):
    """A telephone was rung for alarms (``ids`` names at most twenty, ``alarms`` counts all)."""

    TYPE: ClassVar[str] = "ops.alarm_rang.v1"
    SUMMARY: ClassVar[str] = "A telephone was rung because nobody acknowledged."

    ids: tuple[str, ...]
    alarms: int
    target: str
    outcome: str
    reason: str


class AlarmUnanswered(Event, frozen=True, kw_only=True):
    """A whole round of telephones brought no acknowledgement; the next begins at ``again_at``."""

    TYPE: ClassVar[str] = "ops.alarm_unanswered.v1"
    SUMMARY: ClassVar[str] = "No telephone brought an acknowledgement."

    id: str
    key: str
    again_at: datetime


class AlarmShelved(Event, frozen=True, kw_only=True):
    """An alarm was put aside for a time."""

    TYPE: ClassVar[str] = "ops.alarm_shelved.v1"
    SUMMARY: ClassVar[str] = "An alarm was shelved."

    id: str
    key: str
    until: datetime
    by: str
    why: str


class AlarmUnshelved(Event, frozen=True, kw_only=True):
    """A shelved alarm is back: somebody took it back, or its time is over."""

    TYPE: ClassVar[str] = "ops.alarm_unshelved.v1"
    SUMMARY: ClassVar[str] = "A shelved alarm is back."

    id: str
    key: str
    by: str


class AlarmOverflowed(Event, frozen=True, kw_only=True):
    """A condition was reported while there were too many alarms to keep it as one of its own."""

    TYPE: ClassVar[str] = "ops.alarm_overflowed.v1"
    SUMMARY: ClassVar[str] = "An alarm was counted only, because there are too many."

    key: str
    severity: str
    source: str
    text_en: str
    text_zh: str


EVENTS: tuple[type[Event], ...] = (
    AlarmRaised,
    AlarmRepeated,
    AlarmFlapping,
    AlarmAcknowledged,
    AlarmCleared,
    AlarmEscalated,
    AlarmRang,
    AlarmUnanswered,
    AlarmShelved,
    AlarmUnshelved,
    AlarmOverflowed,
)
