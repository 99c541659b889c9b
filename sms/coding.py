"""The data coding scheme octet, pure. Source: 3GPP TS 23.038 section 4."""

import enum
from dataclasses import dataclass


class Alphabet(enum.StrEnum):
    """What the units of user data are."""

    GSM7 = "gsm7"
    DATA = "8bit"
    UCS2 = "ucs2"


@dataclass(frozen=True, slots=True)
class Coding:
    """What a data coding scheme says. ``message_class`` 0 is shown at once and not kept (flash)."""

    alphabet: Alphabet
    message_class: int | None = None
    compressed: bool = False


_GENERAL = (Alphabet.GSM7, Alphabet.DATA, Alphabet.UCS2, Alphabet.GSM7)


def coding_of(octet: int) -> Coding:
    """Return the meaning of a data coding scheme; reserved ones mean the default alphabet, as the standard wants."""
    group = octet >> 4
    if group < 0x8:  # general and automatic deletion: 0x00–0x7F
        with_class = bool(octet & 0x10)
        return Coding(_GENERAL[octet >> 2 & 3], octet & 3 if with_class else None, compressed=bool(octet & 0x20))
    if group == 0xE:  # message waiting, kept, UCS-2
        return Coding(Alphabet.UCS2)
    if group == 0xF:  # data coding and class
        return Coding(Alphabet.DATA if octet & 4 else Alphabet.GSM7, octet & 3)
    return Coding(Alphabet.GSM7)


def octet_of(alphabet: Alphabet, message_class: int | None = None) -> int:
    """Return the scheme of the general group for an alphabet and a class."""
    base = {Alphabet.GSM7: 0x00, Alphabet.DATA: 0x04, Alphabet.UCS2: 0x08}[alphabet]
    return base if message_class is None else base | 0x10 | message_class
