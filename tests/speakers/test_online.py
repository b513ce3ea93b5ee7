"""Stable numbers of the speakers of a stream, and which of its windows are kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarize.speakers.online import choose_kept, keep_numbers


@pytest.mark.parametrize(
    ("labels", "before", "n_known", "expected"),
    [
        ([1, 1, 1, 0, 2, 2], [0, 0, 0, 1, -1, -1], 2, [1, 0, 2]),  # swapped, and a new speaker
        ([0, 0, 1], [-1, -1, -1], 0, [0, 1]),  # the first clustering
        ([0, 0, 0, 0], [0, 0, 1, 1], 2, [0]),  # two speakers become one
        ([0, 0, 0, 1], [0, 0, 0, 0], 1, [0, 1]),  # one becomes two: the larger part keeps the number
        ([0, 1, 1], [2, 0, 0], 3, [2, 0]),  # number 1 is nobody's now
    ],
)
def test_numbers_stay_with_most_of_their_windows(labels, before, n_known, expected):
    found = keep_numbers(np.array(labels), np.array(before), n_known)
    assert found.tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 4)), min_size=1, max_size=30))
def test_numbers_are_different_and_a_renaming_is_followed(pairs):
    labels = np.unique([label for label, _ in pairs], return_inverse=True)[1]
    found = keep_numbers(labels, np.array([number for _, number in pairs]), 5)
    assert len({*found.tolist()}) == labels.max() + 1
    assert (
        found[labels].tolist() == keep_numbers(labels, found[labels], int(found.max()) + 1)[labels].tolist()
    )


def test_the_latest_windows_are_kept_in_equal_shares():
    numbers = np.array([7] + [0] * 10 + [1] * 10)
    kept = choose_kept(numbers, 9)
    assert np.flatnonzero(kept).tolist() == [0, 7, 8, 9, 10, 17, 18, 19, 20]


@given(st.lists(st.integers(0, 4), max_size=40), st.integers(5, 50))
def test_no_more_are_kept_than_the_limit_and_nobody_is_forgotten(numbers, limit):
    kept = choose_kept(np.array(numbers, np.int64), limit)
    assert kept.sum() == min(limit, len(numbers))
    assert {*np.array(numbers)[kept]} == {*numbers}
