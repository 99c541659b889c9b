r"""Channel events (CEL) from the CSV file of ``cel_custom``: the record of calls that needs no session with Asterisk.

One record a line, every field quoted, quotes doubled, in this order::

    "eventtype","eventtime","uniqueid","linkedid","channame","context","exten","cidnum","dnid","eventextra" LF

``eventtime`` is seconds since 1970 with microseconds. Read from a running Asterisk 22. Parsing is strict: a caller's
number that holds quotes and line breaks cannot pass for a record, because its quotes are doubled.
"""

import asyncio
import enum
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import structlog

from gateway.asterisk.errors import CelError

log = structlog.get_logger(__name__)

COLUMNS = (
    "eventtype",
    "eventtime",
    "uniqueid",
    "linkedid",
    "channame",
    "context",
    "exten",
    "cidnum",
    "dnid",
    "eventextra",
)
RECORD_LIMIT = 16 * 1024
"""Bytes of one record; a longer one is garbage."""
READ_LIMIT = 1 << 20
"""Bytes of one read (some 8,000 records): call again while records come."""

_FIELD = rb'"((?:[^"]++|"")*+)"'  # possessive: hostile bytes cost linear time
_RECORD = re.compile(rb",".join([rb'"([A-Z][A-Z_]*)"', rb'"(\d{1,12}\.\d{1,9})"', *[_FIELD] * 8]) + rb"\r?\n")
_START = re.compile(rb'"[A-Z][A-Z_]*","\d{1,12}\.\d{1,9}","')


class CelType(enum.StrEnum):
    """Kinds of channel events that the gateway knows; others are kept by their name in ``CelRecord.name``."""

    CHAN_START = "CHAN_START"
    ANSWER = "ANSWER"
    BRIDGE_ENTER = "BRIDGE_ENTER"
    BRIDGE_EXIT = "BRIDGE_EXIT"
    HANGUP = "HANGUP"
    CHAN_END = "CHAN_END"
    LINKEDID_END = "LINKEDID_END"
    BLINDTRANSFER = "BLINDTRANSFER"
    ATTENDEDTRANSFER = "ATTENDEDTRANSFER"
    APP_START = "APP_START"
    APP_END = "APP_END"
    USER_DEFINED = "USER_DEFINED"
    OTHER = "OTHER"


_TYPES = {one.value: one for one in CelType}


@dataclass(frozen=True, slots=True)
class CelRecord:
    """One channel event. ``extra`` is the decoded ``eventextra``, empty when Asterisk gave none."""

    type: CelType
    name: str
    time: datetime
    uniqueid: str
    linkedid: str
    channel: str
    context: str
    extension: str
    caller_number: str = field(repr=False)
    called_number: str = field(repr=False)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def hangup_cause(self) -> int | None:
        """Q.850 cause of a ``HANGUP`` (16 is normal clearing)."""
        cause = self.extra.get("hangupcause")
        return cause if isinstance(cause, int) else None

    @property
    def hangup_source(self) -> str:
        """The channel that hung up, or an empty text when Asterisk did."""
        source = self.extra.get("hangupsource", "")
        return source if isinstance(source, str) else ""

    @property
    def dial_status(self) -> str:
        """``DIALSTATUS`` of a ``HANGUP`` of a channel that had dialled."""
        status = self.extra.get("dialstatus", "")
        return status if isinstance(status, str) else ""


class CelPosition(msgspec.Struct, frozen=True, kw_only=True):
    """How far the file has been read: which file (inode) and how many bytes. Kept in the store by the owner."""

    inode: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class CelParsed:
    """What one buffer held: its records, how many bytes they and the garbage took, how many pieces were garbage."""

    records: list[CelRecord]
    consumed: int
    garbage: int


def parse(data: bytes) -> CelParsed:
    """Return the records of *data*; a torn last line is left for later.

    After garbage reading goes on at the next thing that begins like a record, even in the middle of a line: a record
    torn by a crash of Asterisk and the first one of its next start share a line.
    """
    records: list[CelRecord] = []
    place = garbage = 0
    while place < len(data):
        match = _RECORD.match(data, place, place + RECORD_LIMIT)
        record = None if match is None else _record(match)
        if match is not None and record is not None:
            records.append(record)
            place = match.end()
            continue
        line_end = data.find(b"\n", place)
        again = _START.search(data, place + 1, line_end if line_end > 0 else len(data))
        nearest = min([end for end in (line_end + 1, again.start() if again else 0) if end > 0], default=0)
        if _may_go_on(data, place, nearest):
            break
        place = nearest or len(data)
        garbage += 1
    return CelParsed(records, place, garbage)


