r"""The TETRA Peripheral Equipment Interface on the wire, without I/O.

The radio sends ``CR LF text CR LF``; the terminal ends a command with CR. A received message takes two lines,
``+CTSDSR: header`` and then its data in hexadecimal.

Laws, tested over any chunking and any bytes:

1. What is told does not depend on how the stream was cut into chunks.
2. Any bytes are survived. Garbage before a message or a final result is dropped and counted in ``garbage``; a line
   longer than the limit is dropped and counted in ``oversize``.
3. A message that comes between a ``+CTSDSR`` header and its data is told at once, and the data still find their header.

Source: ETSI EN 300 392-5 through public implementations and logs of real radios; see :mod:`trunks.radio.pei_tables`.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from trunks.radio.pei_tables import IDENTITIES, NAMES, SDS_FORMS, Dialect, ErrorCode, Fields, Grant, signal_dbm

LINE_LIMIT = 4096
"""Octets of one line; the longest known is a message of 2047 bits, 512 digits."""
_PATIENCE = 8
"""Lines that may come between a header and its data."""

Value = int | str | None

_MESSAGE = re.compile(rb"\+[A-Z]{2,8}:")
_FINAL = re.compile(rb"(?<![\x20-\x7e])(OK|ERROR|NO CARRIER|NO ANSWER|NO DIALTONE|BUSY)$")
_ERROR = re.compile(r"\+?CM([ES]) ERROR: ?(.*)", re.IGNORECASE)
_NAMED = re.compile(r"\+([A-Z]{2,8}):(.*)", re.DOTALL)
_HEX = re.compile(r"[0-9A-Fa-f]+")
_COUNTER = re.compile(r"[0-9]{1,9}")
_REFUSALS = frozenset({"ERROR", "NO CARRIER", "NO ANSWER", "NO DIALTONE", "BUSY"})


@dataclass(frozen=True, slots=True)
class Final:
    """The end of an answer: ``OK``, ``ERROR`` or a numbered error. *source* is ``CME``, ``CMS`` or empty."""

    ok: bool
    text: str
    source: str = ""
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Indication:
    """One message, asked for or not. *values* holds the fields of its table; what is beyond them is in *extra*."""

    name: str
    values: dict[str, Value] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    data: str | None = None
    """The hexadecimal digits of a ``CTSDSR``; absent when they never came."""

    def number(self, name: str) -> int | None:
        """Return the counter *name*, or nothing when it is empty, absent or no number."""
        value = self.values.get(name)
        return value if isinstance(value, int) else None

    def identity(self, name: str) -> str:
        """Return the identity *name*, or an empty text."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Line:
    """Any other line: an echo, the name of the model, a banner."""

    text: str


PeiEvent = Final | Indication | Line


class PeiCodec:
    """Turns received octets into events. ``dialect`` chooses the tables."""

    def __init__(self, dialect: Dialect = Dialect.PLAIN, line_limit: int = LINE_LIMIT) -> None:
        self.garbage = 0
        """Octets dropped before a message."""
        self.oversize = 0
        """Lines dropped for their length."""
        self._dialect = dialect
        self._limit = line_limit
        self._buffer = bytearray()
        self._skipping = False
        self._header: Indication | None = None
        self._waited = 0

    def feed(self, data: bytes) -> list[PeiEvent]:
        """Take the next octets and return what they complete."""
        events: list[PeiEvent] = []
        *lines, rest = re.split(rb"[\r\n]", data)
        for line in lines:
            self._append(line)
            if self._skipping:
                self._skipping = False
            else:
                self._line(bytes(self._buffer), events)
            self._buffer.clear()
        self._append(rest)
        return events

    def flush(self) -> list[PeiEvent]:
        """End a line that was not ended, and tell a header whose data never came."""
        events = self.feed(b"\r")
        self._give_up(events)
        return events

    def _append(self, part: bytes) -> None:
        if self._skipping:
            return
        self._buffer += part
        if len(self._buffer) > self._limit:
            self._buffer.clear()
            self._skipping = True
            self.oversize += 1

    def _line(self, raw: bytes, events: list[PeiEvent]) -> None:
        text = self._cleaned(raw)
        if not text:
            return
        if self._header is not None and _HEX.fullmatch(text):
            header, self._header = self._header, None
            events.append(Indication(header.name, header.values, header.extra, text.upper()))
            return
        event = parse(text, self._dialect)
        if isinstance(event, Indication) and event.name == "CTSDSR" and event.data is None:
            self._give_up(events)
            self._header, self._waited = event, 0
            return
        events.append(event)
        if self._header is not None:
            self._waited += 1
            if self._waited >= _PATIENCE:
                self._give_up(events)

    def _give_up(self, events: list[PeiEvent]) -> None:
        if self._header is not None:
            events.append(self._header)
            self._header = None

    def _cleaned(self, raw: bytes) -> str:
        """Return the line as text, without what a radio that starts up spills before it."""
        found = _MESSAGE.search(raw)
        spilt = found is not None and any(not _printable(octet) for octet in raw[: found.start()])
        if found is None and (found := _FINAL.search(raw)) is not None:
            # A name may end with these letters too; only what holds nothing readable before them is garbage.
            spilt = found.start() > 0 and not any(map(_printable, raw[: found.start()]))
        if found is not None and spilt:
            self.garbage += found.start()
            raw = raw[found.start() :]
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        return text.strip(" \t\0")


