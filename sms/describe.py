"""A PDU in the words of other programs, pure: what ``trunkline decode sms`` prints and the simulator logs."""

from datetime import datetime
from typing import Any

from sms.address import Address
from sms.coding import Alphabet
from sms.pdu import Deliver, Pdu, Submit, UserData
from sms.times import Absolute, Enhanced, Relative, Validity


def describe(pdu: Pdu) -> dict[str, Any]:
    """Return the fields of a PDU: numbers of people as strings, times as ISO 8601 with their zone.

    ``validity`` is seconds (relative, enhanced) or a time (absolute); ``status`` is the octet TP-ST and ``outcome`` its
    meaning; ``parts`` is null for a message of one segment; ``data`` is there for 8-bit data, as hexadecimal digits.
    """
    told: dict[str, Any] = {"type": "report", "centre": _value(pdu.centre)}
    if isinstance(pdu, Submit):
        told |= {"type": "submit", "recipient": pdu.recipient.value, **_data(pdu.data), "reference": pdu.reference}
        told |= {"validity": _validity(pdu.validity), "timestamp": None, "status": None, "pid": pdu.pid}
        told |= {"replace": pdu.replace, "report_requested": pdu.report_requested}
        return told | {"reject_duplicates": pdu.reject_duplicates, "reply_path": pdu.reply_path}
    if isinstance(pdu, Deliver):
        told |= {"type": "deliver", "sender": pdu.sender.value, **_data(pdu.data), "reference": None, "validity": None}
        told |= {"timestamp": _time(pdu.timestamp), "status": None, "pid": pdu.pid, "replace": pdu.replace}
        return told | {"more_waiting": pdu.more_waiting, "reply_path": pdu.reply_path}
    told |= {"recipient": pdu.recipient.value, **_data(pdu.data), "reference": pdu.reference, "validity": None}
    told |= {"timestamp": _time(pdu.timestamp), "discharged": _time(pdu.discharged)}
    return told | {"status": pdu.status, "outcome": outcome(pdu.status)}


def outcome(status: int) -> str:
    """Return what a status octet means: delivered, retrying, failed (TS 23.040 section 9.2.3.15)."""
    if status < 0x20:
        return "delivered"
    return "retrying" if status < 0x40 else "failed"


def _data(data: UserData | None) -> dict[str, Any]:
    if data is None:
        return {"text": None, "parts": None, "class": None}
    part = data.part
    parts = None if part is None else {"ref": part.reference, "index": part.index, "total": part.total}
    told: dict[str, Any] = {"text": data.text, "parts": parts, "class": data.coding.message_class}
    told |= {"flash": data.coding.message_class == 0, "alphabet": data.coding.alphabet.value}
    if data.coding.alphabet is Alphabet.DATA or data.coding.compressed:
        told["data"] = data.units.hex().upper()
    if data.header:
        told["header"] = [{"element": element.kind, "data": element.data.hex().upper()} for element in data.header]
    return told


def _validity(validity: Validity | None) -> int | str | None:
    if isinstance(validity, Relative | Enhanced):
        return validity.seconds
    return _time(validity.until) if isinstance(validity, Absolute) else None


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()


def _value(address: Address | None) -> str | None:
    return None if address is None else address.value
