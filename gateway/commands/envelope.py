"""The strict way from bytes to a command.

Any bytes give a value or an :class:`UnreadableCommandError`. One pass over the tokens finds what msgspec does not look
for or cannot tell apart (depth, duplicate keys, lone surrogates, numbers that are not finite); msgspec then checks the
grammar and the types. The pass keeps its own stack, so that no nesting overflows the interpreter's.
"""

import json
import math
import re
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

from gateway.commands.errors import (
    CommandSchemaError,
    DuplicateKeyError,
    LoneSurrogateError,
    NotFiniteError,
    NotJsonError,
    NotUtf8Error,
    OversizeError,
    TooDeepError,
)
from gateway.core.errors import TrunklineError
from gateway.core.events import Message

LARGEST_BYTES = 32 * 1024
"""Of a command. Clearly less than the largest packet of the bus, so that one that is too long is still answered."""
DEEPEST = 32
COMMAND_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
INCIDENT = re.compile(r"[A-Za-z0-9._-]{1,64}")

B = TypeVar("B", bound=Message)

_TOKEN = re.compile(
    r"""[ \t\n\r]*+(?:
        (?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")(?P<key>[ \t\n\r]*+:)?
      | (?P<bracket>[\[\]{}])
      | (?P<number>-?(?:[0-9][0-9.eE+-]*+|NaN|Infinity))
      | (?P<rest>true|false|null|,|:|\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)


class CommandEnvelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a command looks like on the bus. ``id`` is the idempotency key; ``expires_at`` is RFC 3339 with a zone."""

    id: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)]
    reply_to: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_/-]{1,256}$")] | None = None
    incident: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._-]{1,64}$")] | None = None
    data: msgspec.Raw


class _IdAlone(msgspec.Struct, frozen=True):
    id: str


_ENVELOPE = msgspec.json.Decoder(CommandEnvelope)
_ID_ALONE = msgspec.json.Decoder(_IdAlone)
_LONGEST_LOOK_BYTES = 64 * 1024


def decode_envelope(payload: bytes) -> CommandEnvelope:
    """Decode a command as it came from the bus; ``data`` is left for :func:`decode_body`."""
    check_json(payload)
    envelope = _decode(_ENVELOPE, payload)
    for text in (envelope.id, envelope.reply_to, envelope.incident):
        if text is not None and not text.isprintable():  # "$" of the patterns lets a line end pass
            raise CommandSchemaError(reason="a line end stands in id, reply_to or incident")
    return envelope


def readable_id(payload: bytes) -> str | None:
    """Return the id of a command that is refused unread, whenever its JSON is sound and holds one."""
    if len(payload) > _LONGEST_LOOK_BYTES:
        return None
    try:
        _scan(payload)
        found = _ID_ALONE.decode(payload).id
    except (TrunklineError, msgspec.MsgspecError, RecursionError):
        return None
    return found if COMMAND_ID.fullmatch(found) is not None else None


def decode_body(decoder: msgspec.json.Decoder[B], data: bytes | msgspec.Raw) -> B:
    """Decode a body that :func:`check_json` has seen, alone or inside its envelope."""
    return _decode(decoder, data)


def check_json(payload: bytes) -> None:
    """Raise unless *payload* is strict JSON within the bounds; what is left to find is up to the typed decoder."""
    if len(payload) > LARGEST_BYTES:
        raise OversizeError(size=len(payload), limit=LARGEST_BYTES)
    _scan(payload)


def _scan(payload: bytes) -> None:
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotUtf8Error(position=error.start) from error
    keys: list[set[str] | None] = []  # of each open bracket: the keys of an object, None for an array
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise NotJsonError(reason=f"unexpected character {position}")
        position = token.end()
        match token.lastgroup:
            case "string" | "key":
                _check_string(token["string"], keys[-1] if keys and token["key"] else None)
            case "bracket":
                _check_depth(token["bracket"], keys)
            case "number":
                _check_number(token["number"])


def _check_depth(bracket: str, keys: list[set[str] | None]) -> None:
    if bracket in "]}":
        if not keys:
            raise NotJsonError(reason="a bracket closes that was not opened")
        keys.pop()
    elif len(keys) >= DEEPEST:
        raise TooDeepError(limit=DEEPEST)
    else:
        keys.append(set() if bracket == "{" else None)


def _check_string(literal: str, keys: set[str] | None) -> None:
    text = literal[1:-1]
    if "\\" in text:
        try:
            text = json.loads(literal)
        except ValueError as error:
            raise NotJsonError(reason="a string has a wrong escape") from error
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise LoneSurrogateError from error
    if keys is not None:
        if text in keys:
            raise DuplicateKeyError(key=text[:64])
        keys.add(text)


def _check_number(literal: str) -> None:
    try:
        value = float(literal)
    except ValueError as error:
        raise NotJsonError(reason="a number is malformed") from error
    if not math.isfinite(value):
        raise NotFiniteError


T = TypeVar("T")


def _decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise CommandSchemaError(reason=str(error)[:300]) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotJsonError(reason=str(error)[:300]) from error
