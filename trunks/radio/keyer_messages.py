"""What a keyer and its parent say to each other: one JSON object in each packet of a SOCK_SEQPACKET pair."""

from typing import Literal

import msgspec

from trunks.radio.pei import Indication

PACKET_LIMIT = 65536


class _Packet(msgspec.Struct, frozen=True, tag=True):
    pass


class Setup(_Packet, frozen=True, tag=True):
    """The first packet: what the keyer is to own. Empty *identity* or *sound_device* are not compared."""

    kind: Literal["pei", "lines"]
    port: str
    baud: int = 38400
    identity: str = ""
    sound_device: str = ""
    dialect: str = "plain"
    hard_limit_s: float = 180.0
    flow_control: bool = False
    ptt_lines: tuple[Literal["rts", "dtr"], ...] = ("rts",)
    squelch_line: Literal["cts", "dsr", "dcd", ""] = ""
    squelch_inverted: bool = False


class Command(_Packet, frozen=True, tag=True):
    """Say *line* to the radio, then *data* (digits of a message), and wait for its answer. Never keys."""

    id: int
    line: str
    data: str = ""
    timeout_s: float = 5.0


class Key(_Packet, frozen=True, tag=True):
    """Take the lease and key: on a PEI radio by *line*, on handshake lines by raising them."""

    id: int
    holder: str
    line: str = ""
    sound_device: str = ""
    timeout_s: float = 5.0


class Renew(_Packet, frozen=True, tag=True):
    """The holder still speaks."""

    holder: str


class Recover(_Packet, frozen=True, tag=True):
    """Release whatever a keyer before this one may have left keyed. Said once the port is known to be the radio's."""


class Unkey(_Packet, frozen=True, tag=True):
    """Let go."""

    id: int


ToKeyer = Setup | Command | Key | Renew | Recover | Unkey


class Answer(_Packet, frozen=True, tag=True):
    """The end of what *id* named.

    *outcome*: ``ok``; ``error`` with the radio's code or word; ``timeout``; ``interrupted`` by a release; ``refused``
    by the keyer, with *text* saying why; ``lost`` with the port.
    """

    id: int
    outcome: Literal["ok", "error", "timeout", "interrupted", "refused", "lost"]
    text: str = ""
    code: int | None = None
    lines: tuple[str, ...] = ()
    indications: tuple[Indication, ...] = ()


class Heard(_Packet, frozen=True, tag=True):
    """What the radio said, in order; also what came while a command waited."""

    indication: Indication


class Squelch(_Packet, frozen=True, tag=True):
    """What the squelch line says."""

    open: bool


class Transmitter(_Packet, frozen=True, tag=True):
    """The state of the transmitter, as far as the keyer can know, and why it changed."""

    state: Literal["idle", "keyed", "releasing", "stuck"]
    reason: str = ""


class Failed(_Packet, frozen=True, tag=True):
    """The port is gone; the keyer ends after this."""

    reason: str


FromKeyer = Answer | Heard | Squelch | Transmitter | Failed

_ENCODER = msgspec.json.Encoder()
_TO: msgspec.json.Decoder[ToKeyer] = msgspec.json.Decoder(ToKeyer)
_FROM: msgspec.json.Decoder[FromKeyer] = msgspec.json.Decoder(FromKeyer)


def pack(message: ToKeyer | FromKeyer) -> bytes:
    """Return *message* as one packet."""
    return _ENCODER.encode(message)


def unpack_to_keyer(packet: bytes) -> ToKeyer:
    """Read a packet of the parent; raise ``msgspec.DecodeError`` for anything else."""
    return _TO.decode(packet)


def unpack_from_keyer(packet: bytes) -> FromKeyer:
    """Read a packet of the keyer; raise ``msgspec.DecodeError`` for anything else."""
    return _FROM.decode(packet)
