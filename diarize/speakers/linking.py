"""The same people in several recordings: speakers are merged while they are likely to be one person.

::

    call_1   SPEAKER_00  SPEAKER_01          call_2   SPEAKER_00   SPEAKER_01
                  |           '----------------------------|            |
    person        0                    1                   1            2

The two speakers with the largest score (``enrolment.py``) merge first, and count as one person from then on.
Speakers of one recording are never merged, nor are two people with different names.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diarize.clustering.partitions import Labels, number_by_first_appearance
from diarize.speakers.enrolment import Sides, Verifier


def link(
    verifier: Verifier,
    sides: Sides,
    recordings: Sequence[str],
    needed: float,
    names: Sequence[str | None] | None = None,
) -> Labels:
    """The person (n,) of each speaker of several recordings, numbered by first appearance.

    Parameters
    ----------
    verifier : Verifier
    sides : Sides
        The speakers, (n,).
    recordings : sequence of str
        The recording of each.
    needed : float
        Score in nats that two people need to be one.
    names : sequence, optional
        The name of each speaker who has one. Speakers with one name are one person.
    """
    n = len(recordings)
    counts, sums = sides.counts.copy(), sides.sums.copy()
    _, heard = np.unique(np.array(recordings, np.str_), return_inverse=True)
    taken = np.eye(int(heard.max(initial=-1)) + 1, dtype=bool)[heard]  # (n, n_recordings)
    called = np.array([name or "" for name in names or [""] * n], np.str_)
    labels, alive = np.arange(n), np.ones(n, dtype=bool)

    def merge(kept: int, gone: int) -> None:
        counts[kept] += counts[gone]
        sums[kept] += sums[gone]
        taken[kept] |= taken[gone]
        called[kept] = called[kept] or called[gone]
        labels[labels == gone] = kept
        alive[gone] = False

    for name in np.unique(called[called != ""]):
        first, *others = np.flatnonzero(called == name).tolist()
        for other in others:
            merge(first, other)

    def score(row: int) -> np.ndarray:
        found = verifier.scores(Sides(counts[[row]], sums[[row]]), Sides(counts, sums))[0]
        both_named = (called != "") & (called[row] != "")
        found[~alive | both_named | (taken & taken[row]).any(axis=1)] = -np.inf
        return found

    scores = np.array([score(row) if alive[row] else np.full(n, -np.inf) for row in range(n)]).reshape(n, n)
    while n and scores.max() > needed:
        kept, gone = sorted(divmod(int(scores.argmax()), n))
        merge(kept, gone)
        scores[gone] = scores[:, gone] = -np.inf
        scores[kept] = scores[:, kept] = score(kept)
    return number_by_first_appearance(labels)
