"""What was typed, taken apart: terms, syllables, initials and keys of a telephone. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from gateway.directory.readings import SYLLABLES, T9_TEXTS, fold_text, prefix_range, syllable, t9_range

LONGEST_QUERY = 100
_MOST_TERMS = 6
_MOST_LETTERS = 40
_WAYS = 6  # ways to take a run of letters apart that are followed
_WHOLE, _INITIAL, _PART = 10, 12, 30  # what a piece costs: fewer and whole syllables are likelier meant
_TWO_LETTER_INITIALS = frozenset({"zh", "ch", "sh"})
_T9_SYLLABLES = frozenset(T9_TEXTS)
_LONGEST_SYLLABLE = max(map(len, SYLLABLES))


@dataclass(frozen=True, slots=True)
class Piece:
    """One syllable that was typed, whole or only begun: the syllables [first, end) fit."""

    first: int
    end: int

    @property
    def exact(self) -> bool:
        """Only one syllable fits."""
        return self.end == self.first + 1


def terms_of(text: str) -> list[str]:
    """Return the terms of a query, folded; the rest of an endless query is not looked at."""
    return list(dict.fromkeys(fold_text(text[:LONGEST_QUERY]).split()))[:_MOST_TERMS]


def is_latin(term: str) -> bool:
    """Letters and digits only, with at least one letter: it may be pinyin."""
    return term.isascii() and term.isalnum() and not term.isdigit()


@lru_cache(maxsize=4096)
def pinyin_ways(letters: str) -> tuple[tuple[Piece, ...], ...]:
    """Take *letters* apart into syllables, initials and a last one that is only begun; the likeliest way first."""
    if len(letters) > _MOST_LETTERS:
        return ()
    best: list[list[tuple[int, tuple[Piece, ...]]]] = [[(0, ())]]
    for end in range(1, len(letters) + 1):
        ways: list[tuple[int, tuple[Piece, ...]]] = []
        for start in range(max(0, end - _LONGEST_SYLLABLE), end):
            if not best[start]:
                continue
            for cost, piece in _pieces(letters[start:end], last=end == len(letters)):
                ways += [(before + cost, (*way, piece)) for before, way in best[start]]
        ways.sort(key=lambda way: (way[0], [(piece.first, piece.end) for piece in way[1]]))
        best.append(ways[:_WAYS])
    return tuple(way for _, way in best[-1])


@lru_cache(maxsize=8192)
def _pieces(text: str, *, last: bool) -> tuple[tuple[int, Piece], ...]:
    first, end = prefix_range(text)
    if first == end:
        return ()
    if last:
        return ((_WHOLE, Piece(first, end)),)
    pieces = []
    number = syllable(text)
    if number and (len(text) > 1 or text in "aeo" or text.isdigit()):
        pieces.append((_WHOLE, Piece(number, number + 1)))
    if len(text) == 1 or text in _TWO_LETTER_INITIALS:
        pieces.append((_INITIAL, Piece(first, end)))
    elif not number:
        pieces.append((_PART, Piece(first, end)))
    return tuple(pieces)


@lru_cache(maxsize=4096)
def t9_ways(digits: str) -> tuple[tuple[Piece, ...], ...]:
    """Take *digits* apart into whole syllables on a telephone's keys, the last one perhaps only begun."""
    if len(digits) > _MOST_LETTERS:
        return ()
    best: list[list[tuple[Piece, ...]]] = [[()]]
    for end in range(1, len(digits) + 1):
        ways: list[tuple[Piece, ...]] = []
        for start in range(max(0, end - _LONGEST_SYLLABLE), end):
            text = digits[start:end]
            if end == len(digits):
                first, after = t9_range(text)
            elif text in _T9_SYLLABLES and len(text) > 1:
                first = t9_range(text)[0]
                after = first + 1
            else:
                continue
            if first < after:
                ways += [(*way, Piece(first, after)) for way in best[start]]
        ways.sort(key=lambda way: (len(way), [(piece.first, piece.end) for piece in way]))
        best.append(ways[:_WAYS])
    return tuple(best[-1])


_NEIGHBOURS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl",
    "p": "ol", "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv", "g": "fthb", "h": "gyjn", "j": "huk", "k": "jil",
    "l": "ko", "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "nj",
}  # fmt: skip
_FUZZY = (
    ("zh", "z"), ("ch", "c"), ("sh", "s"), ("z", "zh"), ("c", "ch"), ("s", "sh"), ("n", "l"), ("l", "n"), ("h", "f"),
    ("f", "h"), ("r", "l"), ("ang", "an"), ("eng", "en"), ("ing", "in"), ("an", "ang"), ("en", "eng"), ("in", "ing"),
)  # fmt: skip


def slips(letters: str) -> list[str]:
    """Return what may have been meant by mistyped or misheard *letters*, each one slip away; the likeliest first."""
    found: dict[str, None] = {}
    places = range(len(letters))
    for heard, meant in _FUZZY:
        start = letters.find(heard)
        while start >= 0:
            found[letters[:start] + meant + letters[start + len(heard) :]] = None
            start = letters.find(heard, start + 1)
    found |= dict.fromkeys(letters[:i] + letters[i + 1] + letters[i] + letters[i + 2 :] for i in places[:-1])
    found |= dict.fromkeys(letters[:i] + letters[i + 1 :] for i in places)
    found |= dict.fromkeys(letters[:i] + n + letters[i + 1 :] for i in places for n in _NEIGHBOURS.get(letters[i], ""))
    found |= dict.fromkeys(letters[:i] + n + letters[i:] for i in range(1, len(letters) + 1) for n in "aeiounghz")
    found.pop(letters, None)
    return [text for text in found if text and _whole_syllables(text)]


def _whole_syllables(text: str) -> bool:
    """Every piece but the last is a whole syllable: a slip is only looked for in what is spelt out."""
    reach = [True] + [False] * len(text)
    for end in range(1, len(text) + 1):
        for start in range(max(0, end - _LONGEST_SYLLABLE), end):
            if reach[start] and end - start > 1 and syllable(text[start:end]):
                reach[end] = True
                break
    return reach[-1]


def digit_slips(digits: str) -> list[str]:
    """Return numbers one slip away: two digits in the other order, one wrong, one missing, one too many."""
    places = range(len(digits))
    found = dict.fromkeys(digits[:i] + digits[i + 1] + digits[i] + digits[i + 2 :] for i in places[:-1])
    found |= dict.fromkeys(digits[:i] + n + digits[i + 1 :] for i in places for n in "0123456789")
    found |= dict.fromkeys(digits[:i] + digits[i + 1 :] for i in places)
    found |= dict.fromkeys(digits[:i] + n + digits[i:] for i in places[1:] for n in "0123456789")
    found.pop(digits, None)
    return list(found)


def pack(pieces: Sequence[int], bits: int, length: int) -> int:
    """Pack numbers from the left into a key of *length* places of *bits* each; what is left is zero."""
    key = 0
    for place in range(length):
        key = key << bits | (pieces[place] if place < len(pieces) else 0)
    return key
