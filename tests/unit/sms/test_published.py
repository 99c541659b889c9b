"""The codec against what other projects publish; see tests/data/sms/README.md."""

import json
from pathlib import Path

import pytest

from sms import gsm7, pdu
from sms.describe import describe
from sms.errors import PduError

DATA = Path(__file__).parents[2] / "data" / "sms"
# Their fill bits are not zero, or their zone is none: read, but not written again in the same way.
NOT_CANONICAL = {"multipart1", "multipart2", "report_3"}


def cases(*names):
    return [
        pytest.param(case, id=f"{name}-{case['case']}")
        for name in names
        for case in json.loads((DATA / f"{name}.json").read_text())
    ]


@pytest.mark.parametrize("case", cases("modemmanager", "ofono", "python_messaging"))
def test_read_as_published(case):
    told = describe(pdu.decode(pdu.from_hex(case["pdu"])))
    told["number"] = told.get("sender", told.get("recipient"))
    expected = {name: value for name, value in case.items() if name not in {"case", "pdu", "length"}}
    assert {name: told.get(name) for name in expected} == expected


@pytest.mark.parametrize("case", cases("modemmanager", "ofono", "python_messaging", "gammu"))
def test_written_as_published(case):
    if case["case"] in NOT_CANONICAL:
        assert pdu.decode(pdu.from_hex(case["pdu"]))
        return
    message = pdu.decode(pdu.from_hex(case["pdu"]))
    written = pdu.encode(message).hex().upper()
    assert written in {case["pdu"], "00" + case["pdu"]}
    if "length" in case:
        assert len(pdu.encode_tpdu(message)) == case["length"]


@pytest.mark.parametrize("case", cases("gammu"))
def test_gammu_pairs(case):
    message = pdu.decode(pdu.from_hex(case["pdu"]))
    who = message.recipient if isinstance(message, pdu.Submit) else message.sender
    text = case["text"].replace("š", "s") if case["coding"] == "Default" else case["text"]
    assert (who.value, message.centre.value) == (case["number"], case["centre"])
    assert message.data.text
    assert text.startswith(message.data.text)
    assert len(message.data.text) >= min(len(text), 70)
    if isinstance(message, pdu.Deliver) and case["sent"]:
        assert message.timestamp.strftime("%Y%m%dT%H%M%S") == case["sent"]


@pytest.mark.parametrize("case", cases("ofono_alphabets"))
def test_national_alphabets(case):
    message = pdu.decode(pdu.from_hex(case["pdu"]))
    assert gsm7.decode(message.data.units, case["locking"], case["single"]) == case["text"]


@pytest.mark.parametrize("case", cases("invalid"))
def test_refused(case):
    with pytest.raises(PduError):
        pdu.decode(pdu.from_hex(case["pdu"]))
