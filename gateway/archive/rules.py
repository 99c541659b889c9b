"""What is kept, how long, and why, without I/O.

Order of evaluation, literally:
1. A hold that fits keeps, whatever else is said.
2. The first rule of the list that fits decides: due at ``created + keep_days``, or never.
3. Without a rule that fits, it is kept for ever.
"""

import enum
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Protocol

from gateway.archive.options import Rule
from gateway.core.events import Message
from gateway.core.text import Text


class Keepable(Protocol):
    """What retention looks at; documents and recordings have it."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def unit(self) -> str: ...  # noqa: D102
    @property
    def tags(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def aggregate(self) -> str | None: ...  # noqa: D102
    @property
    def incident(self) -> str | None: ...  # noqa: D102
    @property
    def created_at(self) -> datetime: ...  # noqa: D102


class Scope(enum.StrEnum):
    """What a hold is about."""

    DOCUMENT = "document"
    AGGREGATE = "aggregate"
    INCIDENT = "incident"
    TIME = "time"


class Hold(Message, frozen=True, kw_only=True):
    """Something that must be kept: by document, aggregate or incident (``value``), or by time (``since``–``until``)."""

    id: str
    scope: Scope
    value: str
    since: datetime | None
    until: datetime | None
    reason: str
    placed_by: str
    placed_at: datetime
    ended_by: str | None = None
    ended_at: datetime | None = None
    ended_why: str = ""

    def covers(self, thing: Keepable) -> bool:
        """Tell whether it keeps *thing*."""
        if self.ended_at is not None:
            return False
        if self.scope is Scope.DOCUMENT:
            return thing.id == self.value
        if self.scope is Scope.AGGREGATE:
            return thing.aggregate == self.value
        if self.scope is Scope.INCIDENT:
            return thing.incident == self.value
        begun = self.since is None or thing.created_at >= self.since
        return begun and (self.until is None or thing.created_at <= self.until)


class Reason(enum.StrEnum):
    """Why something is kept or due."""

    HELD = "held"
    RULE_DUE = "rule_due"
    RULE_WAITS = "rule_waits"
    RULE_FOREVER = "rule_forever"
    NO_RULE = "no_rule"


TEXTS: dict[Reason, Text] = {
    Reason.HELD: Text("Kept: held by {holds}.", "保留：被 {holds} 保全。"),
    Reason.RULE_DUE: Text("Due since {due} by rule {rule}.", "依规则 {rule} 自 {due} 起到期。"),
    Reason.RULE_WAITS: Text("Kept until {due} by rule {rule}.", "依规则 {rule} 保留至 {due}。"),
    Reason.RULE_FOREVER: Text("Kept for ever by rule {rule}.", "依规则 {rule} 永久保留。"),
    Reason.NO_RULE: Text("Kept for ever: no rule fits.", "无适用规则，永久保留。"),
}


class Verdict(Message, frozen=True, kw_only=True):
    """Whether a thing is due for deletion, and why."""

    id: str
    due: bool
    reason: Reason
    rule: str | None
    due_at: datetime | None
    holds: tuple[str, ...]
    text_en: str
    text_zh: str


def fits(rule: Rule, thing: Keepable) -> bool:
    """Tell whether *rule* speaks of *thing*."""
    return _any(rule.kinds, (thing.kind,)) and _any(rule.units, (thing.unit,)) and _any(rule.tags, thing.tags)


def judge(thing: Keepable, rules: Iterable[Rule], holds: Iterable[Hold], now: datetime) -> Verdict:
    """Say whether *thing* is due at *now*, and why or why not."""
    covering = tuple(hold.id for hold in holds if hold.covers(thing))
    rule = next((rule for rule in rules if fits(rule, thing)), None)
    due_at = None if rule is None or rule.keep_days is None else thing.created_at + timedelta(days=rule.keep_days)
    if covering:
        reason = Reason.HELD
    elif rule is None:
        reason = Reason.NO_RULE
    elif due_at is None:
        reason = Reason.RULE_FOREVER
    else:
        reason = Reason.RULE_DUE if due_at <= now else Reason.RULE_WAITS
    fields = {
        "holds": ", ".join(covering),
        "rule": "" if rule is None else rule.name,
        "due": "" if due_at is None else due_at.isoformat(timespec="seconds"),
    }
    return Verdict(
        id=thing.id,
        due=reason is Reason.RULE_DUE,
        reason=reason,
        rule=None if rule is None else rule.name,
        due_at=due_at,
        holds=covering,
        text_en=TEXTS[reason].in_language("en", **fields),
        text_zh=TEXTS[reason].in_language("zh", **fields),
    )


def _any(patterns: Sequence[str], values: Iterable[str]) -> bool:
    if not patterns:
        return True
    return any(fnmatchcase(value, pattern) for value in values for pattern in patterns)
