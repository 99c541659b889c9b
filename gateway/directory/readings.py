"""How characters are read: syllables of Mandarin without tones, every reading of a character, and its T9 digits.

Readings come from pypinyin's table of characters; what names have beyond it is in :data:`_SURNAMES`. A syllable is kept
by its number in the alphabetical order, so that all syllables with the same beginning are one range of numbers. Digits
and Latin letters are syllables of their own: ``110指挥中心`` reads ``1 1 0 zhi hui zhong xin``.
"""

import bisect
import hashlib
import itertools
import string
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

from pypinyin.constants import PINYIN_DICT

from gateway.directory.simplified import TO_SIMPLIFIED

_SURNAMES = {
    "单": "shan", "曾": "zeng", "仇": "qiu", "区": "ou", "解": "xie", "查": "zha", "盖": "ge",
    "朴": "piao", "任": "ren", "尉": "yu", "万": "mo", "俟": "qi", "种": "chong", "纪": "ji",
    "华": "hua", "燕": "yan", "宁": "ning", "冼": "xian", "逄": "pang", "黑": "he", "秘": "bi",
    "折": "she", "繁": "po", "佴": "nai", "郗": "xi chi", "句": "gou", "过": "guo", "洗": "xian",
    "那": "na", "能": "nai", "乐": "yue", "员": "yun", "召": "shao", "缪": "miao", "覃": "qin tan",
    "翟": "zhai", "乜": "nie", "谌": "chen shen", "隗": "wei kui", "车": "che", "哈": "ha",
    "盛": "sheng", "阚": "kan", "澹": "tan", "长": "zhang", "令": "ling", "适": "kuo", "牟": "mu mou",
    "不": "fou", "重": "chong", "炅": "gui", "卜": "bu", "晟": "cheng sheng", "祭": "zhai",
    "撒": "sa", "应": "ying", "干": "gan", "俞": "yu", "殷": "yin", "邸": "di", "眭": "sui",
    "妫": "gui", "相": "xiang", "曲": "qu", "葛": "ge", "於": "yu", "戚": "qi", "晁": "chao",
    "贲": "ben", "咎": "gao jiu", "麻": "ma", "宿": "su", "洞": "dong", "仉": "zhang", "厍": "she",
    "亓": "qi",
}  # fmt: skip
"""Readings as a surname, alone or in one of two characters (尉迟 yuchi, 万俟 moqi, 单于 chanyu, 澹台 tantai)."""

_VARIANTS = str.maketrans("𠮷髙﨑德栁濵祢", "吉高崎德柳滨祢")
"""Forms of names that are written alike by those who cannot type them."""

_T9 = str.maketrans(string.ascii_lowercase, "22233344455566677778889999")
_MOST_VARIANTS = 16
INITIAL_BITS = 6


def fold_text(text: str) -> str:
    """Return *text* as search compares it: full width, case, traditional forms and control characters made alike."""
    folded = unicodedata.normalize("NFKC", text).translate(_VARIANTS).translate(TO_SIMPLIFIED).casefold()
    return "".join(map(_kept, folded))


@lru_cache(maxsize=1 << 16)
def _kept(char: str) -> str:
    # Spaces and punctuation only separate; control characters and marks of direction are nothing.
    category = unicodedata.category(char)
    return char if category[0] in "LNSM" and char != "\x00" else " " if category[0] in "ZP" else ""


def _plain(reading: str) -> str:
    decomposed = unicodedata.normalize("NFD", reading).replace("u\u0308", "v")
    return "".join(char for char in decomposed if char in string.ascii_lowercase)


def _all_readings() -> dict[str, tuple[str, ...]]:
    readings: dict[str, tuple[str, ...]] = {}
    plain = cache(_plain)
    for code, written in PINYIN_DICT.items():
        texts = [plain(reading) for reading in written.split(",")]
        texts += [f"{text[0]}y{text[1:].replace('v', 'u')}" for text in texts if text in {"lv", "nv"}]
        readings[chr(code)] = tuple(dict.fromkeys(text for text in texts if text))
    for char, surname in _SURNAMES.items():
        readings[char] = tuple(dict.fromkeys((*readings.get(char, ()), *surname.split())))
    for char in string.digits + string.ascii_lowercase:
        readings[char] = (char,)
    return readings


_READINGS = _all_readings()
SYLLABLES: tuple[str, ...] = ("", *sorted({text for texts in _READINGS.values() for text in texts}))
"""Every syllable in alphabetical order; number 0 is none."""
_NUMBER = {text: number for number, text in enumerate(SYLLABLES)}
INITIALS: tuple[int, ...] = (0, *(1 + (string.digits + string.ascii_lowercase).index(s[0]) for s in SYLLABLES[1:]))
"""The number (1…36) of the first letter of each syllable."""
_DIGITS = [text.translate(_T9) for text in SYLLABLES]
T9_TEXTS: tuple[str, ...] = tuple(sorted(set(_DIGITS)))
"""The digits of all syllables on a telephone's keys, in order."""
T9_OF_SYLLABLE: tuple[int, ...] = tuple(bisect.bisect_left(T9_TEXTS, digits) for digits in _DIGITS)
T9_OF_INITIAL: tuple[int, ...] = (0, *(1 + int(c.translate(_T9)) for c in string.digits + string.ascii_lowercase))
"""One digit (1…10) of each initial."""

FINGERPRINT = hashlib.blake2b(repr((_READINGS, _VARIANTS, TO_SIMPLIFIED)).encode(), digest_size=8).hexdigest()
"""Changes with everything by which a text becomes keys: what was made with another one is not used."""


def numbers_of(char: str) -> tuple[int, ...]:
    """Return the syllables of one folded character, the commonest first; none for what is not read."""
    return tuple(_NUMBER[text] for text in _READINGS.get(char, ()))


read_as = lru_cache(maxsize=1 << 16)(numbers_of)


def prefix_range(prefix: str) -> tuple[int, int]:
    """Return the syllables that begin with *prefix* as a range [first, end)."""
    return bisect.bisect_left(SYLLABLES, prefix), bisect.bisect_left(SYLLABLES, prefix + "\x7f")


def t9_range(prefix: str) -> tuple[int, int]:
    """Return the T9 texts that begin with the digits *prefix* as a range [first, end)."""
    return bisect.bisect_left(T9_TEXTS, prefix), bisect.bisect_left(T9_TEXTS, prefix + "\x7f")


def syllable(text: str) -> int:
    """Return the number of a whole syllable; 0 when it is none."""
    return _NUMBER.get(text, 0)


def variants(readings: Sequence[tuple[int, ...]], most: int = _MOST_VARIANTS) -> Iterator[tuple[int, ...]]:
    """Yield ways to read a run of characters: the common one first, then with one character read otherwise, then more.

    At most *most* are given: a long text with many such characters is found by its likelier readings.
    """
    first = tuple(reading[0] for reading in readings)
    many = [place for place, reading in enumerate(readings) if len(reading) > 1]
    count = 0
    for size in range(len(many) + 1):
        for places in itertools.combinations(many, size):
            for other in itertools.product(*(readings[place][1:] for place in places)):
                way = list(first)
                for place, number in zip(places, other, strict=True):
                    way[place] = number
                yield tuple(way)
                count += 1
                if count >= most:
                    return
