"""The ``Range`` header (RFC 9110, section 14), one range of bytes; anything else is answered in full."""

import re

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text

_ONE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class RangeError(TrunklineError):
    """The range lies outside the document."""

    code = "archive.range"
    kind = Kind.INVALID
    cause = Text("The range lies outside the document of {size} bytes.", "请求的范围超出文档（{size} 字节）。")
    action = Text("Ask for a range within it.", "请请求文档范围内的数据。")


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one after the last, None for the whole; raise :class:`RangeError`."""
    match = None if header is None else _ONE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = int(match[2])
        if length == 0 or size == 0:
            raise RangeError(size=size)
        return max(0, size - length), size
    start = int(match[1])
    stop = size if not match[2] else int(match[2]) + 1
    if match[2] and stop <= start:
        return None
    if start >= size:
        raise RangeError(size=size)
    return start, min(stop, size)
