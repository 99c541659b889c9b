"""What differs between modems, as data.

Sources: the makers' AT manuals and reports of users; "unverified" where only reports are known.
"""

import re
from dataclasses import dataclass

CNMI_LADDER = ("2,1,2,1,0", "2,1,2,2,0", "2,1,2,0,0")
"""News at once, messages to the storage, broadcasts to us; reports to us, else to the storage, else none."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One family of modems. ``model`` is searched in what ``+CGMI`` and ``+CGMM`` say.

    ``prepare`` is sent before anything is set, errors ignored. ``list_hangs``: ``+CMGL=4`` never ends, so the storage
    is read slot by slot. ``factory_reset``: registration comes only after ``AT&F``. ``restart`` restarts the modem.
    ``news`` are prefixes of its own unsolicited lines. ``first_slot`` is the lowest index of the storage.
    ``busy`` are CME codes that mean "ask again in a moment".
    """

    name: str
    model: str = ""
    prepare: tuple[str, ...] = ()
    cnmi: tuple[str, ...] = CNMI_LADDER
    news: tuple[str, ...] = ()
    list_hangs: bool = False
    keeps_link: bool = True
    first_slot: int = 1
    restart: str = "AT+CFUN=1,1"
    busy: tuple[int, ...] = (14, 515)


PLAIN = Profile(name="plain")
PROFILES: tuple[Profile, ...] = (
    Profile(
        name="sim7600",
        model=r"SIMCOM|SIM7[0-9]{3}",
        prepare=("AT&F", "ATE0"),  # some networks are only found from the factory's settings
        news=("+CPIN", "+SIMCARD", "+STIN", "*ATREADY", "+CFUN", "SMS DONE", "PB DONE"),
        first_slot=0,
        restart="AT+CRESET",
    ),
    Profile(
        name="ec25",
        model=r"Quectel|EC2[05]",
        prepare=('AT+QURCCFG="urcport","all"',),  # news on every port, also this one
        news=("+QIND", "+QUSIM", "+CPIN", "+CFUN", "+QSIMSTAT"),
        first_slot=0,
    ),
    Profile(
        name="huawei",
        model=r"huawei|E1[567]\d|E3\d\d\d",
        prepare=("AT^CURC=0",),  # no signal reports between the lines
        news=("^RSSI", "^BOOT", "^MODE", "^SRVST", "^SIMST", "^DSFLOWRPT", "^SMMEMFULL", "^ORIG", "^CEND", "^HCSQ"),
        list_hangs=True,
        first_slot=0,
    ),
    Profile(
        name="siemens",
        model=r"Siemens|Cinterion|MC35|TC35|BGS",
        cnmi=("2,1,0,1,1", "2,1,2,1,0", "2,1,2,2,0", "2,1,2,0,0"),
        news=("^SYSSTART", "^SYSLOADING", "^SBC", "+CPIN", "^SIND"),
        restart="AT^SMSO",  # off; its power has to come back by itself (unverified)
        keeps_link=False,
    ),
    Profile(
        name="wavecom",
        model=r"wavecom|WMOD|Fastrack|Sierra",
        news=("+WIND", "+CALA", "+WVMI"),
        restart="AT+CFUN=1",
    ),
)


def profile_of(identity: str) -> Profile:
    """Return the profile for what a modem says that it is; the plain one for one that nobody knows."""
    for profile in PROFILES:
        if re.search(profile.model, identity, re.IGNORECASE):
            return profile
    return PLAIN


def by_name(name: str) -> Profile | None:
    """Return the profile with this name."""
    return next((profile for profile in (PLAIN, *PROFILES) if profile.name == name), None)
