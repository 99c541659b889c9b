"""Addresses in TPDUs: numbers in swapped semi-octets, names in packed septets, pure.

``[length:1][type:1][value]`` — the length counts semi-octets of the value (in a service centre's address: octets, with
the type). Source: 3GPP TS 23.040 sections 9.1.2.3 and 9.1.2.5.
"""

import re
from dataclasses import dataclass

from sms import gsm7
from sms.errors import PduError, SmsNumberError

INTERNATIONAL = 0x91
UNKNOWN = 0x81
ALPHANUMERIC = 0xD0
_TYPE_MASK = 0x70
_DIGITS = "0123456789*#abc"
_NUMBER = re.compile(r"\+?[0-9*#abc]{1,20}")
_NAME_SEPTETS = 11  # 20 semi-octets


@dataclass(frozen=True, slots=True)
class Address:
    """A number (``+`` in front when its type is international) or a sender's name; ``kind`` is the type octet."""

    value: str
    kind: int = UNKNOWN

    @property
    def alphanumeric(self) -> bool:
        """Whether the value is a name."""
        return self.kind & _TYPE_MASK == ALPHANUMERIC & _TYPE_MASK


def number(text: str) -> Address:
    """Return a dialled number as an address; raise :class:`SmsNumberError` for anything else."""
    if _NUMBER.fullmatch(text) is None:
        raise SmsNumberError(reason="1 to 20 digits are needed, with + before an international number")
    return Address(text, INTERNATIONAL if text.startswith("+") else UNKNOWN)


def name(text: str) -> Address:
    """Return an alphanumeric sender; raise :class:`SmsNumberError` when it is empty, too long or not in GSM 7 bit."""
    septets = gsm7.encode(text)
    if not septets or len(septets) > _NAME_SEPTETS:
        raise SmsNumberError(reason="a name has 1 to 11 characters of the GSM alphabet")
    return Address(text, ALPHANUMERIC)


def encode(address: Address) -> bytes:
    """Return the address of a TPDU."""
    if address.alphanumeric:
        septets = gsm7.encode(address.value) or b""
        return bytes(((len(septets) * 7 + 3) // 4, address.kind)) + gsm7.pack(septets)
    digits = address.value.removeprefix("+")
    return bytes((len(digits), address.kind)) + _semi_octets(digits)


def encode_centre(address: Address | None) -> bytes:
    """Return the service centre's address that precedes a TPDU; ``00`` for the one stored in the SIM."""
    if address is None:
        return b"\x00"
    value = _semi_octets(address.value.removeprefix("+"))
    return bytes((len(value) + 1, address.kind)) + value


def decode(octets: bytes, at: int) -> tuple[Address, int]:
    """Return the address that begins at *at*, and where the next field begins."""
    if at + 2 > len(octets):
        raise PduError(reason="it ends inside an address")
    length, kind = octets[at], octets[at + 1]
    end = at + 2 + (length + 1) // 2
    if not kind & 0x80:
        raise PduError(reason=f"octet {at + 2} is no type of address")
    if length > 20:  # section 9.1.2.3: at most ten octets
        raise PduError(reason=f"an address of {length} digits")
    if end > len(octets):
        raise PduError(reason="it ends inside an address")
    value = octets[at + 2 : end]
    if kind & _TYPE_MASK == ALPHANUMERIC & _TYPE_MASK:
        return Address(_name(value, length), kind), end
    return Address(_digits(value, length, kind), kind), end


def decode_centre(octets: bytes) -> tuple[Address | None, int]:
    """Return the service centre's address at the beginning, and where the TPDU begins."""
    if not octets:
        raise PduError(reason="it is empty")
    length = octets[0]
    if length == 0:
        return None, 1
    if not 2 <= length <= 11 or length >= len(octets) or not octets[1] & 0x80:
        raise PduError(reason="it does not begin with a service centre's address")
    value = octets[2 : length + 1]
    digits = len(value) * 2 - (value[-1] >> 4 == 0xF)  # a filler
    nibbles = [nibble for octet in value for nibble in (octet & 0xF, octet >> 4)][:digits]
    if any(nibble > 9 for nibble in nibbles):
        raise PduError(reason="the service centre's address holds what is no digit")
    return Address(_digits(value, digits, octets[1]), octets[1]), length + 1


def _name(value: bytes, length: int) -> str:
    # Seven characters take 13 semi-octets; 14 have room for an eighth septet, whose zeros would read as @.
    septets = gsm7.unpack(value, length * 4 // 7)
    if len(septets) == 8 and septets[-1] == 0:
        septets = septets[:-1]
    return gsm7.decode(septets)


def _semi_octets(digits: str) -> bytes:
    nibbles = [_DIGITS.index(digit) for digit in digits]
    if len(nibbles) % 2:
        nibbles.append(0xF)
    return bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))


def _digits(value: bytes, count: int, kind: int) -> str:
    nibbles = [nibble for octet in value for nibble in (octet & 0xF, octet >> 4)][:count]
    if any(nibble >= len(_DIGITS) for nibble in nibbles):
        raise PduError(reason="a number holds a filler before its end")
    digits = "".join(_DIGITS[nibble] for nibble in nibbles)
    return f"+{digits}" if kind & _TYPE_MASK == INTERNATIONAL & _TYPE_MASK and digits else digits
