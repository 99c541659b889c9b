"""What an error of the network or of the modem means for a message, as data.

Source: 3GPP TS 27.005 section 3.2.5, TS 24.011 annex E, TS 27.007 section 9.2.
"""

import enum

from sms.at import Final


class Cure(enum.StrEnum):
    """What is to be done about a segment that was refused."""

    RETRY = "retry"  # later, on any modem
    PERMANENT = "permanent"  # never: the recipient or the text is at fault
    PURGE = "purge"  # the storage is full: empty it, then again
    MODEM = "modem"  # this modem cannot send: another one, and an alarm
    UNKNOWN = "unknown"  # it may have been sent


_CMS: dict[int, Cure] = {
    **dict.fromkeys((38, 41, 42, 47, 192, 194, 314, 331, 332), Cure.RETRY),
    **dict.fromkeys((1, 8, 10, 21, 27, 28, 29, 30, 50, 69, 144, 195, 196, 304), Cure.PERMANENT),
    **dict.fromkeys((208, 211, 322), Cure.PURGE),
    **dict.fromkeys((310, 311, 312, 313, 315, 316, 317, 318, 330), Cure.MODEM),
    500: Cure.UNKNOWN,
}
_CME: dict[int, Cure] = {
    **dict.fromkeys((14, 515), Cure.RETRY),
    **dict.fromkeys((10, 11, 12, 13, 15, 16, 17, 18), Cure.MODEM),
    20: Cure.PURGE,
    **dict.fromkeys((30, 31, 32), Cure.RETRY),
    100: Cure.UNKNOWN,
}


def cure_of(final: Final) -> Cure:
    """Return what a refusal of ``+CMGS`` asks for; one that nobody knows is tried again."""
    if final.kind == "CMS":
        return _CMS.get(final.code, Cure.RETRY)
    if final.kind == "CME":
        return _CME.get(final.code, Cure.RETRY)
    return Cure.RETRY


def cause_of(final: Final) -> str:
    """Return a stable short name: ``cms-38``, ``cme-515``, ``error``."""
    return f"{final.kind.lower()}-{final.code}" if final.code >= 0 else final.kind.lower()
