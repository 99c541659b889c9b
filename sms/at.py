r"""The AT dialogue with a modem, without I/O: one reader that knows what it waits for.

A modem sends ``<CR><LF>line<CR><LF>`` or, asked for data, ``<CR><LF>> `` without a line end; unsolicited lines may come
between any two lines. At most one command is on its way.

Laws, tested over any chunking and any bytes:

1. What comes out does not depend on how the stream was cut into chunks.
2. A command ends with exactly one :class:`Reply`, by a line that *is* a final result; one that only begins like it
   ("OK then…") is a line like others.
3. An unsolicited line never becomes part of a reply, nor a reply's line an unsolicited one: a line belongs to the reply
   while its prefix is the one asked for and fewer lines of it have come than are expected; other known prefixes are
   unsolicited. A result of two lines takes its second one only when that is hexadecimal.
4. Any bytes are survived, buffers are bounded; what fits nowhere is told as :class:`Stray` and counted.

Source: ITU-T V.250 section 5, 3GPP TS 27.005 sections 3 and 4, TS 27.007.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

LINE_LIMIT = 4096
LINES_LIMIT = 2048
CTRL_Z = b"\x1a"
ESCAPE = b"\x1b"

_FINALS = frozenset({"OK", "ERROR", "COMMAND NOT SUPPORT", "TOO MANY PARAMETERS"})
_NUMBERED = re.compile(r"\+(CME|CMS) ERROR: ?(.*)", re.IGNORECASE)
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_NAME = re.compile(r"([+^*%$#&][A-Za-z0-9_]+)(?::|$)")
_WORDS = frozenset({"RING", "NO CARRIER", "BUSY", "NO ANSWER", "NO DIALTONE", "MISSED_CALL"})
TWO_LINES = frozenset({"+CMT", "+CDS", "+CBM"})
UNSOLICITED = frozenset(
    {*TWO_LINES, "+CMTI", "+CDSI", "+CBMI", "+CLIP", "+CRING", "+CREG", "+CGREG", "+CEREG", "+CUSD", "+CIEV", "+CCWA"}
)
"""What TS 27.005 and 27.007 let a modem say of its own accord."""


@dataclass(frozen=True, slots=True)
class Final:
    """How a command ended. ``kind`` is ``OK``, ``ERROR``, ``CME`` or ``CMS``; ``code`` -1 where there is no number."""

    kind: str
    code: int = -1
    text: str = ""

    @property
    def ok(self) -> bool:
        """Whether it did what was asked."""
        return self.kind == "OK"

    def __str__(self) -> str:
        return f"{self.kind} {self.code}" if self.code >= 0 else self.text or self.kind


@dataclass(frozen=True, slots=True)
class Command:
    """A command line. ``prefix`` is what lines of its answer begin with; without one, any line belongs to it.

    ``lines`` bounds the lines with the prefix (0: no bound), ``fields`` is how many fields such a line has at least,
    which tells the answer to ``+CREG?`` from the news ``+CREG: 1``. With ``bodies`` each is followed by a line of
    hexadecimal digits. ``payload`` is sent at the prompt.
    """

    text: str
    prefix: str = ""
    lines: int = 0
    fields: int = 1
    bodies: bool = False
    payload: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of a command: its lines without echo and final result."""

    command: Command
    final: Final
    lines: tuple[str, ...] = ()
    truncated: bool = False

    def values(self) -> list[list[str]]:
        """Return the fields of each line that has the command's prefix."""
        prefix = f"{self.command.prefix}:"
        return [fields(line.removeprefix(prefix)) for line in self.lines if line.startswith(prefix)]


@dataclass(frozen=True, slots=True)
class Prompt:
    """The modem waits for the command's payload."""

    command: Command


@dataclass(frozen=True, slots=True)
class Unsolicited:
    """News from the modem: ``+CMT``, ``RING`` …; ``body`` is the second line where the result has one."""

    name: str
    rest: str = ""
    body: str | None = None

    def values(self) -> list[str]:
        """Return the fields behind the colon."""
        return fields(self.rest)


@dataclass(frozen=True, slots=True)
class Stray:
    """A line that nobody asked for and that names nothing known."""

    line: str


Happened = Reply | Prompt | Unsolicited | Stray


def fields(text: str) -> list[str]:
    """Split ``1,"a,b",,3`` into its fields without their quotes; an unbalanced quote ends with the text."""
    found: list[str] = []
    field_: list[str] = []
    quoted = False
    for char in text.strip():
        if char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            found.append("".join(field_).strip())
            field_ = []
        else:
            field_.append(char)
    found.append("".join(field_).strip())
    return found


def final_of(line: str) -> Final | None:
    """Return the final result that *line* is, None for any other line."""
    if line == "OK":
        return Final("OK")
    if line in _FINALS:
        return Final("ERROR", text=line)
    match = _NUMBERED.fullmatch(line)
    if match is None:
        return None
    code = match[2].strip()
    return Final(match[1].upper(), int(code) if code.isascii() and code.isdigit() and len(code) < 6 else -1, line)


