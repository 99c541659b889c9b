"""Short messages as octets, both ways, pure: SUBMIT, DELIVER and STATUS-REPORT.

A PDU on the AT interface is ``[SCA][TPDU]``: the service centre's address, then the TPDU. The TPDUs::

    SUBMIT   [flags:1][MR:1][DA][PID:1][DCS:1][VP:0|1|7][UDL:1][UD]
    DELIVER  [flags:1][OA][PID:1][DCS:1][SCTS:7][UDL:1][UD]
    REPORT   [flags:1][MR:1][RA][SCTS:7][DT:7][ST:1]([PI:1][PID:1][DCS:1][UDL:1][UD])

Laws: what :func:`encode` makes, :func:`decode` reads back unchanged; every octet is consumed; any octets give a PDU or
:class:`PduError`. UD holds the header, fill bits up to a septet (7-bit alphabet only) and the units.
Source: 3GPP TS 23.040 section 9.2.2 and 9.2.3, TS 27.005 section 3.1.
"""

import binascii
from dataclasses import dataclass, field
from datetime import datetime

from sms import address as addresses
from sms import gsm7, header, times, ucs2
from sms.address import Address
from sms.coding import Alphabet, Coding, coding_of
from sms.errors import PduError
from sms.header import LOCKING_SHIFT, SINGLE_SHIFT, Element, Part
from sms.times import Absolute, Enhanced, Relative, Validity

OCTETS_LIMIT = 140
SEPTETS_LIMIT = 160
PDU_LIMIT = 12 + 164 + 20
"""Octets of the longest PDU: the centre's address and the longest TPDU, with room for what standards may add."""

_DELIVER, _SUBMIT, _REPORT = 0, 1, 2
_MTI = 0x03
_NO_MORE, _REJECT = 0x04, 0x04
_LOOP = 0x08
_VALIDITY = 0x18
_REPORT_BIT, _HEADER, _REPLY_PATH = 0x20, 0x40, 0x80
_FORMAT_ENHANCED, _FORMAT_RELATIVE, _FORMAT_ABSOLUTE = 0x08, 0x10, 0x18
_REPLACE_FIRST, _REPLACE_LAST = 0x41, 0x47


@dataclass(frozen=True, slots=True)
class UserData:
    """What a message carries. ``units`` are septets (one a byte) in the 7-bit alphabet, octets otherwise."""

    dcs: int = 0
    units: bytes = b""
    header: tuple[Element, ...] = ()

    @property
    def coding(self) -> Coding:
        """What the data coding scheme says."""
        return coding_of(self.dcs)

    @property
    def part(self) -> Part | None:
        """Its place in a long message."""
        return header.part_of(self.header)

    @property
    def text(self) -> str:
        """The text; of 8-bit data what is printable UTF-8, of compressed data nothing."""
        return text_of(self.coding, self.units, self.header)


def text_of(coding: Coding, units: bytes, elements: tuple[Element, ...] = ()) -> str:
    """Return units as text; those of several segments may be joined before."""
    if coding.compressed:
        return ""
    if coding.alphabet is Alphabet.UCS2:
        return ucs2.decode(units)
    if coding.alphabet is Alphabet.GSM7:
        locking, single = (header.language(elements, kind) for kind in (LOCKING_SHIFT, SINGLE_SHIFT))
        return gsm7.decode(units, locking, single)
    try:
        text = units.decode()
    except UnicodeDecodeError:
        return ""
    return text if all(char.isprintable() or char in "\r\n" for char in text) else ""


@dataclass(frozen=True, slots=True)
class Submit:
    """A message to the network. ``reference`` is given anew by most modems."""

    recipient: Address
    data: UserData
    reference: int = 0
    pid: int = 0
    validity: Validity | None = None
    report_requested: bool = False
    reject_duplicates: bool = False
    reply_path: bool = False
    centre: Address | None = None

    @property
    def replace(self) -> int | None:
        """The replace type 1–7: a later message of the same type and sender takes this one's place."""
        return _replace(self.pid)


@dataclass(frozen=True, slots=True)
class Deliver:
    """A message from the network."""

    sender: Address
    data: UserData
    timestamp: datetime | None = None
    pid: int = 0
    more_waiting: bool = False
    loop_prevention: bool = False
    report_follows: bool = False
    reply_path: bool = False
    centre: Address | None = None

    @property
    def replace(self) -> int | None:
        """The replace type 1–7: this message takes the place of an earlier one of the same type and sender."""
        return _replace(self.pid)


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What became of a message: ``status`` below 0x20 delivered, below 0x40 still trying, above it has failed."""

    reference: int
    recipient: Address
    timestamp: datetime | None = None
    discharged: datetime | None = None
    status: int = 0
    more_waiting: bool = False
    loop_prevention: bool = False
    of_command: bool = False
    pid: int | None = None
    data: UserData | None = field(default=None)
    centre: Address | None = None


Pdu = Submit | Deliver | StatusReport


def encode(pdu: Pdu) -> bytes:
    """Return the PDU with the service centre's address in front (``00`` when none is given)."""
    return addresses.encode_centre(pdu.centre) + encode_tpdu(pdu)


