"""The arrays under the search, against the plain way to say the same."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.directory.columns import column, distinct, postings, runs

NUMBERS = st.lists(st.integers(0, 40), max_size=60)
PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=80)


@given(NUMBERS)
def test_distinct(numbers: list[int]) -> None:
    assert distinct(np.array(numbers, np.uint32)).tolist() == sorted(set(numbers))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 4)), max_size=9))
def test_runs(pairs: list[tuple[int, int]]) -> None:
    starts = np.array([start for start, _ in pairs], np.uint32)
    counts = np.array([count for _, count in pairs], np.int64)
    assert runs(starts, counts).tolist() == [start + n for start, count in pairs for n in range(count)]


@given(PAIRS, st.sets(st.integers(0, 9)), st.integers(1, 100))
def test_the_first_contacts_of_some_texts(pairs: list[tuple[int, int]], texts: set[int], most: int) -> None:
    listed = postings(
        np.array([text for text, _ in pairs], np.uint32), np.array([place for _, place in pairs], np.uint32), 10
    )
    found = listed.first(np.array(sorted(texts), np.uint32), most)
    assert found.tolist() == sorted({place for text, place in pairs if text in texts})[:most]


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 99)), max_size=50), st.data())
def test_ranges(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    made = column(np.array([key for key, _ in rows], np.uint64), np.array([text for _, text in rows], np.uint32))
    low = data.draw(st.integers(0, 2**64 - 1))
    high = data.draw(st.integers(low, 2**64))
    start, end = made.range_of(low, high)
    assert made.text[start:end].tolist() == [text for key, text in sorted(rows) if low <= key < high]
