"""Speakers of a stream that is clustered again and again: stable numbers, and a bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diarize.clustering.partitions import Labels


def keep_numbers(labels: Labels, before: Labels, n_known: int) -> Labels:
    """The number (k,) of each label 0 .. k-1, so that as many windows as possible keep theirs.

    ::

        before    0   0   0   1   1   -    -: a new window (-1)
        labels    1   1   1   0   2   2
        numbers   label 1 -> 0, label 0 -> 1, label 2 -> 2, a new number

    Parameters
    ----------
    labels : (n_windows,) int
        What the clustering says now: 0, 1, ... without a gap.
    before : (n_windows,) int
        The numbers that the windows had, below `n_known`; -1 for windows that had none.
    n_known : int
        How many numbers have been given so far.
    """
    from scipy.optimize import linear_sum_assignment  # takes half a second

    counts = np.zeros((int(labels.max()) + 1, n_known), np.int64)
    had = before >= 0
    np.add.at(counts, (labels[had], before[had]), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    kept = counts[rows, columns] > 0
    numbers = np.full(len(counts), -1, np.int64)
    numbers[rows[kept]] = columns[kept]
    new = np.flatnonzero(numbers < 0)
    numbers[new] = n_known + np.arange(len(new))
    return numbers


def choose_kept(numbers: Labels, limit: int) -> NDArray[np.bool_]:
    """Which of a stream's windows (n,), in the order of time, to keep: at most `limit`.

    The speakers have equal shares, of the latest windows. What a speaker does not need goes to the others,
    so one who has not spoken for long is not forgotten.
    """
    kept = np.zeros(len(numbers), np.bool_)
    _, speaker, sizes = np.unique(numbers, return_inverse=True, return_counts=True)
    left, n_left = limit, len(sizes)
    for each in np.argsort(sizes, kind="stable"):
        share = min(int(sizes[each]), left // n_left)
        left, n_left = left - share, n_left - 1
        kept[np.flatnonzero(speaker == each)[len(numbers[speaker == each]) - share :]] = True
    return kept
