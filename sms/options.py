"""Settings of the SMS platform."""

from typing import Annotated, ClassVar

import msgspec

from gateway.core.options import Options, Secret

Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]
Count = Annotated[int, msgspec.Meta(ge=1, le=100)]
Name = Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,32}$")]


class Modem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One modem.

    ``ports`` are where it may be found, as paths or shell patterns; ``imei`` and ``imsi`` say which of the modems found
    there is meant, so that a port may change its name.
    """

    ports: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    imei: str = ""
    imsi: str = ""
    pin: Secret | None = None
    baud_rate: Annotated[int, msgspec.Meta(ge=1200, le=4_000_000)] = 115_200


class SmsOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[sms]``."""

    SECTION: ClassVar[str] = "sms"

    modems: Annotated[dict[Name, Modem], msgspec.Meta(description="The modems, each by its name.")] = msgspec.field(
        default_factory=dict
    )
    command_timeout_s: Annotated[Seconds, msgspec.Meta(description="The longest wait for an answer of a modem.")] = 10.0
    send_timeout_s: Annotated[
        Seconds, msgspec.Meta(description="The longest wait for the network to take a segment.")
    ] = 90.0
    poll_s: Annotated[Seconds, msgspec.Meta(description="How often a modem is asked for signal and registration.")] = (
        30.0
    )
    ring_gap_s: Annotated[
        Seconds, msgspec.Meta(description="An incoming call is over when it has not rung for so long.")
    ] = 8.0
    restart_after_s: Annotated[
        Seconds, msgspec.Meta(description="A modem that finds no network for so long is restarted.")
    ] = 300.0
    attempts: Annotated[Count, msgspec.Meta(description="How often a segment is tried before it has failed.")] = 5
    retry_first_s: Annotated[
        Seconds, msgspec.Meta(description="From the first refusal to the next try; doubled each time.")
    ] = 15.0
    retry_longest_s: Annotated[Seconds, msgspec.Meta(description="The longest time between two tries.")] = 900.0
    validity_s: Annotated[
        Annotated[int, msgspec.Meta(ge=300, le=38_102_400)],
        msgspec.Meta(description="How long the network tries to reach a telephone that is off."),
    ] = 86_400
    report_wait_s: Annotated[
        Annotated[int, msgspec.Meta(ge=60, le=2_592_000)],
        msgspec.Meta(description="How long a status report is waited for; then the outcome stays as it is."),
    ] = 172_800
    part_wait_s: Annotated[
        Annotated[int, msgspec.Meta(ge=60, le=604_800)],
        msgspec.Meta(description="How long missing segments of a long message are waited for."),
    ] = 3600
