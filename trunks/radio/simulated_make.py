"""What simulated radios know of each other: how a make behaves, a call, and the network around a radio."""

from dataclasses import dataclass
from typing import Any, Protocol

GRANTED, REFUSED, QUEUED, OTHER = 0, 1, 2, 3
"""The grants of the air interface."""


@dataclass(frozen=True)
class Quirks:
    """How a make of radio behaves, and what goes wrong with it."""

    model: str = "plain"
    echo: bool = True
    newline: bytes = b"\r\n"
    space: bool = True
    single_octets: bool = False
    together: bool = False  # several lines in one write
    pads: bool = False
    nine_fields: bool = False
    resets_on_atz: bool = True
    interleaved: bool = False  # an indication between echo and OK, and between a header and its data
    boot_s: float = 0.3
    boot_garbage: bytes = b"\x00\xff\x8e\x01"
    answer_s: float = 0.0
    message_s: float = 0.05  # until a message gets its OK
    busy_messages: int = 0  # so many messages are refused because the radio is signalling
    deaf_while_busy: bool = False  # what arrives while a message waits for its OK is lost
    mute_releases: int = 0  # so many releases are done but not answered
    grant_s: float = 0.05
    queue_s: float = 0.3
    hang_s: float = 5.0
    data_late_s: float = 2.0


PROFILES = {
    "plain": Quirks(),
    "motorola": Quirks(model="motorola", pads=True, newline=b"\r\n", echo=True),
    "sepura": Quirks(model="sepura", echo=False, space=True, together=True),
    "ril": Quirks(model="ril", space=False, nine_fields=True, echo=False),
}


@dataclass
class Call:
    """A call as the radio knows it."""

    instance: int
    peer: str
    group: bool
    incoming: bool
    priority: int = 0
    duplex: bool = False
    keyed: bool = False
    queued: bool = False
    talker: str = ""


class Air(Protocol):
    """The network, as a radio needs it."""

    # *radio* is a TetraSimulator; its module imports this one.

    def decide(self, radio: Any, call: Call, priority: int) -> int:
        """Return the grant for a demand."""
        ...

    def spoke(self, radio: Any, call: Call, now_s: float) -> None:
        """*radio* was granted."""
        ...

    def ceased(self, radio: Any, call: Call, now_s: float) -> None:
        """*radio* stopped."""
        ...

    def message(self, radio: Any, called: str, service: int, digits: str, now_s: float) -> bool:
        """*radio* sent a message; return whether it left."""
        ...
