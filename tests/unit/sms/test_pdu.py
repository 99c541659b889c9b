import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from gateway.app.cli import main
from sms import address, gsm7, pdu, segments, times, ucs2
from sms.alphabets import LOCKING, SINGLE
from sms.coding import Alphabet, coding_of
from sms.describe import describe, outcome
from sms.errors import PduError, SmsNumberError, SmsTextError
from sms.header import LOCKING_SHIFT, SINGLE_SHIFT, Element, Part
from sms.pdu import Deliver, StatusReport, Submit, UserData

ZENG = "【应急值班室】曾国藩：请到𠮷野家集合🚒，收到请回复。"
GSM_TEXT = st.text(alphabet="".join(LOCKING[0]).replace("\x1b", "") + "^{}\\[~]|€", max_size=400)
ANY_TEXT = st.one_of(GSM_TEXT, st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
NUMBERS = st.from_regex(r"\+?[0-9*#abc]{1,20}", fullmatch=True)
STAMPS = st.integers(631_152_000, 3_155_760_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
ZONED = st.builds(
    lambda when, quarters: when.astimezone(timezone(timedelta(minutes=15 * quarters))), STAMPS, st.integers(-48, 56)
)


def joined(parts):
    """Return the text of segments as a phone puts them together."""
    first = parts[0].data
    return pdu.text_of(first.coding, b"".join(part.data.units for part in parts), first.header)


@given(ANY_TEXT, NUMBERS, st.booleans(), st.integers(0, 255))
def test_any_text_comes_back_whole(text, number, wide, reference):
    parts = [
        Submit(recipient=address.number(number), data=data)
        for data in segments.split(text, wide=wide).user_data(reference, wide=wide)
    ]
    back = [pdu.decode(pdu.encode(part)) for part in parts]
    assert back == parts
    assert joined(back) == text
    assert "".join(part.data.text for part in back) == text  # so no character is cut in two
    assert all(len(pdu.encode_tpdu(part)) <= 164 for part in parts)
    if len(parts) > 1:
        assert [part.data.part for part in back] == [
            Part(reference, index, len(parts), wide=wide) for index in range(1, len(parts) + 1)
        ]


VALIDITIES = st.one_of(
    st.none(),
    st.integers(0, 255).map(times.Relative),
    ZONED.map(times.Absolute),
    st.binary(min_size=7, max_size=7).map(times.Enhanced),
)
ELEMENTS = st.lists(st.builds(Element, st.integers(0, 255), st.binary(max_size=8)), max_size=3).map(tuple)
DATA = st.one_of(
    st.builds(UserData, st.sampled_from([0x00, 0x10, 0xF1]), GSM_TEXT.map(lambda t: gsm7.encode(t)[:120]), ELEMENTS),
    st.builds(UserData, st.sampled_from([0x04, 0x08, 0x18, 0xF4, 0x20]), st.binary(max_size=100), ELEMENTS),
)
NAMES = st.text(alphabet="ABCsipgate 12", min_size=1, max_size=11)
PDUS = st.one_of(
    st.builds(
        Submit,
        recipient=NUMBERS.map(address.number),
        data=DATA,
        reference=st.integers(0, 255),
        pid=st.integers(0, 255),
        validity=VALIDITIES,
        report_requested=st.booleans(),
        reject_duplicates=st.booleans(),
        reply_path=st.booleans(),
    ),
    st.builds(
        Deliver,
        sender=st.one_of(NUMBERS.map(address.number), NAMES.map(address.name)),
        data=DATA,
        timestamp=ZONED,
        more_waiting=st.booleans(),
        report_follows=st.booleans(),
    ),
    st.builds(
        StatusReport,
        reference=st.integers(0, 255),
        recipient=NUMBERS.map(address.number),
        timestamp=ZONED,
        discharged=ZONED,
        status=st.integers(0, 255),
    ),
)
CENTRES = st.one_of(st.none(), st.from_regex(r"\+?[0-9]{1,20}", fullmatch=True).map(address.number))


@given(PDUS, CENTRES)
def test_what_is_written_is_read_back(message, centre):
    whole = type(message)(**{name: getattr(message, name) for name in message.__slots__} | {"centre": centre})
    assert pdu.decode(pdu.encode(whole)) == whole
    assert pdu.decode_tpdu(pdu.encode_tpdu(whole), centre) == whole
    json.dumps(describe(whole), ensure_ascii=False).encode()


@given(st.builds(Submit, recipient=st.from_regex(r"\+?[0-9]{5,20}", fullmatch=True).map(address.number), data=DATA))
def test_a_submit_may_lack_the_centre(message):
    assert pdu.decode(pdu.encode_tpdu(message)) == message


@given(st.binary(max_size=200))
def test_any_octets_are_survived(octets):
    try:
        message = pdu.decode(octets)
    except PduError:
        return
    json.dumps(describe(message), ensure_ascii=False).encode()


@given(PDUS, st.data())
def test_cut_or_lengthened_is_refused(message, data):
    octets = pdu.encode(message)
    cut = data.draw(st.integers(1, len(octets) - 1))
    for wrong in (octets[:cut], octets + b"\x00\x00\x00"):
        try:
            again = pdu.decode(wrong)
        except PduError:
            continue
        # A report may go on with optional fields, or end before them; other types may not.
        assert isinstance(again, StatusReport) or again != message


@pytest.mark.parametrize("text", ["", "  ", "0", "zz", "07 91", "00" * 400, "收到", "0x0791"])
def test_what_is_no_hexadecimal_is_refused(text):
    with pytest.raises(PduError):
        pdu.decode(pdu.from_hex(text))


@pytest.mark.parametrize(
    ("text", "wide", "lengths"),
    [
        ("a" * 160, False, [160]),
        ("a" * 161, False, [153, 8]),
        ("a" * 161, True, [152, 9]),
        ("€" * 80, False, [160]),
        ("a" + "€" * 80, False, [153, 8]),
        ("€" * 81, False, [152, 10]),
        ("警" * 70, False, [140]),
        ("警" * 71, False, [134, 8]),
        ("警" * 71, True, [132, 10]),
        ("🚒" * 35, False, [140]),
        ("🚒" * 36, False, [132, 12]),
        ("警" + "🚒" * 35, False, [134, 8]),
    ],
)
def test_limits_of_segments(text, wide, lengths):
    assert [len(units) for units in segments.split(text, wide=wide).units] == lengths


@pytest.mark.parametrize(
    ("char", "wide", "most"), [("A", True, 152), ("A", False, 153), ("Ж", True, 66), ("Ж", False, 67)]
)
def test_255_segments_are_the_most(char, wide, most):
    assert len(segments.split(char * most * 255, wide=wide)) == 255
    with pytest.raises(SmsTextError):
        segments.split(char * (most * 255 + 1), wide=wide)


def test_half_a_pair_cannot_be_sent_but_is_survived():
    with pytest.raises(SmsTextError):
        segments.split("警\ud83d")
    assert ucs2.decode("🚒".encode("utf-16-be")[:2]) == "\ufffd"
    halves = [UserData(8, units) for units in (b"\xd8\x3d", b"\xde\x92")]
    assert pdu.text_of(halves[0].coding, b"".join(half.units for half in halves)) == "🚒"


@pytest.mark.parametrize("name", ["sipgate", "A", "Trunkline1", "InternetSMS", "12345678", "abcdefg"])
def test_names_of_senders(name):
    octets = address.encode(address.name(name))
    assert address.decode(octets, 0) == (address.Address(name, 0xD0), len(octets))


def test_seven_characters_written_as_fourteen_semi_octets():
    octets = bytes((14,)) + address.encode(address.name("sipgate"))[1:]
    assert address.decode(octets, 0)[0].value == "sipgate"


@pytest.mark.parametrize("number", ["", "+", "12 3", "１２３", "1" * 21, "sipgate", "+86-139"])
def test_what_is_no_number_is_refused(number):
    with pytest.raises(SmsNumberError):
        address.number(number)


@pytest.mark.parametrize(
    ("octet", "alphabet", "message_class", "compressed"),
    [
        (0x00, Alphabet.GSM7, None, False),
        (0x10, Alphabet.GSM7, 0, False),
        (0x18, Alphabet.UCS2, 0, False),
        (0x08, Alphabet.UCS2, None, False),
        (0x04, Alphabet.DATA, None, False),
        (0x2A, Alphabet.UCS2, None, True),
        (0x48, Alphabet.UCS2, None, False),
        (0x80, Alphabet.GSM7, None, False),
        (0xC8, Alphabet.GSM7, None, False),
        (0xE0, Alphabet.UCS2, None, False),
        (0xF1, Alphabet.GSM7, 1, False),
        (0xF6, Alphabet.DATA, 2, False),
    ],
)
def test_coding_schemes(octet, alphabet, message_class, compressed):
    coding = coding_of(octet)
    assert (coding.alphabet, coding.message_class, coding.compressed) == (alphabet, message_class, compressed)


@pytest.mark.parametrize(
    ("octet", "seconds"),
    [(0, 300), (143, 43_200), (144, 45_000), (167, 86_400), (168, 172_800), (196, 2_592_000), (197, 3_024_000)],
)
def test_relative_validity(octet, seconds):
    assert times.Relative(octet).seconds == seconds
    assert times.relative(seconds) == times.Relative(octet)
    assert times.relative(seconds + 1) == times.Relative(octet)


def test_validity_is_bounded_on_both_sides():
    assert times.relative(0) == times.Relative(0)
    assert times.relative(10**9).seconds == 63 * 604_800


@pytest.mark.parametrize(
    ("octets", "seconds"), [("01A7", 86_400), ("0203", 3), ("03102030", 3723), ("00", None), ("03FFFFFF", 0)]
)
def test_enhanced_validity(octets, seconds):
    assert times.Enhanced(bytes.fromhex(octets).ljust(7, b"\0")).seconds == seconds


@pytest.mark.parametrize("language", [code for code in SINGLE if code])
def test_every_national_table_is_read(language):
    septets = b"".join(bytes((gsm7.ESCAPE, code)) for code in SINGLE[language])
    locking = bytes(code for code in range(128) if code != gsm7.ESCAPE)
    table = LOCKING.get(language, LOCKING[0])
    assert gsm7.decode(septets, 0, language) == "".join(SINGLE[language].values())
    assert gsm7.decode(locking, language, 0) == table[: gsm7.ESCAPE] + table[gsm7.ESCAPE + 1 :]
    data = UserData(0, septets[:100], (Element(SINGLE_SHIFT, bytes((language,))), Element(LOCKING_SHIFT, b"\x01")))
    assert data.text == "".join(SINGLE[language].values())[:50]


def test_escapes_that_nobody_defined():
    assert gsm7.decode(bytes((gsm7.ESCAPE, 0x41))) == "A"
    assert gsm7.decode(bytes((gsm7.ESCAPE, gsm7.ESCAPE, 0x41))) == " A"
    assert gsm7.decode(bytes((0x41, gsm7.ESCAPE))) == "A "


def test_flash_class_and_replace():
    flash = segments.split("ALARM").user_data(0, message_class=0)[0]
    told = describe(Submit(recipient=address.number("+861"), data=flash, pid=0x43))
    assert (told["class"], told["flash"], told["replace"]) == (0, True, 3)
    assert describe(Submit(recipient=address.number("+861"), data=flash, pid=0x40))["replace"] is None


@pytest.mark.parametrize(
    ("status", "meaning"), [(0, "delivered"), (0x1F, "delivered"), (0x30, "retrying"), (0x46, "failed")]
)
def test_outcomes(status, meaning):
    assert outcome(status) == meaning


def test_command_line_there_and_back():
    runner = CliRunner()
    made = runner.invoke(main, ["encode", "sms", "--to", "+8613900000001", "--text", ZENG * 3, "--class", "0"])
    assert made.exit_code == 0
    parts = json.loads(made.stdout)
    texts = []
    for index, part in enumerate(parts, 1):
        assert part["length"] == len(part["pdu"]) // 2 - 1
        told = json.loads(runner.invoke(main, ["decode", "sms", part["pdu"]]).stdout)
        assert (told["type"], told["recipient"], told["class"]) == ("submit", "+8613900000001", 0)
        assert (told["parts"]["index"], told["parts"]["total"]) == (index, len(parts))
        texts.append(told["text"])
    assert "".join(texts) == ZENG * 3


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["decode", "sms", "079132"], 3, "sms.pdu"),
        (["encode", "sms", "--to", "曾国藩", "--text", "x"], 3, "sms.number"),
        (["encode", "sms", "--to", "1", "--text", "警" * 18000], 3, "sms.text"),
        (["encode", "sms", "--to", "1", "--text", "x", "--reference", "256"], 2, "--wide"),
    ],
)
def test_command_line_errors(arguments, code, error):
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, error in result.stderr) == (code, True)
