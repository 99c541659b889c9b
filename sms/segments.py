"""A text as the segments that it is sent in, pure.

160 septets or 70 UCS-2 units fit into one segment; of several each holds 153 or 67, with a 16-bit reference 152 or 66.
No segment ends inside an extended character or a surrogate pair. Source: 3GPP TS 23.040 section 9.2.3.24.1 and .8.
"""

from dataclasses import dataclass

from sms import gsm7, ucs2
from sms.coding import Alphabet, octet_of
from sms.errors import SmsTextError
from sms.header import Part
from sms.pdu import UserData

PARTS_LIMIT = 255
_SINGLE = {Alphabet.GSM7: 160, Alphabet.UCS2: 140}  # septets; octets
_NARROW = {Alphabet.GSM7: 153, Alphabet.UCS2: 134}
_WIDE = {Alphabet.GSM7: 152, Alphabet.UCS2: 132}


@dataclass(frozen=True, slots=True)
class Segments:
    """The units of each segment of a text, in order."""

    alphabet: Alphabet
    units: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.units)

    def user_data(self, reference: int, *, message_class: int | None = None, wide: bool = False) -> list[UserData]:
        """Return the user data of each segment; *wide* has to be what the text was split for."""
        dcs = octet_of(self.alphabet, message_class)
        total = len(self.units)
        if total == 1:
            return [UserData(dcs, self.units[0])]
        return [
            UserData(dcs, units, (Part(reference, index, total, wide=wide).element(),))
            for index, units in enumerate(self.units, 1)
        ]


def split(text: str, *, wide: bool = False) -> Segments:
    """Split *text*, in the 7-bit alphabet when that holds all of it, in UCS-2 otherwise.

    Raises :class:`SmsTextError` when it is longer than 255 segments or holds half a surrogate pair.
    """
    septets = gsm7.encode(text)
    alphabet, whole = (Alphabet.UCS2, ucs2.encode(text)) if septets is None else (Alphabet.GSM7, septets)
    if len(whole) <= _SINGLE[alphabet]:
        return Segments(alphabet, (whole,))
    limit = (_WIDE if wide else _NARROW)[alphabet]
    units = []
    at = 0
    while at < len(whole):
        end = min(at + limit, len(whole))
        if end < len(whole):
            end -= _cut(alphabet, whole, at, end)
        units.append(whole[at:end])
        at = end
    if len(units) > PARTS_LIMIT:
        raise SmsTextError(reason=f"it needs {len(units)} segments, and {PARTS_LIMIT} are the most")
    return Segments(alphabet, tuple(units))


def _cut(alphabet: Alphabet, whole: bytes, start: int, end: int) -> int:
    # How many units or octets to take back so that the last character is whole.
    if alphabet is Alphabet.UCS2:
        return 2 if 0xD8 <= whole[end - 2] <= 0xDB else 0
    escapes = 0
    while end - 1 - escapes >= start and whole[end - 1 - escapes] == gsm7.ESCAPE:
        escapes += 1
    return escapes % 2
