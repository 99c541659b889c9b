"""Which texts and numbers of a segment fit one term, and how well."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, product

import numpy as np

from gateway.directory import query, readings
from gateway.directory.columns import U32, Array, Column, distinct
from gateway.directory.query import Piece, pack
from gateway.directory.segment import (
    CHAR_BITS,
    CHARS,
    DIGIT_BITS,
    DIGITS,
    INITIALS,
    LONG_WIDTH,
    SYLLABLE_BITS,
    SYLLABLES,
    Segment,
)

REASONS = (
    "exact", "prefix", "pinyin", "pinyin", "initials", "initials", "substring", "number", "abbreviation", "pinyin",
    "initials", "t9", "number", "homophone", "typo",
)  # fmt: skip
(
    EXACT, PREFIX, PINYIN_WHOLE, PINYIN_HEAD, INITIALS_WHOLE, INITIALS_HEAD, SUBSTRING, NUMBER_END, ABBREVIATION,
    PINYIN_INNER, INITIALS_INNER, T9, NUMBER_INNER, HOMOPHONE, TYPO,
) = range(len(REASONS))  # fmt: skip
NONE = 255

PLAIN, WIDE, SLIPS = range(3)
"""How far to look: for what was typed; also for abbreviations and homophones; also for slips of the fingers."""

_MOST_WAYS = 12
_MOST_CHECKED = 2000
_MOST_ABBREVIATED = 3
_RUNS = re.compile(r"[a-z0-9]+|[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Term:
    """One term, folded; ``digits`` are fragments of numbers to look for."""

    text: str
    digits: tuple[str, ...] = ()


@dataclass(slots=True)
class Hits:
    """Numbers of texts (or of telephone numbers) by how well they fit; the same may be there several times."""

    found: dict[int, list[U32]] = field(default_factory=dict)

    def add(self, quality: int, texts: U32) -> None:
        """Add *texts*, which fit by *quality* (lower is better)."""
        if len(texts):
            self.found.setdefault(quality, []).append(texts)

    def at(self, quality: int) -> U32:
        """Return what was added for *quality*."""
        parts = self.found.get(quality, [])
        return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0, np.uint32)


def text_hits(segment: Segment, term: Term, reach: int) -> Hits:
    """Return the texts that fit *term*."""
    hits = Hits()
    text = term.text
    _literal(segment, text, hits)
    if query.is_latin(text):
        _pinyin(segment, text, hits)
    elif text.isascii() and text.isdigit():
        _t9(segment, text, hits)
    elif any("a" <= char <= "z" for char in text):
        _mixed(segment, text, hits)
    if reach >= WIDE:
        _wide(segment, text, hits)
    if reach >= SLIPS:
        _slips(segment, text, hits)
    return hits


def _wide(segment: Segment, text: str, hits: Hits) -> None:
    if query.is_latin(text) and len(text) > 2:
        _abbreviated_pinyin(segment, text, hits)
    elif not text.isascii() and len(text) > 1:
        _abbreviated(segment, text, hits)
        _homophones(segment, text, hits)


def _slips(segment: Segment, text: str, hits: Hits) -> None:
    if query.is_latin(text) and len(text) > 4:
        for slip in query.slips(text):
            for way in query.pinyin_ways(slip)[:1]:
                for _, found, _ in _way(segment, way):
                    hits.add(TYPO, found)
    elif not text.isascii() and len(text) > 2:
        _one_wrong(segment, text, hits)


def number_hits(segment: Segment, term: Term, reach: int) -> Hits:
    """Return the telephone, fax and radio numbers that fit *term*."""
    hits = Hits()
    for digits in term.digits:
        low, high = _bounds([int(digit) + 1 for digit in digits[:DIGITS]], DIGIT_BITS, DIGITS)
        start, end = segment.number_head.range_of(low, high)
        _, whole = segment.number_head.range_of(low, low + 1)  # zeros follow: they come first
        hits.add(EXACT, segment.number_head.text[start:whole])
        if len(digits) > 1:
            hits.add(NUMBER_END, segment.number_head.text[whole:end])
            start, end = segment.number_tail.range_of(low, high)
            _, last = segment.number_tail.range_of(low, low + 1)
            hits.add(NUMBER_END, segment.number_tail.text[start:last])
            hits.add(NUMBER_INNER, segment.number_tail.text[last:end])
        if reach >= SLIPS and len(digits) > 6:
            for slip in query.digit_slips(digits):
                low, _ = _bounds([int(digit) + 1 for digit in slip[:DIGITS]], DIGIT_BITS, DIGITS)
                for numbers in (segment.number_head, segment.number_tail):
                    start, end = numbers.range_of(low, low + 1)
                    hits.add(TYPO, numbers.text[start:end])
    return hits


def _bounds(units: Sequence[int], bits: int, places: int) -> tuple[int, int]:
    """Return the range of keys that begin with *units*."""
    low = pack(units, bits, places)
    return low, low + (1 << bits * (places - len(units)))


# --- characters -------------------------------------------------------------------------------------------------------


def _char_numbers(segment: Segment, text: str) -> list[int]:
    """Return the segment's number of each character; 0 for one that it does not have."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    places = np.minimum(segment.chars.searchsorted(codes), len(segment.chars) - 1)
    found = np.where(segment.chars[places] == codes, np.minimum(places, 0xFFFF), 0)
    return [int(number) for number in found]


