from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asterisk.errors import AgiProtocolError, UnsafeValueError
from gateway.asterisk.fastagi_codec import AgiCodec, AgiHangup, AgiReply, AgiRequest, encode

DATA = Path("tests/data/agi")
REQUEST = (DATA / "request_with_chinese_name").read_bytes()
DIALOGUE = REQUEST + (DATA / "replies_then_hangup").read_bytes()
SHORT = b"agi_network: yes\n\n"


def replies(data: bytes) -> list[AgiReply | AgiHangup | AgiRequest]:
    return AgiCodec().feed(SHORT + data)[1:]


def test_a_recorded_request():
    (request,) = AgiCodec().feed(REQUEST)
    assert isinstance(request, AgiRequest)
    assert request.script == "incoming"
    assert request.caller_name == "单雄信 𠮷野家 🚒"
    assert request.caller_number == "110"
    assert request.called_number == ""
    assert request.redirecting_number == ""
    assert request.arguments == ("line-1",)
    assert (request.context, request.extension, request.language) == ("tl-test", "agi", "en")
    assert request.channel.startswith("Local/echo@tl-test-")
    assert request.uniqueid.endswith(".0")
    assert "单雄信" not in repr(request)


def test_a_recorded_dialogue():
    items = AgiCodec().feed(DIALOGUE)[1:]
    assert items[2] == AgiReply(200, "1", "x", None, "result=1 (x)")
    assert items[5].status == 520
    assert "Sets a variable" in items[5].text
    assert items[6].result == "-2"
    assert items[7].endpos == 0
    assert items[8].value == "单雄信 𠮷野家 🚒"
    assert items[11].value == ""
    assert items[13] == AgiHangup()
    assert items[14].status == 511
    assert len(items) == 15


@given(st.lists(st.integers(0, len(DIALOGUE)), max_size=30))
def test_chunks_do_not_matter(cuts):
    codec = AgiCodec()
    edges = [0, *sorted(cuts), len(DIALOGUE)]
    pieces = [item for a, b in pairwise(edges) for item in codec.feed(DIALOGUE[a:b])]
    assert pieces == AgiCodec().feed(DIALOGUE)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("200 result=1 (a) b)", AgiReply(200, "1", "a) b", None, "result=1 (a) b)")),
        ("200 result=0 (timeout) endpos=1234", AgiReply(200, "0", "timeout", 1234, "result=0 (timeout) endpos=1234")),
        ("200 result=12#* (timeout)", AgiReply(200, "12#*", "timeout", None, "result=12#* (timeout)")),
        ("200 result=", AgiReply(200, "", None, None, "result=")),
        ("510 Invalid or unknown command", AgiReply(510, text="Invalid or unknown command")),
        ("520 Invalid command syntax.", AgiReply(520, text="Invalid command syntax.")),
        ("200 result=1 (两行\n曾国藩)", AgiReply(200, "1", "两行\n曾国藩", None, "result=1 (两行\n曾国藩)")),
    ],
)
def test_replies(line, reply):
    assert replies(line.encode() + b"\n") == [reply]


def test_hangup_stands_anywhere():
    assert replies(b"HANGUP\n200 result=1\nHANGUP\n") == [AgiHangup(), replies(b"200 result=1\n")[0], AgiHangup()]
    usage = replies(b"520-Invalid\nHANGUP\nusage\n520 End\n")
    assert usage[0] == AgiHangup()
    assert usage[1].status == 520


def test_garbage_lines_are_skipped_and_counted():
    codec = AgiCodec()
    items = codec.feed(SHORT + b"\xff\xfe\nwhat\n\n200 result=1\r\n")
    assert [type(item) for item in items] == [AgiRequest, AgiReply]
    assert codec.garbage == 2


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\n",
        b"x" * 70_000,
        b"agi_network: yes\n" + b"agi_x: y\n" * 10_000,
        SHORT + b"200 result=1 (" + b"x\n" * 40_000,
        SHORT + b"520-usage\n" * 10_000,
        SHORT + b"junk\n" * 101,
    ],
    ids=["http", "empty", "endless_line", "endless_environment", "endless_value", "endless_usage", "only_garbage"],
)
def test_a_peer_that_does_not_speak_agi_is_given_up(data):
    with pytest.raises(AgiProtocolError):
        AgiCodec().feed(data)


@given(st.binary(max_size=2000))
def test_any_bytes_give_items_or_a_protocol_error(data):
    codec = AgiCodec()
    try:
        codec.feed(SHORT + data)
        codec.feed(b"\n")
    except AgiProtocolError:
        return
    assert len(codec._buffer) <= len(data)


def test_the_first_of_a_repeated_field_counts():
    (request,) = AgiCodec().feed(b"agi_network: yes\nagi_uniqueid: 1.0\nagi_uniqueid: forged\n\n")
    assert request.uniqueid == "1.0"


def test_wrong_encodings_are_survived():
    (request,) = AgiCodec().feed(b"agi_network: yes\nagi_calleridname: " + "仇英".encode("gb18030") + b"\n\n")
    assert "\ufffd" in request.caller_name


def test_encode_quotes_whatever_it_is_given():
    assert encode("SET VARIABLE", "TL_X", 'a "b" \\ 仇英') == 'SET VARIABLE "TL_X" "a \\"b\\" \\\\ 仇英"\n'.encode()
    assert encode("ANSWER") == b"ANSWER\n"


@pytest.mark.parametrize(
    ("command", "argument"),
    [("VERBOSE", "a\nHANGUP"), ("VERBOSE", "x" * 8190), ("EXEC x", "y"), ("A\nB", ""), ("", "")],
)
def test_encode_refuses(command, argument):
    with pytest.raises(UnsafeValueError):
        encode(command, argument)


def test_the_longest_line_fills_asterisks_buffer():
    assert len(encode("VERBOSE", "x" * (8190 - len('VERBOSE ""')))) == 8191
