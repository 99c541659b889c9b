"""The words of the TETRA Peripheral Equipment Interface as data: fields by message and dialect, and what values mean.

Source: ETSI EN 300 392-5 as far as public implementations and logs of real radios show it; the text of the standard
was not at hand, so a table is unverified unless its comment names a real radio. A dialect differs by table, never by
code: whoever meets a new radio adds a table.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType

IDENTITIES = frozenset(
    {"calling", "called", "talker", "identity", "group", "location_area", "mni", "address", "name", "location"}
)
"""Fields that stay text, because they name somebody or begin with zeros. Every other field is a counter."""

Fields = tuple[str, ...]
_CALL = ("instance", "status", "ai_service", "calling_type", "calling", "hook", "simplex", "e2e", "comms", "slots")
_TALKER = ("instance", "grant", "request_permission", "e2e", "talker_type", "talker")

PLAIN: Mapping[str, Fields] = MappingProxyType(
    {
        "CTICN": (*_CALL, "called_type", "called", "priority"),  # svxlink's log of a real radio
        "CTOCP": (
            "instance",
            "status",
            "ai_service",
            "hook",
            "simplex",
            "e2e",
            "comms",
            "slots",
            "called_type",
            "called",
        ),
        "CTCC": ("instance", "hook", "simplex", "e2e", "ai_service", "comms", "slots", "called_type", "called"),
        "CTXG": _TALKER,  # svxlink's log of a real radio
        "CTXI": _TALKER,
        "CTXW": ("instance", "request_permission"),
        "CDTXC": ("instance", "request_permission"),
        "CTCR": ("instance", "cause"),
        "CREG": ("status", "location_area", "mni"),
        "CSQ": ("level", "quality"),
        "CTBCT": ("location_area", "mni", "security", "service"),
        "CTDGR": ("communication", "address", "mni", "presence"),
        "CMGS": ("instance", "status", "reference"),
        "CNUMF": ("number_type", "identity", "name"),
        "CNUMS": ("number_type", "identity", "name"),
        "CNUMD": ("number_type", "identity", "name"),
        "CTOM": ("mode",),
        "CLVL": ("level",),
    }
)

SDS_FORMS: Mapping[int, Fields] = MappingProxyType(
    {
        3: ("ai_service", "called", "bits"),
        4: ("ai_service", "called", "called_type", "bits"),
        5: ("ai_service", "calling", "calling_type", "called", "bits"),
        6: ("ai_service", "calling", "calling_type", "called", "called_type", "bits"),
        7: ("ai_service", "calling", "calling_type", "called", "called_type", "bits", "e2e"),
        8: ("ai_service", "calling", "calling_type", "called", "called_type", "bits", "e2e", "sds_reference"),
    }
)
"""The header of a received message, by its number of fields; 3, 4, 6 and 7 have been seen."""


class Dialect(enum.Enum):
    """How a family of radios speaks. The value is the tables in which it differs from the plain one."""

    PLAIN = ("plain", MappingProxyType[str, Fields]({}))
    MOTOROLA = ("motorola", MappingProxyType[str, Fields]({}))  # pads hex to whole octets, which the codec always takes
    SEPURA = ("sepura", MappingProxyType[str, Fields]({}))  # does not pad; never send it ATZ, it reboots
    RIL = (  # Chinese trunking phones; nine fields are known, their order is unverified
        "ril",
        MappingProxyType[str, Fields](
            {
                "CTICN": (
                    "instance", "status", "ai_service", "calling_type", "calling", "comms", "called_type", "called",
                    "priority",
                ),
            }
        ),
    )  # fmt: skip

    def __init__(self, label: str, tables: Mapping[str, Fields]) -> None:
        self.label = label
        self.tables = tables

    def fields(self, name: str) -> Fields:
        """Return the fields of the message *name*, or nothing when this program does not know it."""
        return self.tables.get(name) or PLAIN.get(name, ())

    @classmethod
    def named(cls, label: str) -> "Dialect":
        """Return the dialect *label*; raise ``KeyError`` when there is none."""
        return {dialect.label: dialect for dialect in cls}[label]


class Grant(enum.IntEnum):
    """What became of a demand to transmit. Only ``GRANTED`` lets a voice out."""

    GRANTED = 0
    REFUSED = 1
    QUEUED = 2
    OTHER = 3  # another party was granted


class Release(enum.IntEnum):
    """Why a call ended, as far as the values are known."""

    UNDEFINED = 0
    USER = 1
    BUSY = 2
    UNREACHABLE = 3
    CONGESTION = 5
    PREEMPTED = 9
    TIMER = 13
    INFRASTRUCTURE = 14
    NO_ACKNOWLEDGEMENT = 15
    UNKNOWN_IDENTITY = 16
    RESTORATION_FAILED = 19
    TRANSMIT_NOT_AUTHORISED = 38
    CHANNEL_TAKEN = 39


class Registration(enum.IntEnum):
    """The state of registration. The numbers are not those of GSM."""

    SEARCHING = 0
    HOME = 1
    NONE = 2
    REJECTED = 3
    UNKNOWN = 4
    VISITED = 5


class ErrorCode(enum.IntEnum):
    """``+CME ERROR`` as the radio gives it."""

    NOT_IN_THIS_STATE = 3
    UNSUPPORTED = 4
    SIM = 5
    STACK_FULL = 20
    OUT_OF_SERVICE = 30
    NO_LAYER2_ACKNOWLEDGEMENT = 31
    DATA_UNDECODABLE = 32
    WRONG_TYPE = 33
    OUT_OF_RANGE = 34
    SYNTAX = 35
    DATA_WITHOUT_COMMAND = 36
    DATA_LATE = 37
    ALREADY_REGISTERED = 38
    TABLE_FULL = 39
    NOT_IN_DMO = 40
    TRANSMIT_INHIBITED = 41
    BUSY_SIGNALLING = 42
    NOT_IN_TMO = 43


class Mode(enum.IntEnum):
    """The operating mode (``+CTOM``)."""

    TMO = 0
    DMO = 1
    DUAL_WATCH_DMO = 2
    DUAL_WATCH_TMO = 3
    GATEWAY = 5
    REPEATER = 6


NAMES: Mapping[tuple[str, str], tuple[str, type[enum.IntEnum]]] = MappingProxyType(
    {
        ("CTCR", "cause"): ("reason", Release),
        ("CREG", "status"): ("registration", Registration),
        ("CTOM", "mode"): ("mode_name", Mode),
    }
)
"""Where a number has a name: the field that the name is told in, and the names."""


def signal_dbm(level: int) -> int | None:
    """Return the field strength of ``+CSQ``: −113 + 2 n dBm; 99 is unknown, as is anything above 31."""
    return -113 + 2 * level if 0 <= level <= 31 else None  # 31 is the end of the scale