def _char_range(chars: Column, numbers: Sequence[int]) -> tuple[int, int]:
    first, after = numbers[:CHARS], numbers[CHARS : 2 * CHARS]
    start, end = chars.range_of(*_bounds(first, CHAR_BITS, CHARS))
    return chars.narrowed(start, end, *_bounds(after, CHAR_BITS, CHARS)) if after else (start, end)


def _literal(segment: Segment, text: str, hits: Hits) -> None:
    numbers = _char_numbers(segment, text)
    if not numbers or 0 in numbers:
        return
    start, end = _char_range(segment.char_head, numbers)
    whole = start + int(_ends_here(segment.char_head, numbers, start, end))
    if len(numbers) > 2 * CHARS:
        kept = segment.char_head.text[start:end][:_MOST_CHECKED].tolist()
        hits.add(EXACT, np.array([number for number in kept if segment.text(number) == text], np.uint32))
        hits.add(PREFIX, np.array([number for number in kept if segment.text(number).startswith(text)], np.uint32))
    else:
        hits.add(EXACT, segment.char_head.text[start:whole])
        hits.add(PREFIX, segment.char_head.text[whole:end])
    start, end = _char_range(segment.char_tail, numbers)
    found = segment.char_tail.text[start:end]
    if len(numbers) > 2 * CHARS:
        kept = [number for number in found[:_MOST_CHECKED].tolist() if text in segment.text(number)]
        found = np.array(kept, np.uint32)
    hits.add(SUBSTRING, found)


def _ends_here(chars: Column, numbers: Sequence[int], start: int, end: int) -> int:
    """Return how many of the rows end with what was typed: zeros follow, so they come first."""
    length = len(numbers)
    if length < CHARS:
        low, _ = _bounds(numbers, CHAR_BITS, CHARS)
        return int(chars.key[start:end].searchsorted(np.uint64(low), side="right"))
    low, _ = _bounds(numbers[CHARS : 2 * CHARS], CHAR_BITS, CHARS)
    return int(chars.more[start:end].searchsorted(np.uint64(low), side="right"))


def _abbreviated(segment: Segment, text: str, hits: Hits) -> None:
    """Long texts that hold all characters in order: 应急办 for 应急管理办公室."""
    numbers = _char_numbers(segment, text)
    if 0 in numbers:
        return
    ranges = []
    for number in dict.fromkeys(numbers):
        both = [(chars, *_char_range(chars, [number])) for chars in (segment.char_head, segment.char_tail)]
        ranges.append((sum(end - start for _, start, end in both), both))
    _, rarest = min(ranges, key=lambda one: one[0])
    places = np.concatenate([chars.text[start:end] for chars, start, end in rarest])
    places = distinct(places[places < len(segment.long_chars)])
    hits.add(ABBREVIATION, _in_order(segment.long_chars, places, [Piece(number, number + 1) for number in numbers]))


def _in_order(matrix: Array, rows: U32, wanted: Sequence[Piece]) -> U32:
    """Return those *rows* of *matrix* that hold all *wanted* in this order."""
    place = np.full(len(rows), -1)
    for piece in wanted:
        if len(rows) == 0:
            break
        units = matrix[rows]
        fits = _fits(units, piece) & (np.arange(LONG_WIDTH) > place[:, None])
        place = fits.argmax(axis=1)
        held = fits[np.arange(len(rows)), place]
        rows, place = rows[held], place[held]
    return rows


