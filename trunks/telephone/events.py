"""What the switchboard tells. Every call has exactly one start and one end, and nothing is told after its end."""

from datetime import datetime
from typing import ClassVar, Literal

from gateway.core.events import Event, Message
from gateway.directory.contact import ContactRef

Direction = Literal["in", "out"]
Treatment = Literal["ring", "busy", "refuse"]


class CallEvent(Event, frozen=True, kw_only=True):
    """What every event of a call says. Numbers are as the exchange gave them; ``contact`` is the other side's."""

    TYPE: ClassVar[str] = ""

    call: str
    direction: Direction
    line: str
    caller: str
    called: str
    contact: ContactRef | None = None


class CallStarted(CallEvent, frozen=True, kw_only=True):
    """A call exists: somebody calls in, or a call is being placed. ``dialled_by`` is the principal who asked for it."""

    TYPE: ClassVar[str] = "tel.call_started.v1"
    SUMMARY: ClassVar[str] = "A call has begun"

    uniqueid: str
    linkedid: str
    dialled_by: str = ""


class CallRinging(CallEvent, frozen=True, kw_only=True):
    """It rings: at ``phones`` for an incoming call, at the other side for one that was dialled.

    ``reason`` tells why here: ``line`` (the called line is free), ``hunted`` (it was not, this is the next free one),
    ``overflow`` (all were taken), ``remote`` (the other side rings), ``fallback`` (Asterisk rang by itself).
    """

    TYPE: ClassVar[str] = "tel.call_ringing.v1"
    SUMMARY: ClassVar[str] = "A call rings"

    phones: tuple[str, ...]
    reason: Literal["line", "hunted", "overflow", "remote", "fallback"]


class CallAnswered(CallEvent, frozen=True, kw_only=True):
    """Two people can talk: an operator's ``phone`` took the caller, or the other side answered."""

    TYPE: ClassVar[str] = "tel.call_answered.v1"
    SUMMARY: ClassVar[str] = "A call was answered"

    phone: str
    wait_s: float


class CallEnded(CallEvent, frozen=True, kw_only=True):
    """A call is over. ``cause`` is Asterisk's Q.850 number, None when nobody could tell.

    ``synthesised`` means that the end was not seen, but concluded from the call being gone. ``recording`` is the base
    name of its recordings (``<recording>-in.alaw``, ``<recording>-out.alaw``), empty when it never reached the trunk.
    """

    TYPE: ClassVar[str] = "tel.call_ended.v1"
    SUMMARY: ClassVar[str] = "A call has ended"

    answered: bool
    phone: str
    cause: int | None
    cause_text: str
    duration_s: float
    talk_s: float
    recording: str
    synthesised: bool = False


class Party(Message, frozen=True, kw_only=True):
    """The other side of a call, as a line shows it."""

    number: str
    contact: str = ""
    unit: str = ""
    name: str = ""
    post: str = ""


class LineShown(Message, frozen=True, kw_only=True):
    """The retained state of a line."""

    state: Literal["out_of_service", "idle", "ringing", "dialling", "in_call"]
    display_name: str
    since: datetime
    call: str = ""
    direction: Direction | None = None
    party: Party | None = None
    phone: str = ""


EVENTS: tuple[type[Event], ...] = (CallStarted, CallRinging, CallAnswered, CallEnded)
