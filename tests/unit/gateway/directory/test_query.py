"""What was typed, taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.directory.query import LONGEST_QUERY, digit_slips, pinyin_ways, slips, t9_ways, terms_of
from gateway.directory.readings import SYLLABLES, T9_TEXTS, fold_text, read_as, variants


def spelt(letters: str) -> list[str]:
    return [
        " ".join(SYLLABLES[piece.first] + ("" if piece.exact else "*") for piece in way) for way in pinyin_ways(letters)
    ]


@pytest.mark.parametrize(
    ("letters", "likeliest"), [("shanxiong", "shan xiong"), ("zhangwei", "zhang wei"), ("fangan", "fan gan")]
)
def test_the_likeliest_way_to_take_letters_apart(letters: str, likeliest: str) -> None:
    assert likeliest in [way.rstrip("*") for way in spelt(letters)[:2]]


def test_initials_fit_all_syllables_that_begin_with_them() -> None:
    assert [len(way) for way in pinyin_ways("xfzd")] == [4]


def test_letters_that_no_syllable_begins_with_and_endless_ones() -> None:
    assert pinyin_ways("shanq!") == ()
    assert pinyin_ways("a" * 41) == ()
    assert t9_ways("2" * 41) == ()
    assert terms_of("消防 " * 5000) == ["消防", "消"]  # cut where the longest query ends
    assert len("".join(terms_of("消" * 5000))) == LONGEST_QUERY


def test_t9_takes_whole_syllables() -> None:
    assert ["7426", "94664", "946"] in [[T9_TEXTS[piece.first] for piece in way] for way in t9_ways("742694664946")]


def test_slips_are_one_step_away() -> None:
    assert {"zhangwei", "shanxiongxin"} <= {*slips("zhangwie"), *slips("shanxoingxin")}
    assert "13800138000" in digit_slips("13800183000")
    assert "13800138000" in digit_slips("1380138000")


@given(st.text())
def test_folding_is_a_fixed_point_and_keeps_no_control_character(text: str) -> None:
    folded = fold_text(text)
    assert fold_text(folded) == folded or not folded.isascii()
    assert "\0" not in folded


def test_variants_begin_with_the_common_reading_and_are_bounded() -> None:
    ways = list(variants([read_as(char) for char in "重庆"]))
    assert [SYLLABLES[number] for number in ways[0]] == ["zhong", "qing"]
    assert ["chong", "qing"] in [[SYLLABLES[number] for number in way] for way in ways]
    assert len(list(variants([read_as("单")] * 10))) == 16
