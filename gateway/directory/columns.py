"""Sorted columns of packed keys: what begins with a key is one range, found by two binary searches.

A *place* is a position in a text where reading may begin. Its key packs what follows it into 64 bits, the first unit in
the highest bits, zero after the end of the text. Columns are plain arrays, so that they can be mapped from a file.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

U64: TypeAlias = npt.NDArray[np.uint64]
U32: TypeAlias = npt.NDArray[np.uint32]
U16: TypeAlias = npt.NDArray[np.uint16]
U8: TypeAlias = npt.NDArray[np.uint8]
I64: TypeAlias = npt.NDArray[np.int64]
Array: TypeAlias = npt.NDArray[Any]


class Column(NamedTuple):
    """Keys in order, and beside each the number of its text. ``more`` goes on where ``key`` ends, or is empty."""

    key: U64
    more: U64
    text: U32

    def range_of(self, low: int, high: int) -> tuple[int, int]:
        """Return the rows whose key is in [low, high)."""
        end = len(self.key) if high >> 64 else int(self.key.searchsorted(np.uint64(high)))
        return int(self.key.searchsorted(np.uint64(low))), end

    def narrowed(self, start: int, end: int, low: int, high: int) -> tuple[int, int]:
        """Return those of the rows [start, end), all of one key, whose ``more`` is in [low, high)."""
        part = self.more[start:end]
        after = len(part) if high >> 64 else int(part.searchsorted(np.uint64(high)))
        return start + int(part.searchsorted(np.uint64(low))), start + after


def column(key: U64, text: U32, more: U64 | None = None) -> Column:
    """Sort rows into a column: by key, what goes on, and text."""
    if more is None:
        order = np.lexsort((text, key))
        return Column(key[order], np.empty(0, np.uint64), text[order])
    order = np.lexsort((text, more, key))
    return Column(key[order], more[order], text[order])


class Postings(NamedTuple):
    """Which contacts have a text in a field: those of text *t* are ``contact[start[t]:start[t + 1]]``, in order."""

    start: U32
    contact: U32

    def first(self, texts: U32, most: int) -> U32:
        """Return the *most* contacts with the lowest numbers among those of *texts*, in order."""
        starts, ends = self.start[texts], self.start[texts + np.uint32(1)]
        has = starts < ends
        starts, counts = starts[has], np.minimum(ends[has] - starts[has], most).astype(np.int64)
        if len(starts) == 0:
            return np.empty(0, np.uint32)
        if len(starts) > most:
            # Only the texts whose own first contact is among the lowest can have one of the lowest.
            chosen = np.argpartition(self.contact[starts], most - 1)[:most]
            starts, counts = starts[chosen], counts[chosen]
        return distinct(self.contact[runs(starts, counts)])[:most]


def distinct(numbers: U32) -> U32:
    """Return *numbers* in order, each once (sorting is several times faster here than the hashing of ``np.unique``)."""
    ordered = np.sort(numbers)
    if len(ordered) < 2:
        return ordered
    result: U32 = ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))]
    return result


def runs(starts: Array, counts: I64) -> I64:
    """Return ``starts[0], starts[0] + 1, …`` up to ``counts[0]`` of them, then the same of the next."""
    offsets = np.concatenate(([0], counts.cumsum()))
    result: I64 = np.arange(offsets[-1]) + np.repeat(starts.astype(np.int64) - offsets[:-1], counts)
    return result


def postings(texts: U32, contacts: U32, text_count: int) -> Postings:
    """Make postings of pairs (text, contact)."""
    pairs = np.unique(texts.astype(np.uint64) << np.uint64(32) | contacts)
    counts = np.bincount((pairs >> np.uint64(32)).astype(np.int64), minlength=text_count)
    start = np.concatenate(([0], counts.cumsum())).astype(np.uint32)
    return Postings(start, pairs.astype(np.uint32))
