"""Commands of the TETRA Peripheral Equipment Interface as octets. Pure.

Every command is one line ended by CR. ``ATZ`` is never sent: it rebooted a Sepura.
Source: ETSI EN 300 392-5 through public implementations; values as in :mod:`trunks.radio.pei_tables`.
"""

import enum
import re

from gateway.core.errors import InvalidInputError

_IDENTITY = re.compile(r"[0-9]{1,24}")
SDS_BITS_LIMIT = 2047

PROFILES: tuple[str, ...] = (
    "AT+CTSP=2,0,0",  # voice
    "AT+CTSP=1,1,11",  # groups
    "AT+CTSP=1,2,20",  # status
    "AT+CTSP=1,3,130",  # text
    "AT+CTSP=1,3,137",
    "AT+CTSP=1,3,138",
    "AT+CTSP=1,3,140",
    "AT+CTSP=1,3,10",  # position
)
"""What the radio is to hand on to this program. Volatile: sent again after every power cycle."""


class Demand(enum.IntEnum):
    """The priority of a demand to transmit."""

    LOW = 0
    HIGH = 1
    PREEMPTIVE = 2
    EMERGENCY = 3


def identity(text: str) -> str:
    """Return *text* when it can be addressed; raise :class:`InvalidInputError` otherwise, so nothing is injected."""
    if _IDENTITY.fullmatch(text) is None:
        raise InvalidInputError(field="identity", reason="it is not made of 1 to 24 digits")
    return text


def line(command: str) -> bytes:
    """Return one command with its CR. Raises :class:`InvalidInputError` for anything but printable ASCII."""
    if not command.isascii() or not command.isprintable():
        raise InvalidInputError(field="command", reason="it holds characters that no command has")
    return command.encode("ascii") + b"\r"


def demand(instance: int, priority: Demand = Demand.LOW) -> str:
    """Ask for permission to transmit within the call *instance*."""
    return f"AT+CTXD={instance},{priority.value}"


def cease(instance: int) -> str:
    """End transmitting within the call *instance*."""
    return f"AT+CUTXC={instance}"


def call_parameters(*, group: bool, transmit: bool = True, hook: bool = False, priority: int = 0) -> str:
    """Set how the next simplex call is made; with *transmit* it demands to speak at once.

    *priority* 0 to 15: from 12 it pre-empts, 15 is an emergency.
    """
    if not 0 <= priority <= 15:  # four bits
        raise InvalidInputError(field="priority", reason="it is not between 0 and 15")
    return f"AT+CTSDC=0,0,0,{int(not hook)},1,0,{int(group)},1,{int(transmit)},{priority},0"


def dial(called: str) -> str:
    """Call a group or an individual; the parameters were set before."""
    return f"ATD{identity(called)}"


def select_group(group: str) -> str:
    """Make *group* the selected one."""
    return f"AT+CTGS=1,{identity(group)}"


def select_service(*, status: bool) -> str:
    """Choose what the next message is: a status, or type 4 with the transport layer."""
    return "AT+CTSDS=13,0" if status else "AT+CTSDS=12,0,0,0,1"


def message(called: str, digits: str, bits: int | None = None) -> tuple[str, str]:
    """Return the line and the digits of one message; *bits* may leave the last digits partly unused."""
    length = 4 * len(digits) if bits is None else bits
    if not 0 < length <= min(SDS_BITS_LIMIT, 4 * len(digits)):
        raise InvalidInputError(field="message", reason=f"{length} bits do not fit")
    return f"AT+CMGS={identity(called)},{length}", digits
