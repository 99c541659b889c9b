import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asterisk.ami_codec import AmiCodec, AmiMessage, encode
from gateway.asterisk.errors import UnsafeValueError

DATA = Path("tests/data/ami")
GREETING = b"Asterisk Call Manager/11.0.0\r\n"
RECORDED = (DATA / "call_through_fastagi").read_bytes()


def read(data: bytes, codec: AmiCodec | None = None) -> list[AmiMessage]:
    return (codec or AmiCodec()).feed(data)


def chunked(data: bytes, cuts: list[int], codec: AmiCodec) -> list[AmiMessage]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [message for a, b in pairwise(edges) for message in codec.feed(data[a:b])]


def test_a_recorded_call_is_read_whole():
    codec = AmiCodec()
    messages = read(RECORDED, codec)
    assert codec.greeting == "Asterisk Call Manager/11.0.0"
    assert (codec.garbage, codec.oversize) == (0, 0)
    assert len(messages) == RECORDED.count(b"\r\n\r\n")
    assert [m.response for m in messages if m.response] == ["Success", "Success"]
    events = [m.event for m in messages]
    assert events.count("Newchannel") == events.count("Hangup") == 2
    done = next(m for m in messages if m.event == "OriginateResponse")
    assert done.action_id == "o1"
    named = next(m for m in messages if m.event == "Hangup")
    assert named.get("CallerIDName") == "单雄信 𠮷野家 🚒"
    assert named.get("AccountCode", "none") == ""
    assert named.get("NoSuch", "none") == "none"


@given(st.lists(st.integers(min_value=0, max_value=len(RECORDED)), max_size=30))
def test_chunks_do_not_matter(cuts):
    codec = AmiCodec()
    assert [m.raw for m in chunked(RECORDED, cuts, codec)] == [m.raw for m in read(RECORDED)]


def test_byte_by_byte_a_character_is_never_cut():
    codec = AmiCodec()
    whole = GREETING + "Event: X\r\nName: 曾国藩🚒\r\n\r\n".encode()
    messages = [m for i in range(len(whole)) for m in codec.feed(whole[i : i + 1])]
    assert [m.get("Name") for m in messages] == ["曾国藩🚒"]


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_are_survived_and_the_next_message_is_read(chunks):
    codec = AmiCodec(message_limit=100)
    for chunk in [GREETING, *chunks]:
        for message in codec.feed(chunk):
            json.dumps(message.headers).encode()
    messages = codec.feed(b"\r\n\r\nEvent: After\r\nA: 1\r\n\r\n")
    assert messages[-1].event == "After"
    assert messages[-1].get("A") == "1"


@given(
    st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"Event: A", b"Response: ", b": ", b"x" * 40]), max_size=40),
    st.data(),
)
def test_chunks_do_not_matter_to_hostile_streams(pieces, data):
    stream = GREETING + b"".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=10))
    one, other = AmiCodec(message_limit=60), AmiCodec(message_limit=60)
    assert [m.raw for m in read(stream, one)] == [m.raw for m in chunked(stream, cuts, other)]
    assert (one.garbage, one.oversize, one.greeting) == (other.garbage, other.oversize, other.greeting)


def test_an_endless_message_is_dropped_once_and_memory_is_bounded():
    codec = AmiCodec(message_limit=1000)
    codec.feed(GREETING)
    for _ in range(100):
        assert codec.feed(b"Event: Flood\r\nX: " + b"y" * 500) == []
        assert len(codec._buffer) < 2000
    assert codec.oversize == 1
    assert [m.event for m in codec.feed(b"\r\n\r\nEvent: After\r\n\r\n")] == ["After"]


def test_a_message_of_just_the_limit_passes():
    block = b"Event: X\r\nA: " + b"y" * 87
    codec = AmiCodec(message_limit=100)
    assert len(block) == 100
    assert len(codec.feed(GREETING + block + b"\r\n\r\n" + block + b"y\r\n\r\n")) == 1
    assert codec.oversize == 1


def test_garbage_in_front_of_a_message_costs_only_itself():
    codec = AmiCodec()
    messages = codec.feed(
        GREETING + b"\xff\xfe junk\r\nmore: junk\r\nEvent: Real\r\nA: 1\r\n\r\njunk alone\r\n\r\n\r\n\r\n"
    )
    assert [(m.event, m.get("A")) for m in messages] == [("Real", "1")]
    assert codec.garbage == 2


def test_bytes_that_are_not_utf8_are_replaced_and_kept_raw():
    raw = "Event: X\r\nName: 单雄信".encode("gb18030")
    (message,) = read(GREETING + raw + b"\r\n\r\n")
    assert "\ufffd" in message.get("Name")
    assert message.raw == raw


def test_repeated_headers_are_kept_and_the_first_wins():
    (message,) = read(
        GREETING + b"Event: X\r\nUniqueid: 1\r\nChanVariable: TL_CALL=a=b\r\nChanVariable: TL_LINE=\r\n"
        b"no header\r\nUniqueid: forged\r\n\r\n"
    )
    assert message.get("Uniqueid") == "1"
    assert message.all("ChanVariable") == ["TL_CALL=a=b", "TL_LINE="]
    assert message.variables() == {"TL_CALL": "a=b", "TL_LINE": ""}


def test_output_of_a_command():
    (message,) = read(GREETING + (DATA / "command_output").read_bytes())
    assert message.output.count("\n") == 1
    assert message.output.startswith("Local/hold@tl-test-00000001;1!tl-test!hold!1!")


def test_something_else_than_asterisk_is_seen_by_its_greeting():
    codec = AmiCodec()
    codec.feed(b"\x16\x03\x01" * 200)
    assert codec.greeting is not None
    assert not codec.greeting.startswith("Asterisk")


def test_encode():
    wire = encode("Originate", {"ActionID": "1", "CallerID": '"仇英" <110>', "Variable": ["A=1", "B=2"]})
    assert wire.decode() == (
        'Action: Originate\r\nActionID: 1\r\nCallerID: "仇英" <110>\r\nVariable: A=1\r\nVariable: B=2\r\n\r\n'
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"A": "x\r\nAction: Originate"},
        {"A": "x\n"},
        {"A": "x\r"},
        {"A": "x\0"},
        {"A": "\ud83d"},
        {"A: b\r\nC": "x"},
        {"A": "y" * 1020},
        {"A": ["x"] * 128},
    ],
)
def test_encode_refuses_what_asterisk_would_read_otherwise(headers):
    with pytest.raises(UnsafeValueError):
        encode("Ping", headers)
