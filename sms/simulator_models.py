"""What is imitated, as data: the quirks of models, and SIM cards."""

from dataclasses import dataclass, field

MEMORIES = ("SM", "ME", "SR")


@dataclass(frozen=True, slots=True)
class Quirks:
    """How a model differs from the standards."""

    maker: str = "Trunkline"
    model: str = "27.005 simulator"
    first_slot: int = 1
    memories: tuple[str, ...] = MEMORIES
    cnmi_refused: tuple[str, ...] = ()
    list_hangs: bool = False
    unsupported: str = ""
    wrong_length: bool = False
    needs_factory_reset: bool = False
    busy_at_start: int = 0
    boot_news: tuple[str, ...] = ()
    chatter: str = ""


QUIRKS: dict[str, Quirks] = {
    "plain": Quirks(),
    "sim7600": Quirks(
        maker="SIMCOM INCORPORATED",
        model="SIMCOM_SIM7600CE",
        first_slot=0,
        needs_factory_reset=True,
        boot_news=("*ATREADY: 1", "+CPIN: READY", "SMS DONE", "PB DONE"),
    ),
    "ec25": Quirks(maker="Quectel", model="EC25", first_slot=0, boot_news=("+QIND: SMS DONE",)),
    "huawei": Quirks(
        maker="huawei",
        model="E1750",
        first_slot=0,
        memories=("SM", "ME"),
        cnmi_refused=("2,1,2,2,0",),
        list_hangs=True,
        unsupported="COMMAND NOT SUPPORT",
        wrong_length=True,
        boot_news=("^SYSSTART",),
        chatter="^RSSI:17",
    ),
    "siemens": Quirks(maker="SIEMENS", model="MC35i", cnmi_refused=("2,1,2,1,0",), boot_news=("^SYSSTART",)),
    "wavecom": Quirks(
        maker="WAVECOM MODEM",
        model="MULTIBAND  900E  1800",
        memories=("SM", "SR"),
        busy_at_start=3,
        boot_news=("+WIND: 1", "+WIND: 4"),
    ),
}


@dataclass(slots=True)
class Sim:
    """A SIM card; it outlives the modem that it is in. ``tries`` are left for the PIN."""

    number: str = "+8613800000001"
    imsi: str = "460000000000001"
    centre: str = "+8613800100500"
    operator: str = "CHINA MOBILE"
    pin: str = ""
    tries: int = 3
    capacity: int = 40
    stored: dict[str, dict[int, tuple[int, str]]] = field(default_factory=lambda: {name: {} for name in MEMORIES})