@dataclass(slots=True)
class _Waiting:
    command: Command
    lines: list[str] = field(default_factory=list)
    matched: int = 0
    prompted: bool = False
    truncated: bool = False
    body_due: bool = False


class AtCodec:
    """The dialogue with one modem. ``more_unsolicited`` are the prefixes of this model's own news."""

    def __init__(self, more_unsolicited: Sequence[str] = ()) -> None:
        self._known = UNSOLICITED | frozenset(more_unsolicited)
        self._buffer = bytearray()
        self._skipping = False
        self._waiting: _Waiting | None = None
        self._half: Unsolicited | None = None
        self.garbage = 0
        """Lines that fitted nowhere, overlong ones among them."""

    def learn(self, more_unsolicited: Sequence[str]) -> None:
        """Know these prefixes as news from now on."""
        self._known |= frozenset(more_unsolicited)

    @property
    def busy(self) -> bool:
        """Whether a command is on its way."""
        return self._waiting is not None

    def send(self, command: Command) -> bytes:
        """Return the octets of *command*, whose end is a :class:`Reply`. One at a time."""
        if self._waiting is not None:
            raise RuntimeError("a command is on its way")
        self._waiting = _Waiting(command)
        return command.text.encode("ascii") + b"\r"

    def payload(self) -> bytes:
        """Return what is sent at the prompt, with its end."""
        if self._waiting is None or self._waiting.command.payload is None:
            raise RuntimeError("no payload is due")
        return self._waiting.command.payload + CTRL_Z

    def abandon(self) -> bytes:
        """Give the command up and return what makes the modem do the same; its late answer is a stray line."""
        self._waiting = None
        self._half = None
        return ESCAPE + b"\r"

    def feed(self, data: bytes) -> list[Happened]:
        """Take what was read; return what happened, in order."""
        happened: list[Happened] = []
        # One octet of a prompt may decide how the rest is read, so the stream is taken line by line.
        for octet in data:
            if octet in b"\r\n":
                self._end_line(happened)
            elif octet in b"\x00\x1a\x1b":
                continue  # fillers at power-on, and the echo of what ends a payload
            elif len(self._buffer) >= LINE_LIMIT:
                self._skipping = True
            else:
                self._buffer.append(octet)
                if octet == 0x3E and len(self._buffer) == 1 and self._prompt(happened):
                    self._buffer.clear()
        return happened

    def _prompt(self, happened: list[Happened]) -> bool:
        waiting = self._waiting
        if waiting is None or waiting.command.payload is None or waiting.prompted:
            return False
        waiting.prompted = True
        happened.append(Prompt(waiting.command))
        return True

    def _end_line(self, happened: list[Happened]) -> None:
        if self._skipping:
            self._skipping = False
            self._buffer.clear()
            self.garbage += 1
            return
        line = self._buffer.decode("ascii", "replace").strip()
        self._buffer.clear()
        if line:
            self._line(line, happened)

    def _line(self, line: str, happened: list[Happened]) -> None:
        half, self._half = self._half, None
        if half is not None:
            if _HEX.fullmatch(line):
                happened.append(Unsolicited(half.name, half.rest, line))
                return
            happened.append(half)  # its second line never came: the driver reads the storage instead
        waiting = self._waiting
        if waiting is not None and self._of_reply(waiting, line, happened):
            return
        news = self._news(line)
        if news is None:
            self.garbage += 1
            happened.append(Stray(line))
        elif news.name in TWO_LINES:
            self._half = news
        else:
            happened.append(news)

    def _of_reply(self, waiting: _Waiting, line: str, happened: list[Happened]) -> bool:
        command = waiting.command
        final = final_of(line)
        if final is not None:
            self._waiting = None
            happened.append(Reply(command, final, tuple(waiting.lines), waiting.truncated))
            return True
        if self._is_echo(waiting, line):
            return True
        if waiting.body_due and _HEX.fullmatch(line):
            waiting.body_due = False
        elif command.prefix and line.startswith(f"{command.prefix}:"):
            room = command.lines == 0 or waiting.matched < command.lines
            if not room or len(fields(line.partition(":")[2])) < command.fields:
                return False
            waiting.matched += 1
            waiting.body_due = command.bodies
        elif command.prefix or self._news(line) is not None:
            return False
        self._keep(waiting, line)
        return True

    @staticmethod
    def _is_echo(waiting: _Waiting, line: str) -> bool:
        command = waiting.command
        if command.payload is not None and waiting.prompted:
            return line.encode("ascii", "replace") == command.payload
        return line == command.text

    @staticmethod
    def _keep(waiting: _Waiting, line: str) -> None:
        if len(waiting.lines) < LINES_LIMIT:
            waiting.lines.append(line)
        else:
            waiting.truncated = True

    def _news(self, line: str) -> Unsolicited | None:
        if line in _WORDS:
            return Unsolicited(line)
        match = _NAME.match(line)
        if match is None or (match[1] not in self._known and match[1][0] == "+"):
            return None
        return Unsolicited(match[1], line[match.end() :].strip())
