import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.bus.port import Publication
from gateway.bus.properties import encode_properties

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="\ufeff"), max_size=60)


@given(
    st.none() | st.integers(0, 2**32 - 1),
    TEXT,
    TEXT,
    st.none() | st.binary(max_size=60),
    st.lists(st.tuples(TEXT, TEXT), max_size=20),
)
def test_another_decoder_reads_what_was_encoded(
    expiry_s: int | None, content_type: str, response: str, correlation: bytes | None, user: list[tuple[str, str]]
) -> None:
    packed = encode_properties(
        Publication(
            "t",
            b"",
            expiry_s=expiry_s,
            content_type=content_type,
            response_topic=response,
            correlation=correlation,
            user=tuple(user),
        )
    )
    decoded = Properties(PacketTypes.PUBLISH)
    _, length = decoded.unpack(packed)
    assert length == len(packed)
    assert getattr(decoded, "MessageExpiryInterval", None) == expiry_s
    assert getattr(decoded, "ContentType", "") == content_type
    assert getattr(decoded, "ResponseTopic", "") == response
    assert getattr(decoded, "CorrelationData", None) == correlation
    assert getattr(decoded, "UserProperty", []) == user


def test_nothing_is_one_byte() -> None:
    assert encode_properties(Publication("t", b"")) == b"\x00"


def test_a_text_that_has_no_length_is_refused() -> None:
    with pytest.raises(ValueError, match="65,535"):
        encode_properties(Publication("t", b"", content_type="x" * 65_536))
