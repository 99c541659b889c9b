"""Short location reports (LIP) to the bit. Pure.

``[PDU type:2=00][elapsed:2][longitude:25 signed][latitude:24 signed][error:3][speed:7][direction:4][flag:1][reason:8]``
makes 76 bits; behind the protocol identifier 0A on the wire 84, which are 21 digits, or 22 when the radio pads.

Source: ETSI TS 100 392-18-1, as public implementations read it. Seen from a real Motorola radio.
"""

import enum
from dataclasses import dataclass
from typing import Any

from gateway.core.errors import InvalidInputError

PROTOCOL = "0A"
_BITS = 76
_DIGITS = 19
_SPEED_UNKNOWN = 127
_ERROR_UNKNOWN = 7
_LINEAR_SPEED = 28
SPEEDS_KMH: tuple[float, ...] = tuple(
    float(code) if code <= _LINEAR_SPEED else 16 * 1.038 ** (code - 13) for code in range(_SPEED_UNKNOWN)
)
"""Kilometres per hour by code: whole ones up to 28, then in steps of 3.8 %."""


class Reason(enum.IntEnum):
    """Why a report was sent, as far as this program names it."""

    POWER_ON = 0
    POWER_OFF = 1
    EMERGENCY = 2
    PTT = 3
    STATUS = 4
    TRANSMIT_INHIBIT_ON = 5
    TRANSMIT_INHIBIT_OFF = 6
    TMO_ON = 7
    DMO_ON = 8
    ENTERED_SERVICE = 9
    SERVICE_LOST = 10
    CELL_CHANGED = 11
    LOW_BATTERY = 12
    ANSWER = 32
    INTERVAL_EXCEEDED = 129
    DISTANCE_EXCEEDED = 130


@dataclass(frozen=True, slots=True)
class Position:
    """Where a radio says it is. Degrees north and east; an unknown value is absent.

    *elapsed* is the class of age: 0 under 5 s, 1 under 5 min, 2 under 30 min, 3 unknown. *user_data* takes the place
    of *reason* when the radio says so.
    """

    lat: float
    lon: float
    elapsed: int = 0
    error_m: int | None = None
    speed_kmh: float | None = None
    heading_deg: float = 0.0
    reason: int | None = None
    user_data: int | None = None

    @property
    def emergency(self) -> bool:
        """Whether the report itself is a cry for help."""
        return self.reason == Reason.EMERGENCY

    def as_dict(self) -> dict[str, Any]:
        """Return the report for other programs."""
        known = self.reason is not None and self.reason in set(Reason)
        return {
            "lat": self.lat,
            "lon": self.lon,
            "speed_kmh": self.speed_kmh,
            "heading_deg": self.heading_deg,
            "error_m": self.error_m,
            "reason": self.reason,
            "meaning": Reason(self.reason or 0).name.lower() if known else None,
            "emergency": self.emergency,
            "elapsed": self.elapsed,
            "user_data": self.user_data,
        }


def decode(digits: str) -> Position:
    """Read a short location report with or without its protocol identifier. Digits behind it are padding.

    Raises :class:`InvalidInputError` for anything else, long reports included.
    """
    body = digits.strip()
    if len(body) >= _DIGITS + 2 and body[:2].upper() == PROTOCOL:
        body = body[2:]
    if len(body) < _DIGITS or any(digit not in "0123456789abcdefABCDEF" for digit in body):
        raise InvalidInputError(field="lip", reason=f"a short report has {_DIGITS} hexadecimal digits")
    bits = _Reader(int(body[:_DIGITS], 16), _BITS)
    if bits.take(2) != 0:
        raise InvalidInputError(field="lip", reason="it is not a short location report")
    elapsed = bits.take(2)
    lon = bits.signed(25) * 360 / 2**25
    lat = bits.signed(24) * 180 / 2**24
    error, speed, direction, flag, reason = (bits.take(width) for width in (3, 7, 4, 1, 8))
    return Position(
        lat=round(lat, 7),
        lon=round(lon, 7),
        elapsed=elapsed,
        error_m=None if error == _ERROR_UNKNOWN else 2 * 10**error,
        speed_kmh=None if speed == _SPEED_UNKNOWN else round(SPEEDS_KMH[speed], 1),
        heading_deg=direction * 22.5,
        reason=None if flag else reason,
        user_data=reason if flag else None,
    )


def encode(position: Position) -> str:
    """Return the 21 digits of *position*, protocol identifier included. Values are taken to the nearest code."""
    error = (
        _ERROR_UNKNOWN
        if position.error_m is None
        else min(range(_ERROR_UNKNOWN), key=lambda n: abs(2 * 10**n - (position.error_m or 0)))
    )
    speed = (
        _SPEED_UNKNOWN
        if position.speed_kmh is None
        else min(range(_SPEED_UNKNOWN), key=lambda code: abs(SPEEDS_KMH[code] - (position.speed_kmh or 0.0)))
    )
    by_user = position.user_data is not None
    number = 0
    for value, width in (
        (0, 2),
        (position.elapsed, 2),
        (round(position.lon * 2**25 / 360), 25),
        (min(round(position.lat * 2**24 / 180), 2**23 - 1), 24),
        (error, 3),
        (speed, 7),
        (round(position.heading_deg / 22.5) % 16, 4),
        (int(by_user), 1),
        (position.user_data if by_user else position.reason or 0, 8),
    ):
        number = number << width | ((value or 0) & ((1 << width) - 1))
    return f"{PROTOCOL}{number:0{_DIGITS}X}"


class _Reader:
    def __init__(self, number: int, width: int) -> None:
        self._number = number
        self._left = width

    def take(self, width: int) -> int:
        self._left -= width
        return self._number >> self._left & ((1 << width) - 1)

    def signed(self, width: int) -> int:
        value = self.take(width)
        return value - (1 << width) if value >> (width - 1) else value
