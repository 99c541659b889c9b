import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidInputError
from trunks.radio import sds, sds_text
from trunks.radio.sds import Delivery, Part, Report, ReportRequest, Transfer
from trunks.radio.sds_parts import MESSAGES_LIMIT, PATIENCE_S, SdsParts

NAMES = "单雄信、曾国藩、仇英：请到𠮷野家集合🚒。"


def test_a_text_of_a_real_radio_and_its_answer():
    message = sds.decode("82040801476A61746A616A676A61")
    assert sds.as_dict(message) | {"protocol": 0x82} == sds.as_dict(message)
    assert (message.text, message.reference, message.report) == ("Gjatjajgja", 8, ReportRequest.RECEIVED)
    assert sds.encode(sds.answer(message, Delivery.RECEIVED)) == "82100008"


@pytest.mark.parametrize(
    ("digits", "shown"),
    [
        ("0201746573746D657373616765", {"type": "text", "text": "testmessage", "coding": "latin-1"}),
        ("0901746573746D657373616765", {"type": "text", "protocol": 9}),
        ("82029C01746573746D657373616765", {"type": "transfer", "text": "testmessage", "mr": 0x9C}),
        ("82039C5101020301746573746D657373616765", {"text": "testmessage", "mr": 0x9C}),
        ("82029C81045A8F746573746D657373616765", {"text": "testmessage", "timestamp": "04-11T10:15"}),
        ("8206C981445A8F746573746D657373616765", {"timestamp": "04-11T10:15Z", "report_requested": "received"}),
        (
            "8A02CA81045A8F050003C90202746573746D657373616765",
            {"text": "testmessage", "mr": 0xCA, "parts": {"ref": 0xC9, "index": 2, "total": 2}},
        ),
        ("821000C9", {"type": "report", "delivery": "received", "mr": 0xC9}),
        ("82104A07", {"type": "report", "delivery": "failed", "status": 0x4A, "mr": 7}),
        ("822001C9", {"type": "ack", "mr": 0xC9}),
        ("0000", {"type": "status", "status": 0, "emergency": True}),
        ("8004", {"type": "status", "status": 0x8004, "emergency": False}),
        ("7E2A", {"type": "short_report", "delivery": "received", "mr": 0x2A}),
        ("0A112853A9FF4D4FFFE810", {"type": "lip", "reason": 129}),
        ("0A112853A9FF4D4FFFE81", {"type": "lip", "reason": 129}),
        ("0201", {"type": "text", "text": ""}),
        ("8", {"type": "unknown"}),
        ("C100", {"type": "status"}),
        ("03AABB", {"type": "unknown", "data": "03AABB"}),
        ("82008C", {"type": "unknown"}),
        ("820108A3", {"type": "unknown"}),
    ],
)
def test_what_came(digits, shown):
    told = sds.as_dict(sds.decode(digits))
    assert told | shown == told


def test_nothing_that_could_be_a_status_is_lost():
    for value in range(0x10000):
        told = sds.decode(f"{value:04X}", status=True)
        assert told == sds.Status(value) or isinstance(told, sds.ShortReport)


def test_reports_want_to_be_acknowledged():
    assert sds.decode("821800CA") == Report(0x82, 0, 0xCA, acknowledge=True)


def test_chinese_goes_as_ucs_2():
    (message,) = sds.texts("消防车🚒", reference=5)
    assert message.coding == sds_text.UCS_2
    assert sds.as_dict(sds.decode(sds.encode(message)))["coding"] == "ucs-2"
    assert sds.decode(sds.encode(message)).text == "消防车🚒"


def test_packed_seven_bits():
    assert sds.decode("82000100E8329BFD06").text == "hello"
    assert sds_text.decode(bytes.fromhex("9B32"), sds_text.PACKED) == "€"


def test_an_unknown_coding_shows_every_octet():
    assert sds.as_dict(sds.decode("8200017F41FF"))["text"] == "Aÿ"
    assert sds.as_dict(sds.decode("8200017F41FF"))["coding"] == "unknown-127"


@given(st.text(max_size=600), st.integers(0, 255))
def test_any_text_comes_back_whole_in_any_order(text, reference):
    messages = sds.texts(text, reference=reference)
    parts, told = SdsParts(), []
    for message in reversed(messages):
        digits = sds.encode(message)
        assert len(digits) * 4 <= 140 * 8 + 64
        told.append(parts.add("23404", sds.decode(digits), 0.0))
    assert told[-1] == text
    assert not any(told[:-1])


def test_parts_are_never_cut_within_a_character():
    for message in sds.texts("🚒" * 200, reference=1):
        assert set(message.text) == {"🚒"}


def test_a_text_without_end_is_refused():
    with pytest.raises(InvalidInputError):
        sds.texts("长" * 20_000, reference=1)


def test_parts_of_two_senders_are_kept_apart_and_a_part_counts_once():
    parts = SdsParts()
    first, second = sds.texts(NAMES * 4, reference=9)[:2]
    assert parts.add("1", first, 0.0) is None
    assert parts.add("1", first, 0.0) is None
    assert parts.add("2", second, 0.0) is None
    assert len(sds.texts(NAMES * 4, reference=9)) == 2
    assert parts.add("2", first, 0.0) == NAMES * 4


def test_a_character_cut_by_the_sender_is_whole_again():
    whole = "🚒".encode("utf-16-be")
    parts = SdsParts()
    assert parts.add("1", Transfer(0x8A, 1, whole[:2], 26, part=Part(3, 1, 2)), 0.0) is None
    assert parts.add("1", Transfer(0x8A, 2, whole[2:], 26, part=Part(3, 2, 2)), 0.0) == "🚒"


def test_waiting_parts_are_bounded_and_expire():
    parts = SdsParts()
    for number in range(MESSAGES_LIMIT + 5):
        parts.add(str(number), Transfer(0x8A, 1, b"a", 1, part=Part(3, 1, 2)), float(number) / 1000)
    late = parts.expire(PATIENCE_S + 1)
    assert len(late) == MESSAGES_LIMIT
    assert late[0] == ("5", "a")
    assert parts.expire(PATIENCE_S * 2) == []


@given(st.text(alphabet="0123456789abcdefABCDEF", min_size=1, max_size=90), st.sampled_from([None, True, False]))
def test_any_digits_are_read(digits, status):
    told = sds.decode(digits, status=status)
    assert sds.as_dict(told)["type"]
    if isinstance(told, Transfer | Report | sds.Acknowledgement | sds.SimpleText | sds.ShortReport):
        assert sds.decode(sds.encode(told)) == told


@pytest.mark.parametrize("bad", ["", "xyz", "82 10", "８２"])
def test_what_is_not_hexadecimal_is_refused(bad):
    with pytest.raises(InvalidInputError):
        sds.decode(bad)
