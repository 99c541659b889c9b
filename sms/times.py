"""Time stamps and validity periods of TPDUs, pure. Source: 3GPP TS 23.040 sections 9.2.3.11 and 9.2.3.12."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

_CENTURY_TURN = 80  # years of two digits from here on are of the 1900s
_STAMP_OCTETS = 7


@dataclass(frozen=True, slots=True)
class Relative:
    """A validity from the centre's reception on, as its octet (0–255): 5 minutes to 63 weeks in growing steps."""

    octet: int

    @property
    def seconds(self) -> int:
        """The period."""
        value = self.octet
        if value <= 143:
            return (value + 1) * 300
        if value <= 167:
            return 43_200 + (value - 143) * 1800
        if value <= 196:
            return (value - 166) * 86_400
        return (value - 192) * 604_800


@dataclass(frozen=True, slots=True)
class Absolute:
    """A validity up to a time."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Enhanced:
    """A validity of seven octets, kept as they are (first: extension bit, single shot, format)."""

    octets: bytes

    @property
    def seconds(self) -> int | None:
        """The period, None when the octets give none."""
        kind = self.octets[0] & 0x07
        if kind == 1:
            return Relative(self.octets[1]).seconds
        if kind == 2:
            return self.octets[1]
        if kind == 3:
            parts = [_swap(octet) for octet in self.octets[1:4]]
            hours, minutes, seconds = (int(part) if part.isdigit() else 0 for part in parts)
            return hours * 3600 + minutes * 60 + seconds
        return None


Validity = Relative | Absolute | Enhanced


def relative(seconds: float) -> Relative:
    """Return the longest relative validity that does not go beyond *seconds* (at least five minutes)."""
    low, high = 0, 255
    while low < high:
        middle = (low + high + 1) // 2
        if Relative(middle).seconds <= seconds:
            low = middle
        else:
            high = middle - 1
    return Relative(low)


def decode_stamp(octets: bytes) -> datetime | None:
    """Return the time of seven octets with its zone; None when they name no time, which real centres do."""
    digits = [_swap(octet) for octet in octets[:6]]
    zone = octets[6]
    quarters = (zone & 0x07) * 10 + (zone >> 4)
    if not all(pair.isdigit() for pair in digits) or zone >> 4 > 9 or quarters >= 96:
        return None
    year, month, day, hour, minute, second = map(int, digits)
    offset = timedelta(minutes=15 * quarters)
    try:
        return datetime(
            year + (1900 if year >= _CENTURY_TURN else 2000),
            month,
            day,
            hour,
            minute,
            second,
            tzinfo=timezone(-offset if zone & 0x08 else offset),
        )
    except ValueError:
        return None


def encode_stamp(when: datetime | None) -> bytes:
    """Return a time (which must have a zone of whole quarters of an hour) as seven octets; zeros for None."""
    if when is None:
        return bytes(_STAMP_OCTETS)
    offset = when.utcoffset()
    if offset is None:
        raise ValueError("a time without a zone")
    quarters = round(offset.total_seconds() / 900)
    fields = (when.year % 100, when.month, when.day, when.hour, when.minute, when.second)
    octets = [_semi(field) for field in fields]
    octets.append(_semi(abs(quarters)) | (0x08 if quarters < 0 else 0))
    return bytes(octets)


def _swap(octet: int) -> str:
    return f"{octet & 0xF:x}{octet >> 4:x}"


def _semi(value: int) -> int:
    tens, units = divmod(value, 10)
    return units << 4 | tens
