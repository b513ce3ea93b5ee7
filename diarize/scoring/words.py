"""Errors in the speakers of words: the word diarization error rate.

References
----------
El Shafey et al., "Joint speech recognition and speaker diarization via sequence transduction", Interspeech
2019 (WDER).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment


def word_diarization_error(reference: Sequence[str], hypothesis: Sequence[str | None]) -> float:
    """The share of words that have a wrong speaker (WDER), in 0..1.

    Both sequences have the speaker of each word of the same words. Speakers are mapped one to one, in the way
    that gives the fewest errors; a word of nobody (None) is wrong.

    Raises
    ------
    ValueError
        If there are no words, or not as many in both.
    """
    if not reference or len(reference) != len(hypothesis):
        raise ValueError(
            f"the same words are needed in both, at least one: got {len(reference)} and {len(hypothesis)}"
        )
    pairs = Counter(zip(reference, hypothesis, strict=True))
    rows, columns = list(dict.fromkeys(reference)), [name for name in dict.fromkeys(hypothesis) if name]
    counts = np.array([[pairs[row, column] for column in columns] for row in rows]).reshape(len(rows), -1)
    right = counts[linear_sum_assignment(counts, maximize=True)].sum()
    return float(1 - right / len(reference))
