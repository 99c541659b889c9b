"""Codec: the properties of an MQTT 5 PUBLISH (OASIS MQTT 5.0, clauses 2.2.2 and 3.3.2.3). Encoding only."""

import struct

from gateway.bus.port import Publication

_EXPIRY = b"\x02"
_CONTENT_TYPE = b"\x03"
_RESPONSE_TOPIC = b"\x08"
_CORRELATION = b"\x09"
_USER = b"\x26"


def encode_properties(publication: Publication) -> bytes:
    """Return the property block, ``[LENGTH:1..4][(id, value)…]``.

    Raises ``ValueError`` when a value is longer than 65,535 bytes.
    """
    parts = []
    if publication.expiry_s is not None:
        parts.append(_EXPIRY + struct.pack("!I", publication.expiry_s))
    if publication.content_type:
        parts.append(_CONTENT_TYPE + _binary(publication.content_type.encode()))
    if publication.response_topic:
        parts.append(_RESPONSE_TOPIC + _binary(publication.response_topic.encode()))
    if publication.correlation is not None:
        parts.append(_CORRELATION + _binary(publication.correlation))
    parts.extend(_USER + _binary(name.encode()) + _binary(value.encode()) for name, value in publication.user)
    body = b"".join(parts)
    return _variable_length(len(body)) + body


def _binary(data: bytes) -> bytes:
    if len(data) > 0xFFFF:
        raise ValueError("a property is longer than 65,535 bytes")
    return len(data).to_bytes(2) + data


def _variable_length(number: int) -> bytes:
    encoded = bytearray()
    while True:
        number, digit = divmod(number, 128)
        if number == 0:
            encoded.append(digit)
            return bytes(encoded)
        encoded.append(digit | 0x80)
