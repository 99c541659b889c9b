"""What is told of releases. The content itself is never in an event: its digest is."""

from datetime import datetime
from typing import ClassVar

from gateway.core.events import Event


class ReleaseEvent(Event, frozen=True, kw_only=True):
    """What every event of a release says."""

    id: str
    kind: str
    subject: str
    digest: str
    exercise: bool
    by: str


class ReleaseRequested(ReleaseEvent, frozen=True, kw_only=True):
    """Somebody made a thing and asks for its release."""

    TYPE: ClassVar[str] = "ops.release_requested.v1"
    SUMMARY: ClassVar[str] = "A release was asked for."

    steps: tuple[str, ...]
    not_after: datetime


class ReleaseStepTaken(ReleaseEvent, frozen=True, kw_only=True):
    """A step was taken; ``next_step`` is what is missing."""

    TYPE: ClassVar[str] = "ops.release_step_taken.v1"
    SUMMARY: ClassVar[str] = "A step towards a release was taken."

    step: str
    next_step: str | None


class ReleaseChanged(ReleaseEvent, frozen=True, kw_only=True):
    """The content changed; the steps taken before count no more."""

    TYPE: ClassVar[str] = "ops.release_changed.v1"
    SUMMARY: ClassVar[str] = "The content changed and its steps were taken back."

    before: str
    steps_lost: int


class ReleaseRejected(ReleaseEvent, frozen=True, kw_only=True):
    """Somebody sent it back; a change of the content puts it on its way again."""

    TYPE: ClassVar[str] = "ops.release_rejected.v1"
    SUMMARY: ClassVar[str] = "A release was rejected."

    reason: str


class ReleaseWithdrawn(ReleaseEvent, frozen=True, kw_only=True):
    """It will not be sent."""

    TYPE: ClassVar[str] = "ops.release_withdrawn.v1"
    SUMMARY: ClassVar[str] = "A request for release was withdrawn."

    reason: str


class ReleaseExpired(ReleaseEvent, frozen=True, kw_only=True):
    """Nobody released it in time."""

    TYPE: ClassVar[str] = "ops.release_expired.v1"
    SUMMARY: ClassVar[str] = "A request for release has lapsed."


class ReleaseOverridden(ReleaseEvent, frozen=True, kw_only=True):
    """In an emergency somebody released it without the missing steps."""

    TYPE: ClassVar[str] = "ops.release_overridden.v1"
    SUMMARY: ClassVar[str] = "A release was forced in an emergency."

    reason: str
    steps_missing: tuple[str, ...]


class Released(ReleaseEvent, frozen=True, kw_only=True):
    """It goes out. Told exactly once for each request."""

    TYPE: ClassVar[str] = "ops.released.v1"
    SUMMARY: ClassVar[str] = "A thing was released."

    overridden: bool


EVENTS: tuple[type[Event], ...] = (
    ReleaseRequested,
    ReleaseStepTaken,
    ReleaseChanged,
    ReleaseRejected,
    ReleaseWithdrawn,
    ReleaseExpired,
    ReleaseOverridden,
    Released,
)
