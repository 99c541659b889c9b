"""The life of a call, as a pure reducer over observations.

FastAGI, AMI and CEL tell of the same call, each more than once, each with its own delay. :func:`reduce` takes them one
by one in whatever order they arrive. Its laws, tested over shuffled and doubled streams:

1. A call is told as started exactly once, and as ended exactly once; in that order.
2. Nothing is told twice, and nothing is told after the end. What arrives later only fills blanks of the record.
3. An observation that has been taken before changes nothing.

A call is one leg on the trunk, known by its Uniqueid, together with everything of the same Linkedid. A call that is
dialled here begins before there is such a leg; its Linkedid is chosen here (``tl-<call id>``).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from gateway.core.causation import Cause
from gateway.core.events import Event
from gateway.core.ids import derived_id
from gateway.directory.contact import ContactRef
from trunks.telephone.events import CallAnswered, CallEnded, CallRinging, CallStarted, Direction

CHANNEL_PREFIX = "tl-"
"""Begins the channel id of a leg that was originated here; the call's id follows."""

_UNIQUEID_TIME = re.compile(r"(\d{9,12})\.\d+")

RingReason = Literal["line", "hunted", "overflow", "remote", "fallback"]


def calls_in(uniqueid: str, linkedid: str) -> bool:
    """Tell whether a leg on the trunk is somebody calling in: the first of its Linkedid, and not originated here."""
    return uniqueid == linkedid and not uniqueid.startswith(CHANNEL_PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Something seen of a call at time ``at``. ``uniqueid`` is the leg that it befell."""

    at: datetime
    uniqueid: str
    linkedid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Observation):
    """A call exists. ``uniqueid`` is its leg on the trunk, or empty while there is none."""

    direction: Direction
    caller: str = ""
    called: str = ""
    line: str = ""
    phone: str = ""
    call_id: str = ""
    dialled_by: str = ""
    incident: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing(Observation):
    """It rings, here at ``phones`` or (reason ``remote``) at the other side."""

    phones: tuple[str, ...] = ()
    reason: RingReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(Observation):
    """An operator's phone is connected to the call."""

    phone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Observation):
    """The leg on the trunk is up; for a call that was dialled, the other side has answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HungUp(Observation):
    """A leg is over."""

    cause: int | None
    cause_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Observation):
    """Nothing is left of the Linkedid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone(Observation):
    """The call is not there any more, and nobody saw it end."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is known of one call. ``uniqueid`` is the leg on the trunk, empty while there is none.

    ``causation`` and ``traceparent`` are those of the command that dialled it; each of its events carries them.
    ``revision`` counts the changes that were written down, so that a repeated write is known as one.
    """

    id: str
    direction: Direction
    line: str
    uniqueid: str
    linkedid: str
    caller: str
    called: str
    contact: ContactRef | None
    started_at: datetime
    dialled_by: str = ""
    incident: str | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    phone: str = ""
    ended_at: datetime | None = None
    cause: int | None = None
    cause_text: str = ""
    synthesised: bool = False
    recovered: bool = False
    causation: str | None = None
    traceparent: str | None = None
    revision: int = 0

    @property
    def number(self) -> str:
        """The other side's number."""
        return self.caller if self.direction == "in" else self.called

    @property
    def recording(self) -> str:
        """The base name of its recordings."""
        return self.uniqueid


@dataclass(frozen=True, slots=True)
class Step:
    """The call after an observation, and what is to be told of it, each with its time."""

    call: Call
    told: Sequence[tuple[Event, datetime]] = ()


def start(seen: Started, *, call_id: str, line: str, contact: ContactRef | None, cause: Cause | None = None) -> Step:
    """Begin the record of a call that was not known."""
    call = Call(
        id=call_id,
        direction=seen.direction,
        line=line,
        uniqueid=seen.uniqueid,
        linkedid=seen.linkedid,
        caller=seen.caller,
        called=seen.called,
        contact=contact,
        started_at=seen.at,
        dialled_by=seen.dialled_by,
        incident=seen.incident,
        phone=seen.phone,
        causation=None if cause is None else cause.command_id,
        traceparent=None if cause is None else cause.traceparent,
    )
    event = CallStarted(**_common(call), uniqueid=call.uniqueid, linkedid=call.linkedid, dialled_by=call.dialled_by)
    return Step(call, ((event, seen.at),))


