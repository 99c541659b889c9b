r"""AGI over TCP, without I/O.

``environment blank-line (reply | HANGUP)*``; lines end in LF, some peers write CRLF.

- environment: ``agi_name: value``, arguments of the dialplan as ``agi_arg_1`` … ``agi_arg_n``.
- reply: ``200 result=R[ (value)][ endpos=N]``, ``510 …``, ``511 …``, ``520 …``, or ``520-…`` to ``520 End…``.
- ``HANGUP`` stands alone on a line, at any place between two lines.

Laws: what comes out does not depend on the chunks; a value of several lines is one reply; a line that is none of
these is counted in ``garbage`` and skipped; what grows past a limit raises :class:`AgiProtocolError`, and then the
connection is of no more use. Bytes that are no UTF-8 become U+FFFD. Source: Asterisk 22 ``res/res_agi.c`` and recorded
sessions.
"""

import re
from dataclasses import dataclass, field

from gateway.asterisk.errors import AgiProtocolError, UnsafeValueError
from gateway.asterisk.escape import AGI_LINE_LIMIT, agi_word

ENVIRONMENT_LIMIT = 64 * 1024
REPLY_LIMIT = 64 * 1024
"""Bytes of one reply, its lines together."""
GARBAGE_LIMIT = 100
"""Unusable lines after which the peer is given up."""

_REPLY = re.compile(r"(\d{3})([ -])(.*)", re.DOTALL)
_RESULT = re.compile(r"result=(\S*)(?: \((.*)\))?(?: endpos=(\d+))?\s*", re.DOTALL)
_OPEN_VALUE = re.compile(rb"200 result=\S* \(")
_CLOSED_VALUE = re.compile(rb"\)(?: endpos=\d+)?\s*$")
_BLANK = re.compile(rb"\n\r?\n|\A\r?\n")
_COMMAND = re.compile(r"[A-Z]+(?: [A-Z]+){0,2}")


@dataclass(frozen=True, slots=True)
class AgiRequest:
    """What Asterisk says of the channel when it asks. ``fields`` holds everything, without the ``agi_``."""

    fields: dict[str, str] = field(repr=False)
    arguments: tuple[str, ...] = ()

    @property
    def script(self) -> str:
        """The path of the URL, without slashes at its ends and without a query."""
        return self.fields.get("network_script", "").partition("?")[0].strip("/")

    @property
    def uniqueid(self) -> str:
        """Asterisk's unique id of the channel."""
        return self.fields.get("uniqueid", "")

    @property
    def channel(self) -> str:
        """The channel's name."""
        return self.fields.get("channel", "")

    @property
    def caller_number(self) -> str:
        """The calling number; empty when it is unknown or withheld."""
        return self._known("callerid")

    @property
    def caller_name(self) -> str:
        """The calling name; empty when it is unknown."""
        return self._known("calleridname")

    @property
    def called_number(self) -> str:
        """The dialled number (DNID); empty when it is unknown."""
        return self._known("dnid")

    @property
    def redirecting_number(self) -> str:
        """The number that diverted the call (RDNIS); empty when there is none."""
        return self._known("rdnis")

    @property
    def context(self) -> str:
        """The dialplan's context."""
        return self.fields.get("context", "")

    @property
    def extension(self) -> str:
        """The dialplan's extension."""
        return self.fields.get("extension", "")

    @property
    def language(self) -> str:
        """The channel's language."""
        return self.fields.get("language", "")

    def _known(self, name: str) -> str:
        value = self.fields.get(name, "")
        return "" if value == "unknown" else value


@dataclass(frozen=True, slots=True)
class AgiReply:
    """One reply. ``result`` is a text, because some commands return digits with ``*`` and ``#``."""

    status: int
    result: str = ""
    value: str | None = None
    endpos: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class AgiHangup:
    """The channel has hung up."""


