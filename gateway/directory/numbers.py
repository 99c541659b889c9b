"""Telephone numbers: one canonical form for everything that people and exchanges write.

The canonical form is E.164 with ``+`` for numbers of the public network, and plain digits for short numbers (``119``)
and internal extensions (``8001``). Chinese national significant numbers, without the trunk 0 (YD/T 1121 and the
ministry's numbering plan of 2017; toll-free 400 and 800 have the form of an area number):

    mobile     1[3-9] + 9 digits
    Beijing    10     + 8 digits
    2x areas   2x     + 8 digits
    others     [3-9]xx + 7 or 8 digits
"""

import enum
import re
import unicodedata
from dataclasses import dataclass

from gateway.directory.options import NumberingOptions

_MAX_CHARS = 64
_MAX_DIGITS = 15  # E.164 section 6.2.1
_MIN_DIGITS = 3
_SEPARATORS = str.maketrans("", "", " \t\u00a0\u3000-‐‑‒–—―−.·()/[]")
_EXTENSION = re.compile(r"(?:转接|转|分机号?|内线|,|;ext=|ext\.?|x|\*)\D{0,3}(\d{1,6})$", re.IGNORECASE)
_DASHED_EXTENSION = re.compile(r"^(\+?\d{2,4}[- ]?\d{7,8}|\d{7,8}|[48]00[- ]?\d{3}[- ]?\d{4})-(\d{1,6})$")
_SIP = re.compile(r"^(?:tel|sips?):([^@;]*)", re.IGNORECASE)
_MOBILE = re.compile(r"1[3-9]\d{9}")
_AREA = re.compile(r"(10|2\d|[3-9]\d{2})(\d{7,8})")
_TOLL_FREE = re.compile(r"[48]00\d{7}")


class NumberKind(enum.StrEnum):
    """What sort of number it is."""

    EXTENSION = "extension"
    SHORT = "short"
    MOBILE = "mobile"
    NATIONAL = "national"
    INTERNATIONAL = "international"
    OTHER = "other"  # digits that fit no rule: kept as they are, so that equal texts still meet


@dataclass(frozen=True, slots=True)
class Number:
    """A number in its canonical form; ``extension`` is what is dialled after the answer."""

    value: str
    kind: NumberKind
    extension: str = ""

    @property
    def full(self) -> str:
        """The number with its extension, ``+861088886666;ext=8001``."""
        return f"{self.value};ext={self.extension}" if self.extension else self.value


def fold(text: str) -> str:
    """Return *text* with full-width forms made ordinary (NFKC) and outer spaces taken off."""
    return unicodedata.normalize("NFKC", text).strip()