def reduce(call: Call, seen: Observation) -> Step:
    """Take one observation of a known call."""
    match seen:
        case Started():
            return Step(_fill(call, seen))
        case Ringing():
            return _ringing(call, seen)
        case Joined():
            return _answered(call, seen.at, seen.phone) if call.direction == "in" else Step(call)
        case Answered():
            ours = call.direction == "out" and seen.uniqueid == call.uniqueid
            return _answered(call, seen.at, call.phone) if ours else Step(call)
        case HungUp() | Ended() | Gone():
            return _over(call, seen)
        case _:
            raise TypeError(f"not an observation: {seen!r}")


def _over(call: Call, seen: HungUp | Ended | Gone) -> Step:
    if isinstance(seen, Gone):
        return _ended(call, seen.at, None, seen.reason, synthesised=True)
    if isinstance(seen, Ended):
        # With a leg on the trunk its own hang-up is the end: a Linkedid also ends when two calls are joined.
        return Step(call) if call.uniqueid else _ended(call, seen.at, None, "")
    leg = call.uniqueid or call.linkedid
    return _ended(call, seen.at, seen.cause, seen.cause_text) if seen.uniqueid == leg else Step(call)


def _fill(call: Call, seen: Started) -> Call:
    """Fill what was not known before; what is known stays, also against a second leg on the trunk."""
    if call.uniqueid and seen.uniqueid not in {"", call.uniqueid}:
        return call
    return replace(
        call,
        uniqueid=call.uniqueid or seen.uniqueid,
        caller=call.caller or seen.caller,
        called=call.called or seen.called,
        phone=call.phone or seen.phone,
    )


def _ringing(call: Call, seen: Ringing) -> Step:
    theirs = (seen.reason == "remote") == (call.direction == "out")
    if not theirs or call.ringing_at is not None or call.answered_at is not None or call.ended_at is not None:
        return Step(call)
    after = replace(call, ringing_at=_not_before(call, seen.at))
    event = CallRinging(**_common(after), phones=seen.phones, reason=seen.reason)
    return Step(after, ((event, _not_before(call, seen.at)),))


def _answered(call: Call, at: datetime, phone: str) -> Step:
    if call.answered_at is not None:
        return Step(call)
    at = _not_before(call, at)
    if call.ended_at is not None:
        return Step(replace(call, answered_at=min(at, call.ended_at), phone=phone))
    after = replace(call, answered_at=at, phone=phone)
    event = CallAnswered(**_common(after), phone=phone, wait_s=_seconds(call.started_at, at))
    return Step(after, ((event, at),))


def _ended(call: Call, at: datetime, cause: int | None, text: str, *, synthesised: bool = False) -> Step:
    if call.ended_at is not None:
        return Step(call)
    at = max(_not_before(call, at), call.answered_at or call.started_at)
    after = replace(call, ended_at=at, cause=cause, cause_text=text[:80], synthesised=synthesised)
    event = CallEnded(
        **_common(after),
        answered=after.answered_at is not None,
        phone=after.phone if after.answered_at is not None else "",
        cause=cause,
        cause_text=after.cause_text,
        duration_s=_seconds(after.started_at, at),
        talk_s=_seconds(after.answered_at, at) if after.answered_at is not None else 0.0,
        recording=after.recording,
        synthesised=synthesised,
    )
    return Step(after, ((event, at),))


def _common(call: Call) -> dict[str, Any]:
    return {
        "call": call.id,
        "direction": call.direction,
        "line": call.line,
        "caller": call.caller,
        "called": call.called,
        "contact": call.contact,
    }


def _not_before(call: Call, at: datetime) -> datetime:
    # The sources read clocks at different moments; nothing of a call lies before its start.
    return max(at, call.started_at)


def _seconds(begin: datetime, end: datetime) -> float:
    return round(max(0.0, (end - begin).total_seconds()), 3)


def id_of_leg(uniqueid: str) -> str:
    """Return the id of the call whose trunk leg has this Uniqueid (``[system-]seconds.number``): always the same one.

    So whoever hears of the leg first, before or after a crash, gives its call the same id.
    """
    seconds = _UNIQUEID_TIME.search(uniqueid)
    return derived_id(uniqueid, 0 if seconds is None else int(seconds[1]) * 1000)
