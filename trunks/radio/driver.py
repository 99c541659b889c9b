"""The contract of a radio driver.

A driver says what it can do (:class:`Capability`) and does it through small ports; what it cannot do is absent, never a
stub. What happens on the air it tells as events, in order, to one listener. Pushing to talk is a port of its own,
because it is the one thing that must end by itself: whoever holds it renews its lease, and a keyer un-keys when the
renewals stop (see :mod:`trunks.radio.keyer`).
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gateway.core.supervisor import Reporter


class Capability(enum.StrEnum):
    """What a radio can do. Each names the port that does it, or what the events tell."""

    GRANTS = "grants"  # the network decides who speaks; without it, a key-up is a grant
    GROUPS = "groups"  # GroupPort
    CALLS = "calls"  # CallPort
    DUPLEX = "duplex"  # CallPort with duplex
    EMERGENCY = "emergency"  # CallPort with priority 15
    TEXT = "text"  # MessagePort.send_text
    STATUS = "status"  # MessagePort.send_status
    POSITION = "position"  # PositionHeard
    SIGNAL = "signal"  # SignalHeard
    REGISTRATION = "registration"  # RegistrationHeard
    SQUELCH = "squelch"  # SquelchHeard


class Verdict(enum.StrEnum):
    """What became of a demand to transmit. Only ``GRANTED`` lets a voice out."""

    GRANTED = "granted"
    QUEUED = "queued"  # wait: TransmitChanged tells
    REFUSED = "refused"
    TAKEN = "taken"  # somebody else was granted


class Stage(enum.StrEnum):
    """How far a message came. ``SENT`` is never ``DELIVERED``."""

    ACCEPTED = "accepted"  # the radio took it
    SENT = "sent"  # it left the radio
    DELIVERED = "delivered"
    CONSUMED = "consumed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LinkHeard:
    """The radio answers, or does not any more; *reason* says why."""

    up: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RegistrationHeard:
    """How the radio stands with its network."""

    state: str
    location_area: str = ""
    network: str = ""

    @property
    def in_service(self) -> bool:
        """Whether calls can be made."""
        return self.state in ("home", "visited")


@dataclass(frozen=True, slots=True)
class SignalHeard:
    """Field strength; absent when the radio does not know."""

    dbm: int | None


@dataclass(frozen=True, slots=True)
class GroupsHeard:
    """The selected group, and the groups that are listened to besides, with their priority 2 to 7."""

    selected: str
    scanned: dict[str, int]


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call, numbered by the radio. *late* when its beginning was missed."""

    call: int
    calling: str
    called: str
    group: bool
    priority: int
    incoming: bool
    late: bool = False

    @property
    def emergency(self) -> bool:
        """Whether somebody cries for help."""
        return self.priority == 15  # the highest of 0 to 15


@dataclass(frozen=True, slots=True)
class CallProgressed:
    """How far a call that was made here came: ``progressing``, ``queued``, ``paged``, ``continue``, ``hang_time``."""

    call: int
    progress: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is over; *reason* is the driver's stable word for it."""

    call: int
    reason: str


@dataclass(frozen=True, slots=True)
class TalkStarted:
    """Somebody else speaks."""

    call: int
    talker: str


@dataclass(frozen=True, slots=True)
class TalkEnded:
    """Nobody speaks any more; *free* when a demand would be heard."""

    call: int
    free: bool


@dataclass(frozen=True, slots=True)
class TransmitChanged:
    """What became of this radio's own transmission: a late grant, or its loss (``ended`` with *reason*)."""

    verdict: Verdict | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TransmitterStuck:
    """The transmitter does not let itself be released, or nobody knows whether it did. This is an alarm."""

    reason: str


@dataclass(frozen=True, slots=True)
class TextHeard:
    """A whole text arrived; the report that its sender wants is sent by the driver."""

    sender: str
    called: str
    text: str


@dataclass(frozen=True, slots=True)
class StatusHeard:
    """A pre-coded status; 0 is an emergency."""

    sender: str
    called: str
    status: int

    @property
    def emergency(self) -> bool:
        """Whether somebody cries for help."""
        return self.status == 0


@dataclass(frozen=True, slots=True)
class PositionHeard:
    """Where a radio is. Degrees north and east."""

    sender: str
    lat: float
    lon: float
    error_m: int | None
    speed_kmh: float | None
    heading_deg: float
    emergency: bool
    reason: int | None


@dataclass(frozen=True, slots=True)
class MessageProgressed:
    """How far the message came that ``send_text`` or ``send_status`` named *message*."""

    message: str
    stage: Stage
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SquelchHeard:
    """Whether the receiver lets something through."""

    open: bool


RadioEvent = (
    LinkHeard
    | RegistrationHeard
    | SignalHeard
    | GroupsHeard
    | CallStarted
    | CallProgressed
    | CallEnded
    | TalkStarted
    | TalkEnded
    | TransmitChanged
    | TransmitterStuck
    | TextHeard
    | StatusHeard
    | PositionHeard
    | MessageProgressed
    | SquelchHeard
)
Listener = Callable[[RadioEvent], None]
"""Told on the event loop; returns at once."""


@runtime_checkable
class PushToTalk(Protocol):
    """The one way to a transmitter. *holder* names who speaks (``operator:zhang``, ``patch:4``)."""

    async def key(self, holder: str, *, priority: int = 0) -> Verdict:
        """Demand to transmit, and return what the network decided so far.

        *priority* 0 to 15, as for calls. The demand lives as long as *holder* renews it, at most half a second apart.
        Raises :class:`trunks.radio.errors.KeyRefusedError` when it must not be keyed, and the errors of the port.
        """
        ...

    def renew(self, holder: str) -> None:
        """Say that *holder* still speaks. Returns at once, never fails; of another holder it means nothing."""
        ...

    async def release(self, holder: str) -> None:
        """End it. Idempotent; returns when the release was confirmed or the transmitter is told as stuck."""
        ...


@runtime_checkable
class GroupPort(Protocol):
    """Talk groups."""

    async def select_group(self, group: str) -> None:
        """Make *group* the one that a key-up speaks to."""
        ...


@runtime_checkable
class CallPort(Protocol):
    """Calls to somebody."""

    async def call(self, called: str, *, group: bool, duplex: bool = False, priority: int = 0) -> None:
        """Begin a call; what becomes of it is told by events."""
        ...

    async def answer(self, call: int) -> None:
        """Take an incoming call."""
        ...

    async def hang_up(self, call: int) -> None:
        """End a call."""
        ...


@runtime_checkable
class MessagePort(Protocol):
    """Short data."""

    async def send_text(self, called: str, text: str) -> str:
        """Send *text*, in parts if need be, and return the name by which its progress is told."""
        ...

    async def send_status(self, called: str, status: int) -> str:
        """Send a pre-coded status, and return the name by which its progress is told."""
        ...


@runtime_checkable
class RadioDriver(Protocol):
    """One radio. It is an adapter of the supervisor: ``run`` until cancelled, raise to be started again."""

    @property
    def name(self) -> str:
        """A topic level: ``radio-1``."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this radio can do."""
        ...

    @property
    def ptt(self) -> PushToTalk:
        """Its transmitter."""
        ...

    def listen(self, listener: Listener) -> None:
        """Tell every event to *listener* from now on."""
        ...

    async def run(self, reporter: Reporter) -> None:
        """Keep the radio at work."""
        ...


PORTS: dict[Capability, type] = {
    Capability.GROUPS: GroupPort,
    Capability.CALLS: CallPort,
    Capability.TEXT: MessagePort,
    Capability.STATUS: MessagePort,
}
"""Which port a capability promises."""
