"""Settings of the switchboard: its lines, its phones, and how numbers are dialled."""

from typing import Annotated, ClassVar, Literal

import msgspec

from gateway.core.options import Options

LineName = Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,32}$")]
PhoneNumber = Annotated[str, msgspec.Meta(pattern="^[0-9]{2,8}$")]
Digits = Annotated[str, msgspec.Meta(pattern="^[0-9]*$")]
UNASSIGNED_LINE = "line-unassigned"
"""The resource of a call that has no line of the house: all were busy, or the called number belongs to none."""


class LineOptions(Options, frozen=True, kw_only=True):
    """One line of the switchboard."""

    name: Annotated[LineName, msgspec.Meta(description="Its name in topics and commands: line-1.")]
    display_name: Annotated[
        str, msgspec.Meta(description="What people call it; without one the console says its number, in any language.")
    ] = ""
    numbers: Annotated[
        tuple[str, ...], msgspec.Meta(description="Called numbers that belong to it, as the trunk delivers them.")
    ] = ()
    direction: Annotated[
        Literal["in", "out", "both"], msgspec.Meta(description="Whether it takes calls, places them, or does both.")
    ] = "both"
    priority: Annotated[int, msgspec.Meta(description="A lower one is taken first when any line will do.")] = 100
    group: Annotated[str, msgspec.Meta(description="Lines of one group stand in for each other.")] = ""


class PhoneOptions(Options, frozen=True, kw_only=True):
    """One operator's phone; its number is its endpoint's name in Asterisk."""

    number: Annotated[PhoneNumber, msgspec.Meta(description="Its number, and the name of its endpoint.")]
    display_name: Annotated[str, msgspec.Meta(description="The position that it stands at.")] = ""


class DiallingOptions(Options, frozen=True, kw_only=True):
    """How numbers are dialled out; where this house stands in the numbering plan is in ``[numbering]``."""

    remote_mobile_prefix: Annotated[
        Digits, msgspec.Meta(description="Put before mobile numbers that are not local (0 at older exchanges).")
    ] = ""
    local_mobile_segments: Annotated[
        tuple[str, ...], msgspec.Meta(description="First digits of mobile numbers that count as local.")
    ] = ()
    allow_international: Annotated[bool, msgspec.Meta(description="Let numbers of other countries be dialled.")] = False
    allow_tones: Annotated[
        bool, msgspec.Meta(description="Let numbers hold * and # (service codes of the exchange).")
    ] = False
    longest: Annotated[int, msgspec.Meta(ge=3, le=32, description="Most digits of a dialled number.")] = 20


class TelephoneOptions(Options, frozen=True, kw_only=True):
    """The switchboard."""

    SECTION: ClassVar[str] = "telephone"

    lines: Annotated[tuple[LineOptions, ...], msgspec.Meta(description="The lines, eight by default.")] = tuple(
        LineOptions(name=f"line-{index}", priority=index) for index in range(1, 9)
    )
    phones: Annotated[tuple[PhoneOptions, ...], msgspec.Meta(description="The operators' phones.")] = (
        PhoneOptions(number="101"),
        PhoneOptions(number="102"),
    )
    dialling: Annotated[DiallingOptions, msgspec.Meta(description="How numbers are dialled out.")] = DiallingOptions()
    trunk_endpoint: Annotated[str, msgspec.Meta(description="The trunk's endpoint in Asterisk.")] = "trunk"
    ring_s: Annotated[int, msgspec.Meta(ge=5, le=300, description="How long phones ring for a caller.")] = 30
    dial_ring_s: Annotated[
        int, msgspec.Meta(ge=5, le=120, description="How long the operator's own phone rings when a call is dialled.")
    ] = 20
    duty_leader: Annotated[
        str, msgspec.Meta(description="Number that is rung for alarms that nobody at the positions acknowledges.")
    ] = ""
    overflow: Annotated[
        bool, msgspec.Meta(description="Ring for a caller although every line is busy, instead of the busy tone.")
    ] = True
    blocked: Annotated[
        tuple[str, ...], msgspec.Meta(description="Callers that are refused, in any way of writing.")
    ] = ()
