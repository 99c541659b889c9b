"""What the SMS platform tells. Texts are told in sensitive events only, and never a number in a topic."""

from datetime import datetime
from typing import ClassVar

from gateway.core.events import Event


class OutgoingEvent(Event, frozen=True, kw_only=True):
    """What every event of a message to one recipient says; ``place`` counts the recipients of a job from 0."""

    job: str
    place: int
    recipient: str


class SmsQueued(Event, frozen=True, kw_only=True):
    """A job was accepted and waits for a modem."""

    TYPE: ClassVar[str] = "sms.queued.v1"
    SUMMARY: ClassVar[str] = "A message was queued."

    job: str
    recipients: int
    segments: int
    priority: str
    not_after: datetime
    by: str


class SmsSent(OutgoingEvent, frozen=True, kw_only=True):
    """The network has taken every segment."""

    TYPE: ClassVar[str] = "sms.sent.v1"
    SUMMARY: ClassVar[str] = "The network has taken a message."


class SmsDelivered(OutgoingEvent, frozen=True, kw_only=True):
    """The recipient's telephone has it, as a report for each segment says."""

    TYPE: ClassVar[str] = "sms.delivered.v1"
    SUMMARY: ClassVar[str] = "A message was delivered."


class SmsFailed(OutgoingEvent, frozen=True, kw_only=True):
    """It will not arrive. ``cause`` is a stable short name: ``cms-27``, ``status-65``, ``expired``, ``cancelled``."""

    TYPE: ClassVar[str] = "sms.failed.v1"
    SUMMARY: ClassVar[str] = "A message has failed."

    cause: str


class SmsUnknown(OutgoingEvent, frozen=True, kw_only=True):
    """Nobody knows whether it was sent. It is not sent again by itself; a report may still tell."""

    TYPE: ClassVar[str] = "sms.unknown.v1"
    SUMMARY: ClassVar[str] = "It is unknown whether a message was sent."

    cause: str


class SmsReceived(Event, frozen=True, kw_only=True):
    """A message came in. ``missing`` lists the segments that never came; each leaves a mark in the text."""

    TYPE: ClassVar[str] = "sms.received.v1"
    SUMMARY: ClassVar[str] = "A message was received."
    SENSITIVE: ClassVar[bool] = True

    message: str
    modem: str
    sender: str
    text: str
    sent_at: datetime | None
    missing: tuple[int, ...] = ()
    reply_to: str | None = None


class SmsCallMissed(Event, frozen=True, kw_only=True):
    """Somebody called a modem's number by voice. ``reply_to`` is the job that was last sent to the caller."""

    TYPE: ClassVar[str] = "sms.call_missed.v1"
    SUMMARY: ClassVar[str] = "A voice call to a modem was not answered."

    modem: str
    caller: str
    reply_to: str | None = None


EVENTS: tuple[type[Event], ...] = (
    SmsQueued,
    SmsSent,
    SmsDelivered,
    SmsFailed,
    SmsUnknown,
    SmsReceived,
    SmsCallMissed,
)