class Numbering:
    """The numbering plan as seen from this house. Pure; one instance may be shared."""

    def __init__(self, options: NumberingOptions) -> None:
        self._options = options
        self._short = re.compile("|".join(pattern.replace("x", r"\d") for pattern in options.short_numbers) or "(?!)")
        self._international = re.compile(rf"00([1-9]\d{{6,{_MAX_DIGITS - 1}}})")

    @property
    def options(self) -> NumberingOptions:
        """Where this house stands."""
        return self._options

    def parse(self, text: str) -> Number | None:
        """Return *text* as a number, or None when it is not one (withheld, a name, empty, too long)."""
        if len(text) > _MAX_CHARS:
            return None
        written = fold(text)
        uri = _SIP.match(written)
        if uri is not None:
            written = uri[1]
        written, extension = _split_extension(written)
        digits = written.translate(_SEPARATORS)
        plus = digits.startswith("+")
        digits = digits.removeprefix("+")
        if not (digits.isascii() and digits.isdigit()):
            return None
        number = self._public(digits) if plus else self._domestic(digits)
        if number is None or not extension:
            return number
        return Number(number.value, number.kind, extension)

    def is_short(self, digits: str) -> bool:
        """Tell whether *digits* is a short number of the public network (110, 12345, 95588)."""
        return self._short.fullmatch(digits) is not None

    def is_extension(self, digits: str) -> bool:
        """Tell whether *digits* has the form of an internal extension and is no short number."""
        prefix = self._options.outside_prefix
        return (
            len(digits) in self._options.extension_digits
            and digits[0] != "0"
            and not (prefix and digits.startswith(prefix))  # an exchange gives out no such extensions
            and not self.is_short(digits)
        )

    def split_area(self, number: Number) -> tuple[str, str]:
        """Return (area code, subscriber) of a national number, ("", digits) of one without an area."""
        national = number.value.removeprefix(f"+{self._options.country_code}")
        match = _AREA.fullmatch(national)
        if number.kind is not NumberKind.NATIONAL or match is None or _TOLL_FREE.fullmatch(national):
            return "", national
        return match[1], match[2]

    def domestic(self, number: Number) -> str:
        """Return *number* as it is read and dialled inside the country; foreign ones keep their ``+``."""
        country = f"+{self._options.country_code}"
        shown = number.value
        if shown.startswith(country) and number.kind in {NumberKind.MOBILE, NumberKind.NATIONAL}:
            national = shown.removeprefix(country)
            bare = number.kind is NumberKind.MOBILE or _TOLL_FREE.fullmatch(national) is not None
            shown = national if bare else "0" + national
        return f"{shown}-{number.extension}" if number.extension else shown

    def _public(self, digits: str) -> Number | None:
        """*digits* begin with a country code."""
        if not _MIN_DIGITS < len(digits) <= _MAX_DIGITS:
            return None
        country = self._options.country_code
        if digits.startswith(country):
            # +86 (0)10 … is written often, though the 0 is wrong there.
            national = self._national(digits.removeprefix(country).removeprefix("0"))
            if national is not None:
                return national
        return Number(f"+{digits}", NumberKind.INTERNATIONAL)

    def _domestic(self, digits: str) -> Number | None:
        """*digits* as dialled or shown inside the country: the first rule that fits."""
        rules = (
            self._internal,
            self._after_outside_prefix,
            self._abroad,
            self._trunk,
            self._local,
            self._national,
            self._without_plus,
            self._as_is,
        )
        fitting = (number for rule in rules if (number := rule(digits)) is not None)
        return next(fitting, None)

    def _internal(self, digits: str) -> Number | None:
        if self.is_short(digits):
            return Number(digits, NumberKind.SHORT)
        return Number(digits, NumberKind.EXTENSION) if self.is_extension(digits) else None

    def _after_outside_prefix(self, digits: str) -> Number | None:
        """The number behind the outside prefix, when what follows it is a whole number and the whole is none."""
        prefix = self._options.outside_prefix
        if not prefix or not digits.startswith(prefix):
            return None
        rest = digits.removeprefix(prefix)
        if self.is_short(rest):
            return Number(rest, NumberKind.SHORT)
        if rest.startswith("0"):
            return self._abroad(rest) or self._trunk(rest)
        if self._trunk(digits) is not None or self._national(digits) is not None:
            return None
        bare = _MOBILE.fullmatch(rest) or _TOLL_FREE.fullmatch(rest)
        return self._national(rest) if bare else self._local(rest)

    def _abroad(self, digits: str) -> Number | None:
        match = self._international.fullmatch(digits)
        return None if match is None else self._public(match[1])

    def _local(self, digits: str) -> Number | None:
        """A subscriber of the own area."""
        if len(digits) != self._options.subscriber_digits or digits[0] not in "2345678":
            return None
        return self._national(self._options.area_code + digits)

    def _without_plus(self, digits: str) -> Number | None:
        """86139…: some exchanges show the country code without + or 00."""
        if not digits.startswith(self._options.country_code):
            return None
        return self._national(digits.removeprefix(self._options.country_code).removeprefix("0"))

    def _trunk(self, digits: str) -> Number | None:
        """*digits* behind the trunk 0."""
        if not digits.startswith("0"):
            return None
        rest = digits.removeprefix("0")
        national = self._national(rest)
        if national is not None:
            return national
        # Area code and short number: 010 12345 is the hotline of another city (or of our own).
        for length in (2, 3):
            area, short = rest[:length], rest[length:]
            if re.fullmatch(r"10|2\d|[3-9]\d{2}", area) and self.is_short(short):
                if area == self._options.area_code:
                    return Number(short, NumberKind.SHORT)
                return Number(f"+{self._options.country_code}{area}{short}", NumberKind.NATIONAL)
        return None

    def _national(self, digits: str) -> Number | None:
        """*digits* as a national significant number."""
        value = f"+{self._options.country_code}{digits}"
        if _MOBILE.fullmatch(digits):
            return Number(value, NumberKind.MOBILE)
        match = _AREA.fullmatch(digits)
        if match is None or (len(match[1]) == 2 and len(match[2]) != 8):  # 10 and 2x: eight digits
            return None
        return Number(value, NumberKind.NATIONAL)

    @staticmethod
    def _as_is(digits: str) -> Number | None:
        return Number(digits, NumberKind.OTHER) if _MIN_DIGITS <= len(digits) <= _MAX_DIGITS else None


def _split_extension(written: str) -> tuple[str, str]:
    """Split ``010-88886666转8001`` and ``010-88886666-8001``."""
    compact = written.replace(" ", "")
    dashed = _DASHED_EXTENSION.fullmatch(compact)
    if dashed is not None:
        return dashed[1], dashed[2]
    match = _EXTENSION.search(compact)
    if match is not None and match.start() > 0:
        return compact[: match.start()], match[1]
    return written, ""