def _one_wrong(segment: Segment, text: str, hits: Hits) -> None:
    """Texts that begin like *text* but for one character that is another, or two that changed places."""
    numbers = _char_numbers(segment, text)[: 2 * CHARS]
    for wrong in range(len(numbers)):
        before, after = numbers[:wrong], numbers[wrong + 1 :]
        if 0 in before or 0 in after:
            continue
        if not before:
            start, end = _char_range(segment.char_tail, after)
            hits.add(TYPO, segment.char_tail.text[start:end])
            continue
        for chars in (segment.char_head, segment.char_tail):
            start, end = _char_range(chars, before)
            fits = np.ones(end - start, bool)
            for place, number in enumerate(after, wrong + 1):
                source = chars.key if place < CHARS else chars.more
                unit = source[start:end] >> np.uint64(CHAR_BITS * (CHARS - 1 - place % CHARS)) & np.uint64(0xFFFF)
                fits &= unit == number
            hits.add(TYPO, chars.text[start:end][fits])
    for place in range(len(numbers) - 1):
        swapped = [*numbers[:place], numbers[place + 1], numbers[place], *numbers[place + 2 :]]
        if 0 not in swapped:
            start, end = _char_range(segment.char_head, swapped)
            hits.add(TYPO, segment.char_head.text[start:end])


# --- pinyin -----------------------------------------------------------------------------------------------------------


def _pinyin(segment: Segment, text: str, hits: Hits) -> None:
    for way in query.pinyin_ways(text):
        spelt = len(text) > len(way)
        names = (PINYIN_WHOLE, PINYIN_HEAD, PINYIN_INNER) if spelt else (INITIALS_WHOLE, INITIALS_HEAD, INITIALS_INNER)
        for head, found, whole in _way(segment, way, tail=len(text) > 1):
            if len(text) == 1:
                hits.add(names[1], found)  # half of all: nobody asks which of them have one letter only
            elif head:
                hits.add(names[0], found[whole])
                hits.add(names[1], found[~whole])
            else:
                hits.add(names[2], found)
    if 1 < len(text) <= INITIALS:
        letters = [readings.INITIALS[first] for first, end in map(readings.prefix_range, text) if first < end]
        if len(letters) == len(text):
            low, high = _bounds(letters, readings.INITIAL_BITS, INITIALS)
            start, end = segment.initial_head.range_of(low, high)
            rest = np.uint64((1 << readings.INITIAL_BITS * (INITIALS - len(text))) - 1)
            whole = segment.initial_head.key[start:end] & rest == 0
            hits.add(INITIALS_WHOLE, segment.initial_head.text[start:end][whole])
            hits.add(INITIALS_HEAD, segment.initial_head.text[start:end][~whole])
            start, end = segment.initial_tail.range_of(low, high)
            hits.add(INITIALS_INNER, segment.initial_tail.text[start:end])


def _way(segment: Segment, way: Sequence[Piece], *, tail: bool = True) -> Iterator[tuple[bool, U32, Array]]:
    """Yield (at the beginning of the text, texts, whether the text ends there) for one way to read what was typed."""
    window = way[:SYLLABLES]
    bits = SYLLABLE_BITS * (SYLLABLES - len(window))
    rest = np.uint64((1 << bits) - 1)
    further = np.empty(0, np.uint32)
    if len(way) > SYLLABLES:
        # What goes on past the key: the text must also hold the rest somewhere.
        further = np.concatenate([texts for _, texts, _ in _way(segment, way[SYLLABLES : 3 * SYLLABLES])])
    for head in (True, False) if tail else (True,):
        if all(piece.exact for piece in window[:-1]):
            rows = segment.syllable_head if head else segment.syllable_tail
            exact = [piece.first for piece in window[:-1]]
            low = pack([*exact, window[-1].first], SYLLABLE_BITS, SYLLABLES)
            high = low + ((window[-1].end - window[-1].first) << bits)
            start, end = rows.range_of(low, high)
            found, keys = rows.text[start:end], rows.key[start:end]
        else:
            found, keys = _filtered(segment.initial_head if head else segment.initial_tail, window)
        whole = keys & rest == 0 if tail else np.zeros(0, bool)
        if len(way) > SYLLABLES:
            both = np.isin(found, further)
            found, whole = found[both], whole[both]
        yield head, found, whole


def _filtered(rows: Column, window: Sequence[Piece]) -> tuple[U32, Array]:
    """Look up by initials, then keep those whose syllables fit."""
    letters = [readings.INITIALS[piece.first] for piece in window]
    start, end = rows.range_of(*_bounds(letters, readings.INITIAL_BITS, INITIALS))
    found, keys = rows.text[start:end], rows.more[start:end]
    for place, piece in enumerate(window):
        if readings.prefix_range(readings.SYLLABLES[piece.first][:1]) == (piece.first, piece.end):
            continue  # the initial alone, which fits already
        unit = keys >> np.uint64(SYLLABLE_BITS * (SYLLABLES - 1 - place)) & np.uint64((1 << SYLLABLE_BITS) - 1)
        fits = _fits(unit, piece)
        found, keys = found[fits], keys[fits]
    return found, keys


