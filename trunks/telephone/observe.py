"""From what Asterisk tells (AMI events, CEL records) to observations of calls. Pure.

A leg on the trunk is a channel ``PJSIP/<trunk>-…``; when its Uniqueid is its Linkedid somebody calls in, otherwise it
was dialled. A dialled leg's own context and extension say nothing of the number: in AMI ``DialBegin`` tells it, in CEL
the first leg's ``CHAN_START``.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.asterisk.ami_codec import AmiMessage
from gateway.asterisk.cel import CelRecord, CelType
from trunks.telephone.calls import (
    Answered,
    Ended,
    HungUp,
    Joined,
    Observation,
    Ringing,
    Started,
    calls_in,
)
from trunks.telephone.options import UNASSIGNED_LINE

AMI_EVENTS = ("Newchannel", "Newstate", "DialBegin", "DialState", "BridgeEnter", "Hangup")
_MOST_FIRST_LEGS = 4096
_CHANNEL = re.compile(r"PJSIP/(.+)-[0-9a-f]{8}(?:;[12])?")


def endpoint_of(channel: str) -> str:
    """Return the endpoint of ``PJSIP/101-00000a1b``, or nothing for a channel of another kind."""
    match = _CHANNEL.fullmatch(channel)
    return "" if match is None else match[1]


@dataclass(frozen=True, slots=True)
class Switchboard:
    """Which endpoints are which, and which line a called number belongs to."""

    trunk: str
    phones: Collection[str]
    line_of_number: Callable[[str], str]


class AmiObserver:
    """Turns AMI events into observations; keeps nothing."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    def observe(self, message: AmiMessage, now: datetime) -> list[Observation]:
        """Return what *message* tells of a call, with its own time where Asterisk gives one."""
        at = _timestamp(message.get("Timestamp")) or now
        match message.event:
            case "Newchannel":
                return self._new_channel(message, at)
            case "DialBegin":
                return self._dial_begin(message, at)
            case "DialState":
                return self._dial_state(message, at)
            case "Newstate":
                return self._new_state(message, at)
            case "BridgeEnter" | "Hangup":
                return self._leg(message, at)
        return []

    def _new_channel(self, message: AmiMessage, at: datetime) -> list[Observation]:
        uniqueid, linkedid = message.get("Uniqueid"), message.get("Linkedid")
        if endpoint_of(message.get("Channel")) != self._board.trunk or not calls_in(uniqueid, linkedid):
            return []
        called = message.get("Exten")
        return [
            Started(
                at=at,
                uniqueid=uniqueid,
                linkedid=linkedid,
                direction="in",
                caller=message.get("CallerIDNum"),
                called=called,
                line=self._board.line_of_number(called),
            )
        ]

    def _dial_begin(self, message: AmiMessage, at: datetime) -> list[Observation]:
        board, linkedid = self._board, message.get("DestLinkedid")
        dialled, dialling = endpoint_of(message.get("DestChannel")), endpoint_of(message.get("Channel"))
        if dialled == board.trunk and not calls_in(message.get("DestUniqueid"), linkedid):
            variables = {**message.variables("ChanVariable"), **message.variables("DestChanVariable")}
            return [
                Started(
                    at=at,
                    uniqueid=message.get("DestUniqueid"),
                    linkedid=linkedid,
                    direction="out",
                    called=message.get("DialString").partition("@")[0].rpartition("/")[2] or message.get("Exten"),
                    line=variables.get("TL_LINE", "") or UNASSIGNED_LINE,
                    phone=dialling if dialling in board.phones else "",
                )
            ]
        if dialling == board.trunk and dialled in board.phones:
            uniqueid = message.get("Uniqueid")
            return [Ringing(at=at, uniqueid=uniqueid, linkedid=linkedid, phones=(dialled,), reason="fallback")]
        return []

    def _dial_state(self, message: AmiMessage, at: datetime) -> list[Observation]:
        if message.get("DialStatus") != "RINGING" or endpoint_of(message.get("DestChannel")) != self._board.trunk:
            return []
        leg, linkedid = message.get("DestUniqueid"), message.get("DestLinkedid")
        return [Ringing(at=at, uniqueid=leg, linkedid=linkedid, reason="remote")]

    def _new_state(self, message: AmiMessage, at: datetime) -> list[Observation]:
        if message.get("ChannelStateDesc") != "Up" or endpoint_of(message.get("Channel")) != self._board.trunk:
            return []
        return [Answered(at=at, uniqueid=message.get("Uniqueid"), linkedid=message.get("Linkedid"))]

    def _leg(self, message: AmiMessage, at: datetime) -> list[Observation]:
        endpoint = endpoint_of(message.get("Channel"))
        uniqueid, linkedid = message.get("Uniqueid"), message.get("Linkedid")
        if message.event == "BridgeEnter":
            if endpoint not in self._board.phones:
                return []
            return [Joined(at=at, uniqueid=uniqueid, linkedid=linkedid, phone=endpoint)]
        cause, text = message.get("Cause"), message.get("Cause-txt")
        number = int(cause) if cause.isascii() and cause.isdigit() and len(cause) < 4 else None
        return [HungUp(at=at, uniqueid=uniqueid, linkedid=linkedid, cause=number, cause_text=text)]


