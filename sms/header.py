"""The user data header: information elements, pure.

``[UDHL:1]([IEI:1][IEDL:1][data:IEDL])*``. Source: 3GPP TS 23.040 section 9.2.3.24.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sms.errors import PduError

CONCATENATED = 0x00
CONCATENATED_WIDE = 0x08
PORTS = 0x05
SINGLE_SHIFT = 0x24
LOCKING_SHIFT = 0x25


@dataclass(frozen=True, slots=True)
class Element:
    """One information element."""

    kind: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """A segment's place in a long message: ``index`` from 1 to ``total``. ``wide`` references have 16 bits."""

    reference: int
    index: int
    total: int
    wide: bool = False

    def element(self) -> Element:
        """Return the element that says so."""
        place = bytes((self.total, self.index))
        if self.wide:
            return Element(CONCATENATED_WIDE, self.reference.to_bytes(2, "big") + place)
        return Element(CONCATENATED, bytes((self.reference,)) + place)


def encode(elements: Sequence[Element]) -> bytes:
    """Return the header with its length octet; nothing when there is no element."""
    body = b"".join(bytes((element.kind, len(element.data))) + element.data for element in elements)
    return bytes((len(body),)) + body if body else b""


def decode(octets: bytes) -> tuple[Element, ...]:
    """Return the elements of a header given without its length octet."""
    elements = []
    at = 0
    while at < len(octets):
        if at + 2 > len(octets) or at + 2 + octets[at + 1] > len(octets):
            raise PduError(reason="an element of the user data header is longer than the header")
        elements.append(Element(octets[at], octets[at + 2 : at + 2 + octets[at + 1]]))
        at += 2 + octets[at + 1]
    return tuple(elements)


def part_of(elements: Sequence[Element]) -> Part | None:
    """Return the place in a long message; of several the last, and none with impossible numbers (9.2.3.24.1)."""
    found = None
    for element in elements:
        data = element.data
        if element.kind == CONCATENATED and len(data) == 3:
            part = Part(data[0], data[2], data[1])
        elif element.kind == CONCATENATED_WIDE and len(data) == 4:
            part = Part(int.from_bytes(data[:2], "big"), data[3], data[2], wide=True)
        else:
            continue
        if 1 <= part.index <= part.total:
            found = part
    return found


def language(elements: Sequence[Element], kind: int) -> int:
    """Return the national language that an element of *kind* (single or locking shift) asks for, 0 for none."""
    return next((e.data[0] for e in reversed(elements) if e.kind == kind and len(e.data) == 1), 0)