class AgiCodec:
    """Turns received bytes into one request, then replies and hang-ups."""

    def __init__(self) -> None:
        self.garbage = 0
        """Lines that were neither."""
        self._buffer = bytearray()
        self._asked = False
        self._open = bytearray()
        """The lines so far of a reply that goes on."""

    def feed(self, data: bytes) -> list[AgiRequest | AgiReply | AgiHangup]:
        """Take the next bytes and return what they complete, or raise :class:`AgiProtocolError`."""
        buffer = self._buffer
        seen = len(buffer)
        buffer += data
        found: list[AgiRequest | AgiReply | AgiHangup] = []
        if not self._asked:
            end = _BLANK.search(buffer, max(0, seen - 3))
            self._bound(len(buffer) if end is None else end.end(), ENVIRONMENT_LIMIT)
            if end is None:
                return found
            found.append(self._request(bytes(buffer[: end.start()])))
            self._asked = True
            seen = 0
            del buffer[: end.end()]
        if buffer.find(b"\n", seen) < 0:
            self._bound(len(buffer), REPLY_LIMIT)
            return found
        lines = bytes(buffer).split(b"\n")
        buffer[:] = lines.pop()
        self._bound(len(buffer), REPLY_LIMIT)
        found += [item for line in lines if (item := self._line(line.removesuffix(b"\r"))) is not None]
        if self.garbage > GARBAGE_LIMIT:
            raise AgiProtocolError(reason=f"{self.garbage} unusable lines")
        return found

    def _bound(self, size: int, limit: int) -> None:
        if size > limit:
            raise AgiProtocolError(reason=f"more than {limit} bytes without an end")

    def _line(self, line: bytes) -> AgiReply | AgiHangup | None:
        self._bound(len(line), REPLY_LIMIT)
        if line == b"HANGUP":
            return AgiHangup()
        if self._open:
            self._open += b"\n" + line
            self._bound(len(self._open), REPLY_LIMIT)
            ends = line.startswith(self._open[:3] + b" ") if self._open[3:4] == b"-" else _CLOSED_VALUE.search(line)
            if not ends:
                return None
            line, self._open = bytes(self._open), bytearray()
        elif (line[3:4] == b"-" and line[:3].isdigit()) or (_OPEN_VALUE.match(line) and not _CLOSED_VALUE.search(line)):
            self._open += line
            return None
        reply = parse_reply(line)
        if reply is None:
            self.garbage += bool(line.strip())
        return reply

    def _request(self, environment: bytes) -> AgiRequest:
        fields: dict[str, str] = {}
        for line in environment.decode("utf-8", "replace").split("\n"):
            name, colon, value = line.partition(":")
            if colon and name.startswith("agi_"):
                fields.setdefault(name[4:], value.strip("\r").removeprefix(" "))
            else:
                self.garbage += 1
        if "network" not in fields:
            raise AgiProtocolError(reason="its first lines are no request")
        arguments: list[str] = []
        while (argument := fields.get(f"arg_{len(arguments) + 1}")) is not None:
            arguments.append(argument)
        return AgiRequest(fields, tuple(arguments))


def parse_reply(line: bytes) -> AgiReply | None:
    """Return the reply in *line* (without its end, perhaps holding line feeds), or ``None``."""
    match = _REPLY.fullmatch(line.decode("utf-8", "replace"))
    if match is None:
        return None
    status, text = int(match[1]), match[3]
    result = _RESULT.fullmatch(text) if status == 200 else None  # the protocol's "done"
    if result is None:
        return AgiReply(status, text=text)
    endpos = None if result[3] is None else int(result[3])
    return AgiReply(status, result[1], result[2], endpos, text)


def encode(command: str, *arguments: str) -> bytes:
    """Return one command line: *command* is the protocol's own words, *arguments* are quoted whatever they hold.

    Raises :class:`UnsafeValueError` for CR, LF, NUL, invalid Unicode or a line that Asterisk's buffer cannot hold.
    One command is sent at a time: Asterisk leaves a second one in its buffer until more bytes arrive.
    """
    if _COMMAND.fullmatch(command) is None:
        raise UnsafeValueError(field=repr(command), reason="it is not a command")
    line = b" ".join([command.encode("ascii"), *(agi_word(argument) for argument in arguments)])
    if len(line) > AGI_LINE_LIMIT:
        raise UnsafeValueError(field=command, reason=f"it is longer than {AGI_LINE_LIMIT} bytes")
    return line + b"\n"
