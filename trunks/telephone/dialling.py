"""Dialling rules: from what a person or a program wrote to the digits that the trunk needs. Pure."""

import re
from dataclasses import dataclass

from gateway.directory.numbers import Number, Numbering, NumberKind, fold
from gateway.directory.options import NumberingOptions
from trunks.telephone.errors import (
    InternationalBarredError,
    NumberCharactersError,
    NumberEmptyError,
    NumberTonesError,
    NumberTooLongError,
)
from trunks.telephone.options import DiallingOptions

_WRITTEN = re.compile(r"[-\d+*# \t\u00a0().‐‑‒–—―−·/]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Dialled:
    """What is sent to the trunk, and what sort of number it is."""

    digits: str
    kind: NumberKind


class DiallingRules:
    """Rewrites numbers for the trunk of this house.

    - Short numbers (110, 119, 120, 122, 12345 …) and internal extensions go out untouched, without outside prefix.
    - Everything else gets the outside prefix: own area without area code, other areas with 0, mobiles by their rule.
    - What fits no rule of the numbering plan is dialled as it is behind the outside prefix: a duty room must be able to
      dial a number that was introduced yesterday.
    """

    def __init__(self, dialling: DiallingOptions, numbering: NumberingOptions) -> None:
        self._options = dialling
        self._plan = numbering
        self._numbering = Numbering(numbering)

    def rewrite(self, written: str) -> Dialled:
        """Return the digits to dial. Raises a :class:`NotDialableError`."""
        text = fold(written)
        if not text:
            raise NumberEmptyError
        if _WRITTEN.fullmatch(text) is None or "+" in text[1:]:
            raise NumberCharactersError
        if sum(char.isdigit() for char in text) > self._options.longest:
            raise NumberTooLongError(longest=self._options.longest)
        if "*" in text or "#" in text:
            if not self._options.allow_tones:
                raise NumberTonesError
            return Dialled("".join(char for char in text if char in "0123456789*#"), NumberKind.OTHER)
        bare = "".join(char for char in text if char.isdigit())
        if not bare:
            raise NumberEmptyError
        number = self._numbering.parse(text)
        if number is None:
            # Too short or too long for a number of the plan: as it is.
            return Dialled(self._plan.outside_prefix + bare, NumberKind.OTHER)
        return Dialled(self._digits(number, bare), number.kind)

    def _digits(self, number: Number, bare: str) -> str:
        outside = self._plan.outside_prefix
        country = f"+{self._plan.country_code}"
        if number.kind in {NumberKind.SHORT, NumberKind.EXTENSION}:
            return number.value
        if number.kind is NumberKind.MOBILE:
            mobile = number.value.removeprefix(country)
            local = mobile.startswith(self._options.local_mobile_segments)
            return outside + ("" if local else self._options.remote_mobile_prefix) + mobile
        if number.kind is NumberKind.NATIONAL:
            area, subscriber = self._numbering.split_area(number)
            if not area:
                return outside + self._without_area(subscriber)
            return outside + (subscriber if area == self._plan.area_code else f"0{area}{subscriber}")
        if number.kind is NumberKind.INTERNATIONAL:
            if not self._options.allow_international:
                raise InternationalBarredError
            return f"{outside}00{number.value.removeprefix('+')}"
        already = outside and bare.startswith(outside)
        return bare if already else outside + bare

    @staticmethod
    def _without_area(national: str) -> str:
        # 400/800 numbers are dialled bare; an area code with a hotline behind it (0571 12345) needs its 0.
        return national if re.fullmatch(r"[48]00\d{7}", national) else "0" + national