def encode_tpdu(pdu: Pdu) -> bytes:
    """Return the TPDU alone: its length is what ``+CMGS`` is given."""
    if isinstance(pdu, Submit):
        return _encode_submit(pdu)
    if isinstance(pdu, Deliver):
        return _encode_deliver(pdu)
    return _encode_report(pdu)


def from_hex(text: str) -> bytes:
    """Return the octets of hexadecimal digits; raise :class:`PduError` for anything else."""
    digits = text.strip()
    if not digits:
        raise PduError(reason="it is empty")
    if len(digits) > 2 * PDU_LIMIT:
        raise PduError(reason=f"it is longer than {PDU_LIMIT} octets")
    try:
        return binascii.unhexlify(digits)
    except (binascii.Error, ValueError) as error:
        raise PduError(reason="it is no even number of hexadecimal digits") from error


def decode(octets: bytes) -> Pdu:
    """Return the PDU in *octets*, with or without the service centre's address in front."""
    try:
        centre, at = addresses.decode_centre(octets)
    except PduError:
        return decode_tpdu(octets)
    try:
        return decode_tpdu(octets[at:], centre)
    except PduError as with_centre:
        try:
            return decode_tpdu(octets)
        except PduError:
            raise with_centre from None


def decode_tpdu(octets: bytes, centre: Address | None = None) -> Pdu:
    """Return the message in a TPDU, which has to end where *octets* end."""
    reader = _Reader(octets)
    flags = reader.octet("it is empty")
    kind = flags & _MTI
    pdu: Pdu
    if kind == _SUBMIT:
        pdu = _decode_submit(reader, flags, centre)
    elif kind == _DELIVER:
        pdu = _decode_deliver(reader, flags, centre)
    elif kind == _REPORT:
        pdu = _decode_report(reader, flags, centre)
    else:
        raise PduError(reason="its message type is reserved")
    if reader.left:
        raise PduError(reason=f"{reader.left} octets are left over")
    return pdu


