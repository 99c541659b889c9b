"""Short data: status, simple text, and the transport layer (SDS-TL) with reports and concatenation. Pure.

A transfer is ``[PID:8][type:4=0|report request:2|no short report:1|stored:1][reference:8][store and forward]`` and then
its user data; of a text ``[timestamp present:1|coding:7][timestamp:24][user data header][text]``. A report or an
acknowledgement is ``[PID:8][type:4|…][status:8][reference:8]``. A status is 16 bits: 0 is a cry for help.

Source: ETSI EN 300 392-2, 29.4 and 29.5, as public implementations and logs of real radios show it.
"""

import enum
from dataclasses import dataclass
from typing import Any

from gateway.core.errors import InvalidInputError
from trunks.radio import lip, sds_text

EMERGENCY = 0x0000
SHORT_REPORTS = range(0x7C00, 0x8000)
USER_STATUS = range(0x8000, 0x10000)

TEXTS = frozenset({0x82, 0x89, 0x8A})
SIMPLE_TEXTS = frozenset({0x02, 0x09})
TEXT, WITH_HEADER, LIP = 0x82, 0x8A, 0x0A
TRANSPORT = 0x80
"""Protocol identifiers from here on use the transport layer."""

_TRANSFER, _REPORT, _ACK = 0, 1, 2
_FORWARD_OCTETS = {0: 1, 1: 3, 2: 6, 7: 0}
_FORWARD_NUMBER = 3
_UDH_SHORT, _UDH_LONG = 0x00, 0x08
PART_OCTETS = 134
"""Octets of text in one part; with its headers a part stays below 140, which every radio seen has taken."""


class ReportRequest(enum.IntEnum):
    """Which reports the sender wants."""

    NONE = 0
    RECEIVED = 1
    CONSUMED = 2
    BOTH = 3


class ShortReportKind(enum.IntEnum):
    """What a report of 16 bits says."""

    NOT_SUPPORTED = 0
    MEMORY_FULL = 1
    RECEIVED = 2
    CONSUMED = 3


class Delivery(enum.IntEnum):
    """What a report says about the message. Values below 0x20 are success, from 0x40 to 0x5F final failure."""

    RECEIVED = 0x00
    REPORT_ACKNOWLEDGED = 0x01
    CONSUMED = 0x02
    CONSUMED_ACKNOWLEDGED = 0x03
    FORWARDED = 0x04
    CONGESTION = 0x20
    STORED = 0x21
    UNREACHABLE_STORED = 0x22
    NETWORK_OVERLOAD = 0x40
    EXPIRED = 0x48
    EXPIRED_UNREAD = 0x49
    FAILED = 0x4A
    NOT_REGISTERED = 0x4B
    QUEUE_FULL = 0x4C
    TOO_LONG = 0x4D
    NOT_SUPPORTED = 0x4E
    MEMORY_FULL_DISCARDED = 0x52
    UNREACHABLE = 0x5A
    MEMORY_FULL = 0x60
    MEMORY_AVAILABLE = 0x61


def delivery_name(status: int) -> str:
    """Return the name of a delivery status; one that has none is told by its number."""
    return Delivery(status).name.lower() if status in set(Delivery) else f"0x{status:02x}"


def is_final_failure(status: int) -> bool:
    """Tell whether a delivery status means that the message will never arrive."""
    return 0x40 <= status <= 0x5F  # the class of failures


@dataclass(frozen=True, slots=True)
class Timestamp:
    """When a message was written: month, day, hour, minute; the year is not sent. *utc* else the sender's time."""

    month: int
    day: int
    hour: int
    minute: int
    utc: bool = False

    def __str__(self) -> str:
        return f"{self.month:02}-{self.day:02}T{self.hour:02}:{self.minute:02}{'Z' if self.utc else ''}"


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a message this is. Parts belong together by *reference*, not by the message's own."""

    reference: int
    index: int
    total: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """One message, or one part of one. *payload* is the text as it was sent."""

    protocol: int
    reference: int
    payload: bytes
    coding: int | None = None
    report: ReportRequest = ReportRequest.NONE
    part: Part | None = None
    timestamp: Timestamp | None = None
    stored: bytes = b""
    """The store-and-forward element as it came."""
    long_report: bool = False
    """Whether a report of 16 bits would not do."""

    @property
    def text(self) -> str | None:
        """The text, when it is one."""
        return None if self.coding is None else sds_text.decode(self.payload, self.coding)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the message *reference*."""

    protocol: int
    status: int
    reference: int
    acknowledge: bool = False


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The answer to a report."""

    protocol: int
    status: int
    reference: int


@dataclass(frozen=True, slots=True)
class SimpleText:
    """Text without the transport layer: no reference, no report."""

    protocol: int
    coding: int
    payload: bytes

    @property
    def text(self) -> str:
        """The text."""
        return sds_text.decode(self.payload, self.coding)