def _may_go_on(data: bytes, place: int, nearest: int) -> bool:
    """Tell whether a torn record stands at *place*: no whole one follows in the bytes that there are."""
    if len(data) - place > RECORD_LIMIT:
        return False
    if nearest == 0:
        return True
    # A line break inside an open quote may belong to a field whose rest is still to be written.
    opened = data.count(b'"', place) % 2 == 1
    return opened and _START.match(data, place) is not None and _START.search(data, place + 1) is None


def _record(match: re.Match[bytes]) -> CelRecord | None:
    texts = [one.replace(b'""', b'"').decode("utf-8", "replace") for one in match.groups()]
    name, time, uniqueid, linkedid, channel, context, extension, caller, called, extra = texts
    try:
        when = datetime.fromtimestamp(float(time), UTC)
        decoded = msgspec.json.decode(extra) if extra else {}
    except (ValueError, OverflowError, OSError):
        return None
    return CelRecord(
        type=_TYPES.get(name, CelType.OTHER),
        name=name,
        time=when,
        uniqueid=uniqueid,
        linkedid=linkedid,
        channel=channel,
        context=context,
        extension=extension,
        caller_number=caller,
        called_number=called,
        extra=decoded if isinstance(decoded, dict) else {},
    )


class CelReader:
    """Reads the file on from a position, in a thread. It holds nothing: what is not stored is read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.garbage = 0
        """Pieces that were no record, since the start of the gateway."""

    async def read(self, position: CelPosition) -> tuple[list[CelRecord], CelPosition]:
        """Return the records behind *position* and where the next read begins; none when nothing was written.

        At most 1 MiB is read: call again until no record comes. Of a file that was renamed (rotation) the rest is read
        first, if it is still in the folder; a file that shrank is read from its beginning. Raises ``cel.unreadable``;
        a file that is not there yet is no error.
        """
        return await asyncio.to_thread(self._read, position)

    def _read(self, position: CelPosition) -> tuple[list[CelRecord], CelPosition]:
        try:
            path = self._path
            inode, size = _identity(path)
            offset = position.offset
            if position.inode not in (0, inode):
                rotated = self._renamed(position.inode)
                if rotated is not None and _identity(rotated)[1] > offset:
                    records, end = self._take(rotated, offset, last=True)
                    return records, CelPosition(inode=position.inode, offset=end)
                log.info("channel event file was rotated", path=str(path))
                offset = 0
            elif size < offset:
                log.warning("channel event file was truncated", path=str(path), size=size, offset=offset)
                offset = 0
            if inode == 0 or size == offset:
                return [], CelPosition(inode=inode, offset=offset) if inode else position
            records, end = self._take(path, offset, last=False)
            return records, CelPosition(inode=inode, offset=end)
        except OSError as error:
            raise CelError(path=str(self._path), reason=error.strerror or str(error)) from error

    def _take(self, path: Path, offset: int, *, last: bool) -> tuple[list[CelRecord], int]:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(READ_LIMIT)
        parsed = parse(data)
        consumed = parsed.consumed
        if last and len(data) < READ_LIMIT and consumed < len(data):
            consumed = len(data)  # nobody will complete the torn end of a file that was renamed
            self.garbage += 1
        if parsed.garbage:
            self.garbage += parsed.garbage
            log.warning("unusable channel events", path=str(path), offset=offset, pieces=parsed.garbage)
        return parsed.records, offset + consumed

    def _renamed(self, inode: int) -> Path | None:
        for path in self._path.parent.iterdir():
            if path.name.startswith(self._path.name) and _identity(path)[0] == inode:
                return path
        return None


def _identity(path: Path) -> tuple[int, int]:
    """Return inode and size; zeros when there is no such file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_ino, status.st_size