def _mixed(segment: Segment, text: str, hits: Hits) -> None:
    """Characters and pinyin together, 单xx: read as pinyin, and then the characters must be there as well."""
    runs = _RUNS.findall(text)
    choices: list[list[tuple[Piece, ...]]] = []
    for run in runs:
        if run.isascii() and run.isalnum():
            choices.append([tuple(_open(way, last=run is runs[-1])) for way in query.pinyin_ways(run)])
        else:
            read = [numbers for char in run if (numbers := readings.read_as(char))]
            ways = readings.variants(read) if read else iter([()])
            choices.append([tuple(Piece(number, number + 1) for number in way) for way in ways])
    literal: list[U32] = []
    for run in runs:
        if not run.isascii():
            only = Hits()
            _literal(segment, run, only)
            literal.append(np.concatenate([only.at(quality) for quality in (EXACT, PREFIX, SUBSTRING)]))
    for parts in islice(product(*choices), _MOST_WAYS):
        way = [piece for part in parts for piece in part]
        for head, found, whole in _way(segment, way) if way else ():
            kept = np.ones(len(found), bool)
            for texts in literal:
                kept &= np.isin(found, texts)
            hits.add(PINYIN_WHOLE, found[kept & whole] if head else found[:0])
            hits.add(PINYIN_HEAD, found[kept & ~whole] if head else found[:0])
            hits.add(PINYIN_INNER, found[:0] if head else found[kept])


def _open(way: Sequence[Piece], *, last: bool) -> Iterator[Piece]:
    """In the middle of a query the last piece, too, is whole or an initial; a whole syllable is taken as one."""
    for place, piece in enumerate(way):
        ends = place == len(way) - 1 and not last
        whole = ends and len(readings.SYLLABLES[piece.first]) > 1 and not piece.exact
        yield Piece(piece.first, piece.first + 1) if whole and _spelt(piece) else piece


def _spelt(piece: Piece) -> bool:
    text = readings.SYLLABLES[piece.first]
    return readings.prefix_range(text) == (piece.first, piece.end)


def _homophones(segment: Segment, text: str, hits: Hits) -> None:
    """What sounds the same: the input method's other characters."""
    read = [numbers for char in text if (numbers := readings.read_as(char))]
    if len(read) != len(text):
        return
    for way in readings.variants(read):
        pieces = [Piece(number, number + 1) for number in way]
        for _, found, _ in _way(segment, pieces):
            hits.add(HOMOPHONE, found)


def _abbreviated_pinyin(segment: Segment, text: str, hits: Hits) -> None:
    """Long texts that begin with the first syllable and hold the others in order: yjb, yingjiban for 应急管理办公室."""
    initials = [Piece(first, end) for first, end in map(readings.prefix_range, text) if first < end]
    ways = [*query.pinyin_ways(text)[:_MOST_ABBREVIATED], *([tuple(initials)] if len(initials) == len(text) else [])]
    for way in dict.fromkeys(ways):
        if len(way) < 2:
            continue
        letter = readings.INITIALS[way[0].first]
        start, end = segment.initial_head.range_of(*_bounds([letter], readings.INITIAL_BITS, INITIALS))
        places = segment.initial_head.text[start:end]
        places = distinct(places[places < len(segment.long_syllables)])
        places = places[_fits(segment.long_syllables[places, 0], way[0])]
        hits.add(ABBREVIATION, _in_order(segment.long_syllables, places, way))


def _fits(units: Array, piece: Piece) -> Array:
    result: Array = (units >= piece.first) & (units < piece.end)
    return result


def _t9(segment: Segment, digits: str, hits: Hits) -> None:
    if len(digits) < 2 or not set(digits) <= set("23456789"):
        return
    for way in query.t9_ways(digits):
        window = way[:SYLLABLES]
        exact = [piece.first for piece in window[:-1]]
        low = pack([*exact, window[-1].first], SYLLABLE_BITS, SYLLABLES)
        high = low + ((window[-1].end - window[-1].first) << SYLLABLE_BITS * (SYLLABLES - len(window)))
        start, end = segment.t9_head.range_of(low, high)
        hits.add(T9, segment.t9_head.text[start:end])
    low, high = _bounds([int(digit) + 1 for digit in digits[:INITIALS]], DIGIT_BITS, DIGITS)
    start, end = segment.t9_initial_head.range_of(low, high)
    hits.add(T9, segment.t9_initial_head.text[start:end])
