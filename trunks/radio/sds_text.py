"""Text codings of short data messages. Pure.

Source: ETSI EN 300 392-2, table of text coding schemes, as public implementations read it; GSM 03.38 for 7 bits.
"""

from collections.abc import Mapping
from types import MappingProxyType

PACKED = 0
LATIN_1 = 1
UCS_2 = 26

_GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION = MappingProxyType(
    {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€"}
)
_ESCAPE = 0x1B

_CODECS: Mapping[int, str] = MappingProxyType(
    {
        1: "latin-1", 2: "iso8859-2", 3: "iso8859-3", 4: "iso8859-4", 5: "iso8859-5", 6: "iso8859-6", 7: "iso8859-7",
        8: "iso8859-8", 9: "iso8859-9", 10: "iso8859-10", 11: "iso8859-13", 12: "iso8859-14", 13: "iso8859-15",
        14: "cp437", 15: "cp737", 16: "cp850", 17: "cp852", 18: "cp855", 19: "cp857", 20: "cp860", 21: "cp861",
        22: "cp863", 23: "cp865", 24: "cp866", 25: "cp869", 26: "utf-16-be",
    }
)  # fmt: skip


def name(coding: int) -> str:
    """Return the name of *coding* as other programs see it."""
    if coding == PACKED:
        return "7-bit"
    return "ucs-2" if coding == UCS_2 else _CODECS.get(coding, f"unknown-{coding}")


def decode(payload: bytes, coding: int) -> str:
    """Return the text of *payload*. What the coding has no character for becomes U+FFFD, so nothing is lost unseen.

    A coding that is not known is read as Latin-1, in which every octet is something.
    """
    if coding == PACKED:
        return _unpack(payload)
    return payload.decode(_CODECS.get(coding, "latin-1"), "replace")


def encode(text: str, coding: int) -> bytes:
    """Return *text* in *coding*; raise ``UnicodeEncodeError`` when it holds what the coding has not."""
    return text.encode(_CODECS[coding])


def choose(text: str) -> int:
    """Return the coding that needs least and says everything: Latin-1, else UCS-2."""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return UCS_2
    return LATIN_1


def split(text: str, coding: int, limit: int) -> list[bytes]:
    """Return *text* as payloads of at most *limit* octets, never cut within a character."""
    parts: list[bytes] = []
    part = bytearray()
    for character in text:
        octets = encode(character, coding)
        if part and len(part) + len(octets) > limit:
            parts.append(bytes(part))
            part.clear()
        part += octets
    return [*parts, bytes(part)]


def _unpack(payload: bytes) -> str:
    number = int.from_bytes(payload, "little")
    count = len(payload) * 8 // 7
    septets = [number >> (7 * place) & 0x7F for place in range(count)]
    if septets and count * 7 == len(payload) * 8 and septets[-1] == 0:
        septets.pop()  # seven bits of filling look like @
    shown: list[str] = []
    escaped = False
    for septet in septets:
        if escaped:
            shown.append(_GSM_EXTENSION.get(septet, _GSM[septet]))
            escaped = False
        elif septet == _ESCAPE:
            escaped = True
        else:
            shown.append(_GSM[septet])
    return "".join(shown)