@dataclass(frozen=True, slots=True)
class _FirstLeg:
    endpoint: str
    exten: str


class CelObserver:
    """Turns CEL records, taken in the order of the file, into observations; remembers each Linkedid's first leg."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._first: OrderedDict[str, _FirstLeg] = OrderedDict()

    def observe(self, record: CelRecord) -> list[Observation]:
        """Return what *record* tells of a call."""
        at, uniqueid, linkedid = record.time, record.uniqueid, record.linkedid
        endpoint = endpoint_of(record.channel)
        on_trunk = endpoint == self._board.trunk
        match record.type:
            case CelType.CHAN_START:
                if uniqueid == linkedid:
                    self._first[linkedid] = _FirstLeg(endpoint, record.extension)
                    if len(self._first) > _MOST_FIRST_LEGS:
                        self._first.popitem(last=False)
                return [self._started(record)] if on_trunk else []
            case CelType.ANSWER if on_trunk:
                return [Answered(at=at, uniqueid=uniqueid, linkedid=linkedid)]
            case CelType.BRIDGE_ENTER if endpoint in self._board.phones:
                return [Joined(at=at, uniqueid=uniqueid, linkedid=linkedid, phone=endpoint)]
            case CelType.HANGUP:
                return [HungUp(at=at, uniqueid=uniqueid, linkedid=linkedid, cause=record.hangup_cause)]
            case CelType.LINKEDID_END:
                self._first.pop(linkedid, None)
                return [Ended(at=at, uniqueid=uniqueid, linkedid=linkedid)]
        return []

    def _started(self, record: CelRecord) -> Started:
        if calls_in(record.uniqueid, record.linkedid):
            return Started(
                at=record.time,
                uniqueid=record.uniqueid,
                linkedid=record.linkedid,
                direction="in",
                caller=record.caller_number,
                called=record.extension,
                line=self._board.line_of_number(record.extension),
            )
        first = self._first.get(record.linkedid, _FirstLeg("", ""))
        return Started(
            at=record.time,
            uniqueid=record.uniqueid,
            linkedid=record.linkedid,
            direction="out",
            called=first.exten,
            line=UNASSIGNED_LINE,
            phone=first.endpoint if first.endpoint in self._board.phones else "",
        )


def _timestamp(text: str) -> datetime | None:
    """The header that ``timestampevents=yes`` adds: seconds since 1970 with microseconds."""
    try:
        return datetime.fromtimestamp(float(text), UTC) if text else None
    except (ValueError, OverflowError, OSError):
        return None
