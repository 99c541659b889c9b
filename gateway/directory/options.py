"""Settings of the directory: where in the numbering plan this house stands."""

from typing import Annotated, ClassVar

import msgspec

from gateway.core.options import Options

Digits = Annotated[str, msgspec.Meta(pattern="^[0-9]*$")]


class NumberingOptions(Options, frozen=True):
    """Where this house stands in the national numbering plan; shared by caller lookup and dialling."""

    SECTION: ClassVar[str] = "numbering"

    country_code: Annotated[Digits, msgspec.Meta(description="Country code without + or 00.")] = "86"
    area_code: Annotated[Digits, msgspec.Meta(description="Own area code without the trunk 0 (10 for Beijing).")] = "10"
    subscriber_digits: Annotated[
        int, msgspec.Meta(ge=7, le=8, description="Length of a subscriber's number in the own area.")
    ] = 8
    outside_prefix: Annotated[
        Digits, msgspec.Meta(description="Digits that take an outside line at the exchange before us; empty: none.")
    ] = ""
    extension_digits: Annotated[
        tuple[int, ...],
        msgspec.Meta(description="Lengths of internal extensions; a short number of the same form wins."),
    ] = (3, 4)
    short_numbers: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="Numbers dialled as they are, as digits with x for any digit."),
    ] = (
        "110",
        "119",
        "120",
        "122",
        "11x",
        "12110",
        "12119",
        "12395",
        "12xxx",
        "100xx",
        "95xxx",
        "95xxxx",
        "96xxx",
        "96xxxx",
        "12xxxx",
        "1xxxx",
    )