@dataclass(frozen=True, slots=True)
class Status:
    """A pre-coded status; 0 is an emergency."""

    value: int

    @property
    def emergency(self) -> bool:
        """Whether somebody cries for help."""
        return self.value == EMERGENCY


@dataclass(frozen=True, slots=True)
class ShortReport:
    """A report of 16 bits, sent as a status."""

    kind: ShortReportKind
    reference: int


@dataclass(frozen=True, slots=True)
class Located:
    """A position."""

    position: lip.Position


@dataclass(frozen=True, slots=True)
class Unknown:
    """Anything else, as it came: another protocol, or cut short."""

    digits: str


Sds = Transfer | Report | Acknowledgement | SimpleText | Status | ShortReport | Located | Unknown


def decode(digits: str, *, status: bool | None = None) -> Sds:  # noqa: PLR0911  # one for each kind of message
    """Read the data of one message, in hexadecimal; an odd number of digits is right.

    *status* tells whether it came as a status (AI service 13). Without it, four digits that are a known status are
    one. Raises :class:`InvalidInputError` only for what is not hexadecimal; the rest is at worst :class:`Unknown`.
    """
    digits = digits.strip().upper()
    if not digits or any(digit not in "0123456789ABCDEF" for digit in digits):
        raise InvalidInputError(field="sds", reason="it is not hexadecimal")
    if status or (status is None and _is_status(digits)):
        return _status(digits)
    octets = bytes.fromhex(digits[: len(digits) // 2 * 2])
    if not octets:
        return Unknown(digits)
    protocol = octets[0]
    if protocol == LIP:
        try:
            return Located(lip.decode(digits))
        except InvalidInputError:
            return Unknown(digits)
    if protocol in SIMPLE_TEXTS:
        return SimpleText(protocol, octets[1] & 0x7F, octets[2:]) if len(octets) > 1 else Unknown(digits)
    if protocol < TRANSPORT or len(octets) < 4:  # the shortest is four octets
        return Unknown(digits)
    kind = octets[1] >> 4
    if kind == _REPORT:
        return Report(protocol, octets[2], octets[3], acknowledge=bool(octets[1] & 0x08))
    if kind == _ACK:
        return Acknowledgement(protocol, octets[2], octets[3])
    return (_transfer(octets) if kind == _TRANSFER else None) or Unknown(digits)


def encode(message: Sds) -> str:  # noqa: PLR0911  # one for each kind of message
    """Return the digits of *message*; what :func:`decode` gives for them is the same message."""
    match message:
        case Transfer():
            return _encode_transfer(message).hex().upper()
        case Report():
            first = _REPORT << 4 | (0x08 if message.acknowledge else 0)
            return bytes([message.protocol, first, message.status, message.reference]).hex().upper()
        case Acknowledgement():
            return bytes([message.protocol, _ACK << 4, message.status, message.reference]).hex().upper()
        case SimpleText():
            return (bytes([message.protocol, message.coding]) + message.payload).hex().upper()
        case Status():
            return f"{message.value:04X}"
        case ShortReport():
            return f"{SHORT_REPORTS.start | message.kind << 8 | message.reference:04X}"
        case Located():
            return lip.encode(message.position)
        case Unknown():
            return message.digits


def texts(text: str, *, reference: int, report: ReportRequest = ReportRequest.RECEIVED) -> list[Transfer]:
    """Return *text* as the messages to be sent, in Latin-1 or UCS-2, parts tied by *reference*.

    Their own references count on from it. Raises :class:`InvalidInputError` when it needs more than 255 parts.
    """
    coding = sds_text.choose(text)
    payloads = sds_text.split(text, coding, PART_OCTETS)
    if len(payloads) == 1:
        return [Transfer(TEXT, reference & 0xFF, payloads[0], coding, report)]
    if len(payloads) > 0xFF:  # one octet counts them
        raise InvalidInputError(field="text", reason="it is too long")
    return [
        Transfer(
            WITH_HEADER,
            (reference + index) & 0xFF,
            payload,
            coding,
            report,
            Part(reference & 0xFF, index + 1, len(payloads)),
        )
        for index, payload in enumerate(payloads)
    ]


def answer(message: Transfer, status: Delivery) -> Report:
    """Return the report that is owed for *message*."""
    return Report(message.protocol, status, message.reference)


def as_dict(message: Sds) -> dict[str, Any]:  # noqa: PLR0911  # one for each kind of message
    """Return *message* for other programs."""
    match message:
        case Transfer():
            return {
                "type": "transfer",
                "text": message.text,
                "mr": message.reference,
                "coding": None if message.coding is None else sds_text.name(message.coding),
                "report_requested": None if message.report is ReportRequest.NONE else message.report.name.lower(),
                "protocol": message.protocol,
                "parts": message.part
                and {"ref": message.part.reference, "index": message.part.index, "total": message.part.total},
                "timestamp": message.timestamp and str(message.timestamp),
                "data": message.payload.hex().upper() if message.coding is None else None,
            }
        case Report() | Acknowledgement():
            return {
                "type": "report" if isinstance(message, Report) else "ack",
                "status": message.status,
                "delivery": delivery_name(message.status),
                "mr": message.reference,
                "protocol": message.protocol,
            }
        case SimpleText():
            coding = sds_text.name(message.coding)
            return {"type": "text", "text": message.text, "coding": coding, "protocol": message.protocol}
        case Status():
            return {"type": "status", "status": message.value, "emergency": message.emergency}
        case ShortReport():
            return {"type": "short_report", "delivery": message.kind.name.lower(), "mr": message.reference}
        case Located():
            return {"type": "lip", **message.position.as_dict()}
        case Unknown():
            return {"type": "unknown", "data": message.digits}


def _is_status(digits: str) -> bool:
    return len(digits) == 4 and (int(digits, 16) == EMERGENCY or int(digits, 16) >= SHORT_REPORTS.start)


def _status(digits: str) -> Sds:
    value = int(digits[:4], 16)
    if value in SHORT_REPORTS:
        return ShortReport(ShortReportKind(value >> 8 & 3), value & 0xFF)
    return Status(value)


def _transfer(octets: bytes) -> Transfer | None:
    protocol, first, reference = octets[:3]
    report = ReportRequest(first >> 2 & 3)
    long_report = bool(first & 2)
    rest = octets[3:]
    stored = b""
    if first & 1:
        length = _forward_octets(rest)
        if length is None:
            return None
        stored, rest = rest[:length], rest[length:]
    if protocol not in TEXTS:
        return Transfer(protocol, reference, rest, None, report, stored=stored, long_report=long_report)
    if not rest:
        return None
    coding, rest = rest[0], rest[1:]
    timestamp = None
    if coding & 0x80:
        if len(rest) < 3:  # three octets
            return None
        timestamp, rest = _timestamp(rest[:3]), rest[3:]
    part = None
    if protocol == WITH_HEADER and rest and len(rest) > rest[0]:
        part, rest = _part(rest[1 : rest[0] + 1]), rest[rest[0] + 1 :]
    return Transfer(protocol, reference, rest, coding & 0x7F, report, part, timestamp, stored, long_report)


def _forward_octets(rest: bytes) -> int | None:
    """Return how long the store-and-forward element is, or nothing when it is cut short."""
    if not rest:
        return None
    kind = rest[0] & 7
    if kind == _FORWARD_NUMBER:
        length = 2 + (rest[1] + 1) // 2 if len(rest) > 1 else 2
    else:
        length = 1 + _FORWARD_OCTETS.get(kind, 0)
    return length if length <= len(rest) else None


def _timestamp(octets: bytes) -> Timestamp:
    number = int.from_bytes(octets, "big")
    return Timestamp(number >> 16 & 0xF, number >> 11 & 0x1F, number >> 6 & 0x1F, number & 0x3F, utc=number >> 22 == 1)


def _part(header: bytes) -> Part | None:
    """Find the concatenation among the elements ``[id:8][length:8][…]`` of a user data header."""
    while len(header) >= 2:  # an identifier and a length
        kind, length = header[0], header[1]
        body = header[2 : 2 + length]
        if kind == _UDH_SHORT and len(body) == 3:
            return Part(body[0], body[2], body[1])
        if kind == _UDH_LONG and len(body) == 4:
            return Part(body[0] << 8 | body[1], body[3], body[2])
        header = header[2 + length :]
    return None


def _encode_transfer(message: Transfer) -> bytes:
    first = _TRANSFER << 4 | message.report << 2 | message.long_report << 1 | bool(message.stored)
    octets = bytearray([message.protocol, first, message.reference]) + message.stored
    if message.coding is not None:
        octets.append(message.coding | (0x80 if message.timestamp else 0))
        if message.timestamp:
            when = message.timestamp
            number = when.utc << 22 | when.month << 16 | when.day << 11 | when.hour << 6 | when.minute
            octets += number.to_bytes(3, "big")
    if message.part is not None:
        part = message.part
        if part.reference > 0xFF:  # needs two octets
            header = bytes([_UDH_LONG, 4, part.reference >> 8, part.reference & 0xFF, part.total, part.index])
        else:
            header = bytes([_UDH_SHORT, 3, part.reference, part.total, part.index])
        octets.append(len(header))
        octets += header
    return bytes(octets + message.payload)
