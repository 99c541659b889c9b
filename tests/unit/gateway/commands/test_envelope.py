import json
import string

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.commands import errors
from gateway.commands.envelope import LARGEST_BYTES, CommandEnvelope, check_json, decode_envelope, readable_id
from gateway.commands.registry import CommandRegistry
from gateway.commands.spec import BoundCommand
from tests.support.commands import DIAL, ISSUE, Dial

GOOD = b'{"id":"c-1","expires_at":"2026-01-01T00:00:05Z","data":{"number":"119"}}'


def test_a_good_command_is_decoded():
    envelope = decode_envelope(GOOD)
    assert (envelope.id, envelope.expires_at.isoformat(), envelope.reply_to) == (
        "c-1",
        "2026-01-01T00:00:05+00:00",
        None,
    )
    assert bytes(envelope.data) == b'{"number":"119"}'


def with_data(data: bytes) -> bytes:
    return GOOD.replace(b'{"number":"119"}', data)


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b" " * (LARGEST_BYTES + 1), errors.OversizeError),
        (with_data(b"[" * 100_000), errors.OversizeError),
        (with_data(b"[" * 30_000), errors.TooDeepError),
        (with_data(b'{"a":' * 6_000), errors.TooDeepError),
        (with_data(b"[" * 32 + b"]" * 32), errors.TooDeepError),
        (b"\xff\xfe{}", errors.NotUtf8Error),
        (with_data(b'"\xed\xa0\x80"'), errors.NotUtf8Error),
        (b"\xef\xbb\xbf" + GOOD, errors.NotJsonError),
        (b"", errors.NotJsonError),
        (GOOD[:-1], errors.NotJsonError),
        (GOOD + b"}", errors.NotJsonError),
        (GOOD + b" 1", errors.NotJsonError),
        (with_data(b'"\\x"'), errors.NotJsonError),
        (with_data(b'"\x01"'), errors.NotJsonError),
        (with_data(b"1.2.3"), errors.NotJsonError),
        (with_data(b'{"a":1 "b":2}'), errors.NotJsonError),
        (with_data(b'{"a":NaN}'), errors.NotFiniteError),
        (with_data(b"-Infinity"), errors.NotFiniteError),
        (with_data(b"1e999"), errors.NotFiniteError),
        (with_data(b"9" * 400), errors.NotFiniteError),
        (with_data(b'{"a":1,"a":2}'), errors.DuplicateKeyError),
        (with_data(b'{"a":1,"\\u0061":2}'), errors.DuplicateKeyError),
        (with_data(b'{"b":{"a":1},"c":[{"a":1,"d":2,"d":3}]}'), errors.DuplicateKeyError),
        (GOOD.replace(b'"id":"c-1"', b'"id":"c-1","id":"c-2"'), errors.DuplicateKeyError),
        (with_data(b'"\\ud800"'), errors.LoneSurrogateError),
        (with_data(b'{"\\udc00x":1}'), errors.LoneSurrogateError),
        (GOOD.replace(b"05Z", b"05"), errors.CommandSchemaError),
        (GOOD.replace(b'"expires_at":"2026-01-01T00:00:05Z",', b""), errors.CommandSchemaError),
        (GOOD.replace(b"c-1", b"a/b"), errors.CommandSchemaError),
        (GOOD.replace(b"c-1", b"c-1\\n"), errors.CommandSchemaError),
        (GOOD.replace(b"c-1", b"+"), errors.CommandSchemaError),
        (GOOD.replace(b'"id"', b'"retain":true,"id"'), errors.CommandSchemaError),
        (b"[]", errors.CommandSchemaError),
    ],
)
def test_each_fault_has_its_own_id(payload, error):
    with pytest.raises(error) as caught:
        decode_envelope(payload)
    assert caught.value.code == error.code


@pytest.mark.parametrize("data", ['"𠮷野家 🚒"', '"\\ud83d\\ude92"', '{"a":[1,{"a":2}]}', "[" * 31 + "]" * 31])
def test_what_is_unusual_but_right_passes(data):
    assert bytes(decode_envelope(with_data(data.encode())).data) == data.encode()


def test_unknown_fields_of_a_body_are_refused_whatever_its_class_says():
    registry = CommandRegistry([BoundCommand(DIAL, None)])
    command = registry.find("tel.dial")
    assert command.decode(b'{"number":"119"}') == Dial(number="119")
    assert type(command.decode(b"{}")) is Dial
    with pytest.raises(errors.CommandSchemaError):
        command.decode(b'{"numbre":"119"}')


def test_a_name_is_registered_once_and_a_secret_must_be_a_field():
    registry = CommandRegistry([BoundCommand(DIAL, None)])
    with pytest.raises(ValueError, match="twice"):
        registry.add(BoundCommand(DIAL, None))
    with pytest.raises(errors.UnknownVerbError):
        registry.find("tel.fly")
    wrong = type(ISSUE)(name="sys.x", body=Dial, result=Dial, summary=ISSUE.summary, secrets=("number",))
    with pytest.raises(ValueError, match="null"):
        CommandRegistry([BoundCommand(wrong, None)])


def survives(payload: bytes) -> None:
    refusal = None
    try:
        assert isinstance(decode_envelope(payload), CommandEnvelope)
    except errors.UnreadableCommandError as error:
        refusal = error
    if refusal is None:
        json.loads(payload)  # whatever passes, an ordinary reader understands as well
    else:
        assert refusal.message("zh")
        assert json.dumps(refusal.as_dict())


@given(st.binary(max_size=300))
@example(b'"' + b"\\" * 32_000)
@example(b'"\\"' * 20_000)
@example(b"1" * 32_000)
@example(b"[," * 30)
def test_any_bytes_are_survived(payload):
    survives(payload)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@settings(max_examples=200)
@given(json_values, st.booleans(), st.data())
def test_anything_like_a_command_is_survived(data, ascii_only, draw):
    body = json.dumps({"id": "c-1", "expires_at": "2026-01-01T00:00:05Z", "data": data}, ensure_ascii=ascii_only)
    payload = bytearray(body.encode("utf-8", "surrogatepass"))
    for _ in range(draw.draw(st.integers(0, 3))):
        at = draw.draw(st.integers(0, len(payload) - 1))
        payload[at : at + 1] = draw.draw(st.sampled_from([b"", b'"', b"{", b"]", b"\\", b"\xff", b"0", b",", b"\x00"]))
    survives(bytes(payload))


@given(st.recursive(st.text(string.printable) | st.integers(-(2**53), 2**53), lambda i: st.lists(i, max_size=3)))
def test_whatever_the_strict_encoder_writes_passes(value):
    check_json(msgspec.json.encode(value))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"id":"c-1"}', "c-1"),
        (b'{"id":"c-1","expires_at":7,"more":[{}],"data":"\xe5\x8d\x95"}', "c-1"),
        (b'{"id":"c-1","data":"' + b"x" * 40_000 + b'"}', "c-1"),
        (b'{"id":"c-1","data":"' + b"x" * 70_000 + b'"}', None),
        (b'{"id":"c-1","id":"c-1"}', None),
        (b'{"id":"c-1\\n"}', None),
        (b'{"id":7}', None),
        (b'{"id":"c-1"', None),
        (b'["c-1"]', None),
        (b"[" * 40_000, None),
        (b"\xff", None),
    ],
)
def test_the_id_is_read_whenever_the_json_is_sound(payload, expected):
    assert readable_id(payload) == expected
