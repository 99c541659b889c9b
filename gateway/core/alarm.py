"""What any part says when something needs a person: the condition, and where it is said.

The alarms themselves (who acknowledged, what escalates) are ``gateway.alarms``; the layers below it only know this.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.core.ids import is_level
from gateway.core.text import Language, Text

KEY_LIMIT = 128


class Severity(enum.IntEnum):
    """How bad it is; a higher number is worse."""

    NOTICE = 1  # worth knowing
    WARNING = 2  # will become worse when nobody acts
    MAJOR = 3  # a part of the duty room does not work
    CRITICAL = 4  # life or the whole service is at stake


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now.

    ``key`` names the condition itself: raised again while it lasts, it is counted, not doubled (``broker-denied``,
    ``rec-stalled:<call id>``). ``source`` is the resource that it comes from, a topic level (``line-3``, ``broker``).
    ``text`` is filled in with ``fields``. ``urgent`` conditions are never put into a group of many.
    """

    key: str
    severity: Severity
    source: str
    text: Text
    fields: Mapping[str, str | int | float] = field(default_factory=dict)
    needs_acknowledgement: bool = False
    urgent: bool = False
    incident: str | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.key) <= KEY_LIMIT or not self.key.isprintable():
            raise ValueError(f"not a key: {self.key!r}")
        if not is_level(self.source):
            raise ValueError(f"not a topic level: {self.source!r}")

    def says(self, language: Language) -> str:
        """Return the text in *language*; with a field missing the bare template, for an alarm must not fail."""
        try:
            return self.text.in_language(language, **self.fields)
        except (LookupError, ValueError):
            return self.text.in_language(language)


class AlarmSink(Protocol):
    """Where conditions are reported. Both calls return at once, never fail, and belong on the event loop's thread."""

    def report(self, condition: Condition) -> None:
        """Raise the alarm of *condition*, or count it when it is raised already."""
        ...

    def clear(self, key: str) -> None:
        """Say that the condition is gone; a key that is not raised is ignored."""
        ...
