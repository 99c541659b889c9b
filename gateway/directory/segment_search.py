"""The best contacts of one segment for several terms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gateway.directory.columns import U8, U32, Array, runs
from gateway.directory.matching import EXACT, NONE, PLAIN, REASONS, TYPO, Hits, Term, number_hits, text_hits
from gateway.directory.segment import NUMBER_FIELDS, TEXT_FIELDS, Segment

FIELDS = (*TEXT_FIELDS, *NUMBER_FIELDS)
_OF_PARENT = EXACT << 4 | TEXT_FIELDS.index("parent_unit")  # the unit above is named, not this one
_MANY = 50_000
_FIRST_CHUNK = 4096
_SHOWN_FIELD = {"parent_unit": "unit"}


@dataclass(frozen=True, slots=True)
class Scored:
    """One contact that fits: how well (lower is better), whether exactly, and by which field and why."""

    place: int
    exact: bool
    slip: bool
    score: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class _TermHits:
    texts: Hits
    numbers: Hits

    def weight(self, segment: Segment) -> int:
        """How many contacts fit, roughly; what is in very many texts is not counted out."""
        total = 0
        for hits, offset in ((self.texts, 0), (self.numbers, segment.text_count)):
            for found in (part for parts in hits.found.values() for part in parts):
                many = len(found) > _MANY
                total += len(found) * 2 if many else int(segment.weight[found + np.uint32(offset)].sum())
        return total

    def score(self, segment: Segment) -> U8:
        """Return the quality of each text, then of each number."""
        score = np.full(len(segment.weight), NONE, np.uint8)
        for quality in reversed(range(len(REASONS))):
            for found in self.texts.found.get(quality, ()):
                score[found] = quality
            for found in self.numbers.found.get(quality, ()):
                score[found + np.uint32(segment.text_count)] = quality
        return score


def search_segment(segment: Segment, terms: Sequence[Term], want: int, reach: int) -> tuple[list[Scored], bool]:
    """Return the best *want* contacts or more that fit every one of *terms*, in no order.

    The second value tells that there are no others. Of several terms the rarest leads: when very many contacts fit it,
    they are taken in the order in which they fit it, until there are enough that fit the others too.
    """
    if segment.contact_count == 0:
        return [], True
    taken = [_TermHits(text_hits(segment, term, reach), number_hits(segment, term, reach)) for term in terms]
    if len(taken) == 1:
        places, codes, complete = _best_of_one(segment, taken[0], want)
        return [_scored(place, (code,)) for place, code in zip(places.tolist(), codes.tolist(), strict=True)], complete
    taken.sort(key=lambda hits: hits.weight(segment))
    scores = [hits.score(segment) for hits in taken[1:]]
    size = max(_FIRST_CHUNK, want)
    while True:
        places, codes, complete = _best_of_one(segment, taken[0], size)
        matrix = [codes]
        for score in scores:
            line = _codes_of(segment, score, places)
            fits = line != NONE
            places = places[fits]
            matrix = [*(before[fits] for before in matrix), line[fits]]
        if complete or len(places) >= want:
            return _best_sums(places, np.array(matrix), want, complete=complete)
        size *= 16


def contacts_with(segment: Segment, term: Term, name: str) -> list[int]:
    """Return every contact that has exactly this text in the field *name*, in order."""
    if segment.contact_count == 0 or not term.text:
        return []
    texts = text_hits(segment, term, PLAIN).at(EXACT)
    found: list[int] = segment.text_fields[TEXT_FIELDS.index(name)].first(texts, segment.contact_count).tolist()
    return found


def _best_sums(places: U32, matrix: Array, want: int, *, complete: bool) -> tuple[list[Scored], bool]:
    if len(places) > want:
        exact = np.all((matrix >> 4 == EXACT) & (matrix != _OF_PARENT), axis=0)
        order = (~exact).astype(np.int64) << 48 | matrix.sum(axis=0, dtype=np.int64) << 32 | places
        chosen = np.argpartition(order, want - 1)[:want]
        places, matrix, complete = places[chosen], matrix[:, chosen], False
    lines = matrix.T.tolist()
    return [_scored(place, tuple(line)) for place, line in zip(places.tolist(), lines, strict=True)], complete


def _scored(place: int, codes: tuple[int, ...]) -> Scored:
    best = min(codes)
    field = FIELDS[best & 15]
    return Scored(
        place=place,
        exact=all(code >> 4 == EXACT and code != _OF_PARENT for code in codes),
        slip=any(code >> 4 == TYPO for code in codes),
        score=sum(codes),
        field=_SHOWN_FIELD.get(field, field),
        reason=REASONS[best >> 4],
    )


def _best_of_one(segment: Segment, hits: _TermHits, want: int) -> tuple[U32, U8, bool]:
    """Go through qualities and fields from the best until there are *want*; each contact has its best code."""
    found: list[U32] = []
    codes: list[U8] = []
    seen = 0
    for quality in range(len(REASONS)):
        texts, numbers = hits.texts.at(quality), hits.numbers.at(quality)
        for field in range(len(FIELDS)):
            named = field < len(TEXT_FIELDS)
            fitting = texts if named else numbers
            if len(fitting) == 0:
                continue
            if not named and len(fitting) > _MANY > want * 10:
                # Numbers are numbered in the order of their contacts, and here are enough of them.
                fitting = np.partition(fitting[: 4 * _MANY], _MANY // 2)[: _MANY // 2]
            listed = segment.text_fields[field] if named else segment.number_fields[field - len(TEXT_FIELDS)]
            more = listed.first(fitting, min(want + seen, segment.contact_count))
            if len(more) == 0:
                continue
            found.append(more)
            codes.append(np.full(len(more), quality << 4 | field, np.uint8))
            seen += len(more)
            if seen >= want:
                places, best = _each_once(found, codes)
                seen = len(places)
                if seen >= want:
                    return places, best, False
                found, codes = [places], [best]
    return (*_each_once(found, codes), True)


def _each_once(found: Sequence[U32], codes: Sequence[U8]) -> tuple[U32, U8]:
    """Return each contact once, in order, with its best code."""
    if not found:
        return np.empty(0, np.uint32), np.empty(0, np.uint8)
    # The code in the lower bits: the best of a contact comes first.
    pairs = np.sort(np.concatenate(found).astype(np.uint64) << np.uint64(8) | np.concatenate(codes))
    places = (pairs >> np.uint64(8)).astype(np.uint32)
    new = np.concatenate(([True], places[1:] != places[:-1])) if len(places) else np.empty(0, bool)
    return places[new], (pairs[new] & np.uint64(0xFF)).astype(np.uint8)


def _codes_of(segment: Segment, score: U8, places: U32) -> U8:
    """Return how each of the contacts *places* fits one term: ``quality << 4 | field``, or NONE."""
    if len(places) == 0:
        return np.empty(0, np.uint8)
    starts = segment.entry_start[places].astype(np.int64)
    counts = segment.entry_start[places + np.uint32(1)].astype(np.int64) - starts
    entries = runs(starts, counts)
    quality = score[segment.entry_text[entries]]
    code = np.where(quality == NONE, NONE, quality << 4 | segment.entry_field[entries]).astype(np.uint8)
    result = np.full(len(places), NONE, np.uint8)
    filled = counts > 0
    if len(code):
        result[filled] = np.minimum.reduceat(code, (counts.cumsum() - counts)[filled])
    return result