def _printable(octet: int) -> bool:
    return 0x20 <= octet <= 0x7E  # ASCII from the space to the tilde


def parse(text: str, dialect: Dialect = Dialect.PLAIN) -> PeiEvent:  # noqa: PLR0911  # one for each kind of line
    """Read one line. Spaces after the colon are optional and brackets are dropped; a field that is empty is absent."""
    if text == "OK":
        return Final(ok=True, text=text)
    if text.upper() in _REFUSALS:
        return Final(ok=False, text=text.upper())
    if error := _ERROR.fullmatch(text):
        code = error[2].strip()
        return Final(
            ok=False,
            text=code,
            source=f"CM{error[1].upper()}",
            code=int(code) if _COUNTER.fullmatch(code) else None,
        )
    named = _NAMED.fullmatch(text)
    if named is None:
        return Line(text)
    name = named[1]
    parts = [part.strip().removeprefix("[").removesuffix("]").strip() for part in named[2].split(",")]
    if name == "CTSDSR":
        return _sds(parts)
    if name == "CTGS":
        return _groups(parts)
    return _indication(name, parts, dialect.fields(name))


def _indication(name: str, parts: list[str], fields: Fields, data: str | None = None) -> Indication:
    values = {field: _value(field, part) for field, part in zip(fields, parts, strict=False)}
    return Indication(name, values, tuple(parts[len(fields) :]), data)


def _value(name: str, part: str) -> Value:
    part = part.strip('"')
    if not part:
        return None
    if name in IDENTITIES:
        return part
    return int(part) if _COUNTER.fullmatch(part) else None


def _sds(parts: list[str]) -> Indication:
    # Some radios put the data on the header's line; it is what stands behind the sixth comma and is no flag.
    data = parts.pop().upper() if len(parts) >= 7 and len(parts[-1]) >= 4 and _HEX.fullmatch(parts[-1]) else None
    return _indication("CTSDSR", parts, SDS_FORMS.get(len(parts), SDS_FORMS[7]), data)


def _groups(parts: list[str]) -> Indication:
    """Read ``+CTGS: type,group[,type,group…]``; in direct mode the type may be missing."""
    selected: Value = None
    rest: list[str] = []
    if len(parts) == 1:
        return Indication("CTGS", {"group_type": None, "group": parts[0] or None})
    for kind, group in zip(parts[::2], parts[1::2], strict=False):
        if kind == "1" and selected is None:
            selected = group
        else:
            rest.append(f"{kind}:{group}")
    first = _value("group_type", parts[0]) if selected is None else 1
    return Indication("CTGS", {"group_type": first, "group": selected or parts[1] or None}, tuple(rest))


def groups(indication: Indication) -> dict[str, int]:
    """Return every group of a ``CTGS`` with its type: 1 selected, 2 to 7 scanned with that priority."""
    told: dict[str, int] = {}
    group = indication.identity("group")
    if group:
        told[group] = indication.number("group_type") or 1
    for pair in indication.extra:
        kind, _, other = pair.partition(":")
        if other and _COUNTER.fullmatch(kind):
            told.setdefault(other, int(kind))
    return told


def as_dict(event: PeiEvent) -> dict[str, Any]:
    """Return *event* for other programs: identities are strings, counters numbers, an empty field ``null``."""
    if isinstance(event, Line):
        return {"type": "text", "text": event.text}
    if isinstance(event, Final):
        if event.code is None:
            return {"type": event.source or event.text, "ok": event.ok, "text": event.text}
        known = event.source == "CME" and event.code in set(ErrorCode)
        meaning = ErrorCode(event.code).name.lower() if known else None
        return {"type": event.source, "ok": False, "error": event.code, "meaning": meaning}
    shown: dict[str, Any] = {"type": event.name, **event.values, **_meanings(event)}
    if event.name == "CTGS":
        shown["groups"] = groups(event)
    elif event.extra:
        shown["extra"] = list(event.extra)
    if event.data is not None:
        shown["data"] = event.data
    return shown


def _meanings(event: Indication) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if event.name in ("CTXG", "CTXI"):
        grant = event.number("grant")
        told["grant"] = Grant(grant).name.lower() if grant in set(Grant) else None
        told["grant_code"] = grant
    level = event.number("level")
    if event.name == "CSQ" and level is not None:
        told["dbm"] = signal_dbm(level)
    for (name, key), (word, names) in NAMES.items():
        value = event.number(key)
        if event.name == name and value is not None:
            told[word] = names(value).name.lower() if value in set(names) else None
    return told