class _Reader:
    """Takes fields off octets; every one that is missing is a :class:`PduError`."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._octets) - self._at

    def octet(self, missing: str) -> int:
        return self.octets(1, missing)[0]

    def octets(self, count: int, missing: str) -> bytes:
        if self.left < count:
            raise PduError(reason=missing)
        self._at += count
        return self._octets[self._at - count : self._at]

    def address(self) -> Address:
        found, self._at = addresses.decode(self._octets, self._at)
        return found

    def stamp(self) -> datetime | None:
        return times.decode_stamp(self.octets(7, "it ends inside a time stamp"))

    def user_data(self, dcs: int, *, with_header: bool) -> UserData:
        length = self.octet("the length of the user data is missing")
        septets = coding_of(dcs).alphabet is Alphabet.GSM7 and not coding_of(dcs).compressed
        if length > (SEPTETS_LIMIT if septets else OCTETS_LIMIT):
            raise PduError(reason=f"user data of {length} units are longer than a message may be")
        octets = self.octets((length * 7 + 7) // 8 if septets else length, "it ends inside the user data")
        if not with_header:
            return UserData(dcs, gsm7.unpack(octets, length) if septets else octets)
        if not octets or octets[0] >= len(octets):
            raise PduError(reason="the user data header is longer than the user data")
        size = octets[0] + 1
        elements = header.decode(octets[1:size])
        if not septets:
            return UserData(dcs, octets[size:], elements)
        taken = _header_septets(size)
        if taken > length:
            raise PduError(reason="the user data header is longer than the user data")
        return UserData(dcs, gsm7.unpack(octets[size:], length - taken, taken * 7 - size * 8), elements)


def _header_septets(octets: int) -> int:
    return (octets * 8 + 6) // 7


def _encode_user_data(data: UserData) -> bytes:
    head = header.encode(data.header)
    if data.coding.alphabet is not Alphabet.GSM7 or data.coding.compressed:
        body = head + data.units
        length, limit = len(body), OCTETS_LIMIT
    else:
        taken = _header_septets(len(head))
        body = head + gsm7.pack(data.units, taken * 7 - len(head) * 8)
        length, limit = taken + len(data.units), SEPTETS_LIMIT
    if length > limit:
        raise PduError(reason=f"user data of {length} units are longer than a message may be")
    return bytes((length,)) + body


def _flag(*, on: bool, bit: int) -> int:
    return bit if on else 0


def _encode_submit(pdu: Submit) -> bytes:
    flags = _SUBMIT | _flag(on=pdu.reject_duplicates, bit=_REJECT) | _flag(on=pdu.report_requested, bit=_REPORT_BIT)
    flags |= _flag(on=bool(pdu.data.header), bit=_HEADER) | _flag(on=pdu.reply_path, bit=_REPLY_PATH)
    validity = b""
    if isinstance(pdu.validity, Relative):
        flags |= _FORMAT_RELATIVE
        validity = bytes((pdu.validity.octet,))
    elif isinstance(pdu.validity, Absolute):
        flags |= _FORMAT_ABSOLUTE
        validity = times.encode_stamp(pdu.validity.until)
    elif isinstance(pdu.validity, Enhanced):
        flags |= _FORMAT_ENHANCED
        validity = pdu.validity.octets
    head = bytes((flags, pdu.reference)) + addresses.encode(pdu.recipient) + bytes((pdu.pid, pdu.data.dcs))
    return head + validity + _encode_user_data(pdu.data)


def _decode_submit(reader: _Reader, flags: int, centre: Address | None) -> Submit:
    reference = reader.octet("the message reference is missing")
    recipient = reader.address()
    pid, dcs = reader.octets(2, "it ends before the data coding scheme")
    form = flags & _VALIDITY
    validity: Validity | None = None
    if form == _FORMAT_RELATIVE:
        validity = Relative(reader.octet("the validity is missing"))
    elif form == _FORMAT_ABSOLUTE:
        until = reader.stamp()
        if until is None:
            raise PduError(reason="the validity is no time")
        validity = Absolute(until)
    elif form == _FORMAT_ENHANCED:
        validity = Enhanced(reader.octets(7, "the validity is missing"))
    return Submit(
        recipient=recipient,
        data=reader.user_data(dcs, with_header=bool(flags & _HEADER)),
        reference=reference,
        pid=pid,
        validity=validity,
        report_requested=bool(flags & _REPORT_BIT),
        reject_duplicates=bool(flags & _REJECT),
        reply_path=bool(flags & _REPLY_PATH),
        centre=centre,
    )


def _encode_deliver(pdu: Deliver) -> bytes:
    flags = _DELIVER | _flag(on=not pdu.more_waiting, bit=_NO_MORE) | _flag(on=pdu.loop_prevention, bit=_LOOP)
    flags |= _flag(on=pdu.report_follows, bit=_REPORT_BIT) | _flag(on=bool(pdu.data.header), bit=_HEADER)
    flags |= _flag(on=pdu.reply_path, bit=_REPLY_PATH)
    head = bytes((flags,)) + addresses.encode(pdu.sender) + bytes((pdu.pid, pdu.data.dcs))
    return head + times.encode_stamp(pdu.timestamp) + _encode_user_data(pdu.data)


def _decode_deliver(reader: _Reader, flags: int, centre: Address | None) -> Deliver:
    sender = reader.address()
    pid, dcs = reader.octets(2, "it ends before the data coding scheme")
    timestamp = reader.stamp()
    return Deliver(
        sender=sender,
        data=reader.user_data(dcs, with_header=bool(flags & _HEADER)),
        timestamp=timestamp,
        pid=pid,
        more_waiting=not flags & _NO_MORE,
        loop_prevention=bool(flags & _LOOP),
        report_follows=bool(flags & _REPORT_BIT),
        reply_path=bool(flags & _REPLY_PATH),
        centre=centre,
    )


def _encode_report(pdu: StatusReport) -> bytes:
    flags = _REPORT | _flag(on=not pdu.more_waiting, bit=_NO_MORE) | _flag(on=pdu.loop_prevention, bit=_LOOP)
    flags |= _flag(on=pdu.of_command, bit=_REPORT_BIT)
    if pdu.data is not None:
        flags |= _flag(on=bool(pdu.data.header), bit=_HEADER)
    stamps = times.encode_stamp(pdu.timestamp) + times.encode_stamp(pdu.discharged)
    head = bytes((flags, pdu.reference)) + addresses.encode(pdu.recipient) + stamps + bytes((pdu.status,))
    if pdu.pid is None and pdu.data is None:
        return head
    present = _flag(on=pdu.pid is not None, bit=1) | _flag(on=pdu.data is not None, bit=6)
    optional = b"" if pdu.pid is None else bytes((pdu.pid,))
    if pdu.data is not None:
        optional += bytes((pdu.data.dcs,)) + _encode_user_data(pdu.data)
    return head + bytes((present,)) + optional


def _decode_report(reader: _Reader, flags: int, centre: Address | None) -> StatusReport:
    reference = reader.octet("the message reference is missing")
    recipient = reader.address()
    timestamp, discharged = reader.stamp(), reader.stamp()
    status = reader.octet("the status is missing")
    present = reader.octet("") if reader.left else 0
    extension = present
    while extension & 0x80:
        extension = reader.octet("the parameter indicator does not end")
    pid = reader.octet("the protocol identifier is missing") if present & 1 else None
    dcs = reader.octet("the data coding scheme is missing") if present & 2 else 0
    data = reader.user_data(dcs, with_header=bool(flags & _HEADER)) if present & 4 else None
    return StatusReport(
        reference=reference,
        recipient=recipient,
        timestamp=timestamp,
        discharged=discharged,
        status=status,
        more_waiting=not flags & _NO_MORE,
        loop_prevention=bool(flags & _LOOP),
        of_command=bool(flags & _REPORT_BIT),
        pid=pid,
        data=data,
        centre=centre,
    )


def _replace(pid: int) -> int | None:
    return pid - 0x40 if _REPLACE_FIRST <= pid <= _REPLACE_LAST else None
