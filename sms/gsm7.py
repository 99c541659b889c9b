"""The GSM 7-bit alphabet and its packing, pure.

A *septet string* is ``bytes`` with one septet (0–127) per byte; packed, eight septets lie in seven octets, the first in
the low bits. Source: 3GPP TS 23.038 sections 6.1.2.1, 6.2.1 and annex A.
"""

from sms.alphabets import DEFAULT, LOCKING, SINGLE

ESCAPE = 0x1B

_BASIC = {char: code for code, char in enumerate(LOCKING[DEFAULT]) if code != ESCAPE}
_EXTENDED = {char: bytes((ESCAPE, code)) for code, char in SINGLE[DEFAULT].items()}
_SEPTETS: dict[str, bytes] = {**{char: bytes((code,)) for char, code in _BASIC.items()}, **_EXTENDED}


def septets_of(char: str) -> bytes | None:
    """Return the one or two septets of a character in the default alphabet, None when it has none."""
    return _SEPTETS.get(char)


def encode(text: str) -> bytes | None:
    """Return *text* as septets of the default alphabet with its extension, None when a character is not in it."""
    try:
        return b"".join([_SEPTETS[char] for char in text])
    except KeyError:
        return None


def decode(septets: bytes, locking: int = DEFAULT, single: int = DEFAULT) -> str:
    """Return the text of a septet string in the alphabets of these language identifiers.

    An unknown language stands for the default alphabet. What follows an escape without being in the single shift table
    is read in the locking table, and an escape after an escape or at the end is a space, as the standard wants.
    """
    table = LOCKING.get(locking, LOCKING[DEFAULT])
    if ESCAPE not in septets:
        return "".join([table[code] for code in septets])
    shifted = SINGLE.get(single, SINGLE[DEFAULT])
    chars = []
    escaped = False
    for code in septets:
        if escaped:
            chars.append(" " if code == ESCAPE else shifted.get(code, table[code]))
            escaped = False
        elif code == ESCAPE:
            escaped = True
        else:
            chars.append(table[code])
    if escaped:
        chars.append(" ")
    return "".join(chars)


def pack(septets: bytes, fill_bits: int = 0) -> bytes:
    """Return septets packed into octets behind *fill_bits* (0–6) zero bits."""
    value = 0
    for septet in reversed(septets):
        value = (value << 7) | septet
    return (value << fill_bits).to_bytes((len(septets) * 7 + fill_bits + 7) // 8, "little")


def unpack(octets: bytes, count: int, fill_bits: int = 0) -> bytes:
    """Return *count* septets that begin behind *fill_bits*; there must be octets enough."""
    if len(octets) * 8 < count * 7 + fill_bits:
        raise ValueError(f"{len(octets)} octets do not hold {count} septets")
    value = int.from_bytes(octets, "little") >> fill_bits
    return bytes([(value >> shift) & 0x7F for shift in range(0, count * 7, 7)])
