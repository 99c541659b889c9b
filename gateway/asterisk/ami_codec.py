r"""The Asterisk Manager Interface on the wire, without I/O.

A stream is ``greeting CRLF message*``; a message is header lines and a blank one: ``(Name: value CRLF)+ CRLF``.

Laws, tested over any chunking and any bytes:

1. The messages of a stream do not depend on how it was cut into chunks.
2. Any bytes are survived. A block that is neither event nor response is dropped and counted in ``garbage``; one that
   grows past the limit is dropped and counted in ``oversize``; reading goes on behind the next blank line.
3. Text is UTF-8, decoded per whole message, so a character is never cut. Bytes that are no UTF-8 become U+FFFD: the
   text ends up in JSON, which has no place for lone surrogates. :attr:`AmiMessage.raw` keeps what was received.

Decoding is lazy: splitting blocks and naming them costs about a microsecond, and only a message that somebody looks
into is decoded. Source: Asterisk 22 ``main/manager.c`` and recorded sessions.
"""

from collections.abc import Iterable, Mapping

from gateway.asterisk.errors import UnsafeValueError
from gateway.asterisk.escape import ami_line

MESSAGE_LIMIT = 1 << 20
"""Bytes of one message; the longest known are answers of ``Command``."""
HEADERS_LIMIT = 128
"""Headers of one action that Asterisk reads (``AST_MAX_MANHEADERS``)."""

_END = b"\r\n\r\n"
_EVENT = b"Event: "
_RESPONSE = b"Response: "
_GREETING_LIMIT = 256
_NAMES_LIMIT = 2048


class AmiMessage:
    """One event or one response, immutable. A header's name is matched as Asterisk writes it (``Uniqueid``)."""

    __slots__ = ("_headers", "_lines", "event", "raw", "response")

    def __init__(self, raw: bytes, event: str = "", response: str = "") -> None:
        self.raw = raw
        self.event = event
        """The event's name; empty for a response."""
        self.response = response
        """``Success``, ``Error``, ``Goodbye``; empty for an event."""
        self._headers: dict[str, str] | None = None
        self._lines: list[str] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Every header; of one that is repeated the first, which Asterisk wrote before any value of a caller."""
        headers = self._headers
        if headers is None:
            lines = self.raw.decode("utf-8", "replace").split("\r\n")
            lines.reverse()
            try:
                headers = {name: value for name, value in [line.split(": ", 1) for line in lines]}  # noqa: C416  # faster
            except ValueError:  # a line that is no header among them
                headers = {name: value.removeprefix(" ") for name, _, value in (line.partition(":") for line in lines)}
            self._headers = headers
        return headers

    def get(self, name: str, default: str = "") -> str:
        """Return the header *name*, or *default*."""
        return self.headers.get(name, default)

    def all(self, name: str) -> list[str]:
        """Return every value of a header that may be repeated, in order (``Output``, ``ChanVariable``)."""
        prefix = name + ":"
        lines = self._lines
        if lines is None:
            lines = self._lines = self.raw.decode("utf-8", "replace").split("\r\n")
        return [line[len(prefix) :].removeprefix(" ") for line in lines if line.startswith(prefix)]

    def variables(self, name: str = "ChanVariable") -> dict[str, str]:
        """Return repeated ``NAME=value`` headers as a mapping."""
        pairs = (value.partition("=") for value in self.all(name))
        return {variable: value for variable, _, value in pairs}

    @property
    def output(self) -> str:
        """The output of ``Command``, its lines joined."""
        return "\n".join(self.all("Output"))

    @property
    def action_id(self) -> str:
        """The ``ActionID`` of the action that this answers, or an empty text."""
        return self.headers.get("ActionID", "")

    def __repr__(self) -> str:
        return f"AmiMessage({self.event or self.response!r}, {len(self.raw)} bytes)"


class AmiCodec:
    """Turns received bytes into messages, in time linear in the bytes however they are cut."""

    def __init__(self, message_limit: int = MESSAGE_LIMIT) -> None:
        self.greeting: str | None = None
        """The first line of the stream (``Asterisk Call Manager/11.0.0``) once it has been received."""
        self.garbage = 0
        """Blocks that were no message."""
        self.oversize = 0
        """Messages dropped for their size."""
        self._limit = message_limit
        self._buffer = bytearray()
        self._skipping = False
        self._names: dict[bytes, str] = {}

    def feed(self, data: bytes) -> list[AmiMessage]:
        """Take the next bytes and return the messages that they complete."""
        buffer = self._buffer
        seen = max(0, len(buffer) - 3)
        buffer += data
        if self.greeting is None:
            if not self._take_greeting():
                return []
            seen = 0
        if buffer.find(_END, seen) < 0:
            self._bound()
            return []
        blocks = bytes(buffer).split(_END)
        buffer[:] = blocks.pop()
        if self._skipping:
            self._skipping = False
            del blocks[0]
        messages = [message for block in blocks if (message := self._message(block)) is not None]
        self._bound()
        return messages

    def _take_greeting(self) -> bool:
        end = self._buffer.find(b"\n", 0, _GREETING_LIMIT)
        if end < 0:
            if len(self._buffer) < _GREETING_LIMIT:
                return False
            end = _GREETING_LIMIT - 1
        self.greeting = self._buffer[:end].decode("utf-8", "replace").rstrip("\r")
        del self._buffer[: end + 1]
        return True

    def _bound(self) -> None:
        # Three bytes may be the beginning of the blank line, so a block at the limit itself still passes.
        if len(self._buffer) > self._limit + 3:
            del self._buffer[:-3]
            if not self._skipping:
                self._skipping = True
                self.oversize += 1

    def _message(self, block: bytes) -> AmiMessage | None:
        if len(block) > self._limit:
            self.oversize += 1
            return None
        if block.startswith(_EVENT):
            return AmiMessage(block, event=self._text(block, len(_EVENT)))
        if block.startswith(_RESPONSE):
            return AmiMessage(block, response=self._text(block, len(_RESPONSE)))
        return self._rescued(block)

    def _rescued(self, block: bytes) -> AmiMessage | None:
        """Return the message behind garbage or surplus blank lines in *block*, if there is one."""
        places = [place for mark in (_EVENT, _RESPONSE) if (place := block.find(b"\r\n" + mark)) >= 0]
        if places:
            before = block[: min(places)]
            self.garbage += bool(before.strip())
            return self._message(block[min(places) + 2 :])
        self.garbage += bool(block.strip())
        return None

    def _text(self, block: bytes, start: int) -> str:
        end = block.find(b"\r\n", start)
        name = block[start:] if end < 0 else block[start:end]
        known = self._names.get(name)
        if known is None:
            known = name.decode("utf-8", "replace")
            if len(self._names) < _NAMES_LIMIT:
                self._names[name] = known
        return known


def encode(action: str, headers: Mapping[str, str | Iterable[str]]) -> bytes:
    """Return the bytes of one action. A header with several values is repeated.

    Raises :class:`UnsafeValueError` for CR, LF, NUL, invalid Unicode, a line of more than 1022 bytes or more than 128
    headers: Asterisk would read another action, or silently drop a part.
    """
    lines = [ami_line("Action", action)]
    for name, value in headers.items():
        lines.extend(ami_line(name, one) for one in ([value] if isinstance(value, str) else value))
    if len(lines) > HEADERS_LIMIT:
        raise UnsafeValueError(field=action, reason=f"it has more than {HEADERS_LIMIT} headers")
    return b"".join(lines) + b"\r\n"
