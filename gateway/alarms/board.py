"""The board of alarms: what an operator sees at a glance, bounded whatever happens."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from gateway.alarms.options import AlarmOptions
from gateway.alarms.rules import Alarm
from gateway.core.alarm import Severity
from gateway.core.events import Message


class AlarmLine(Message, frozen=True, kw_only=True):
    """One alarm on the board. ``escalation`` counts the steps of its ladder that were taken."""

    id: str
    key: str
    severity: str
    source: str
    text_en: str
    text_zh: str
    state: str
    count: int
    raised_at: datetime
    acknowledged_by: str | None
    shelved_until: datetime | None
    flapping: bool
    escalation: int
    incident: str | None


class AlarmGroup(Message, frozen=True, kw_only=True):
    """The alarms of a source that has too many to list."""

    source: str
    alarms: int
    unacknowledged: int
    severity: str


class AlarmBoard(Message, frozen=True, kw_only=True):
    """Everything that is raised. ``hidden`` counts what neither list names; ``unsaved``: not yet on disk.

    ``overflowed`` counts the conditions since the start that were too many to keep one by one.
    """

    alarms: tuple[AlarmLine, ...]
    groups: tuple[AlarmGroup, ...]
    total: int
    unacknowledged: int
    hidden: int
    severity: str | None
    overflowed: int
    unsaved: bool


def board(alarms: Iterable[Alarm], options: AlarmOptions, *, overflowed: int, unsaved: bool) -> AlarmBoard:
    """Return the board: waiting alarms first, then the worst, then the oldest; large sources as groups."""
    everything = sorted(alarms, key=lambda alarm: (not alarm.waits, -alarm.severity, alarm.raised_at, alarm.id))
    per_source = Counter(alarm.source for alarm in everything)
    grouped = {source for source, count in per_source.items() if count > options.group_above}
    singles = [alarm for alarm in everything if alarm.source not in grouped or alarm.urgent]
    groups = [_group(source, everything) for source in sorted(grouped)]
    groups.sort(key=lambda group: -Severity[group.severity.upper()])
    shown_groups = tuple(groups[: options.shown_max])
    named = {group.source for group in shown_groups}
    in_groups = sum(1 for alarm in everything if alarm.source in named and not alarm.urgent)
    lines = tuple(_line(alarm) for alarm in singles[: options.shown_max])
    return AlarmBoard(
        alarms=lines,
        groups=shown_groups,
        total=len(everything),
        unacknowledged=sum(alarm.waits for alarm in everything),
        hidden=len(everything) - len(lines) - in_groups,
        severity=Severity(max(alarm.severity for alarm in everything)).name.lower() if everything else None,
        overflowed=overflowed,
        unsaved=unsaved,
    )


def _line(alarm: Alarm) -> AlarmLine:
    return AlarmLine(
        id=alarm.id,
        key=alarm.key,
        severity=Severity(alarm.severity).name.lower(),
        source=alarm.source,
        text_en=alarm.text_en,
        text_zh=alarm.text_zh,
        state=alarm.state.value,
        count=alarm.count,
        raised_at=alarm.raised_at,
        acknowledged_by=alarm.acknowledged_by,
        shelved_until=alarm.shelved_until,
        flapping=alarm.flapping,
        escalation=alarm.step,
        incident=alarm.incident,
    )


def _group(source: str, alarms: list[Alarm]) -> AlarmGroup:
    members = [alarm for alarm in alarms if alarm.source == source]
    return AlarmGroup(
        source=source,
        alarms=len(members),
        unacknowledged=sum(alarm.waits for alarm in members),
        severity=Severity(max(alarm.severity for alarm in members)).name.lower(),
    )
