r"""Whether two voices are of one person: the law of the scores of known voices.

In the space of a back end (``plda.py``), the mean embedding x of T seconds of a person y in one recording is

    x | y ~ N(y, (w / T + c) I)                                                                       (1)

The first term averages out with time; the second, the recording's microphone, room and mood, does not. So a
recording counts as n(T) = 1 / (w / T + c) independent windows, with the sum s = n x, and recordings of one
person add up. With e(n, s), the log-likelihood (2) of ``plda.py``, two sides are of one person rather than of
two with the log-likelihood ratio

    L = e(n_1 + n_2, s_1 + s_2) - e(n_1, s_1) - e(n_2, s_2)                                           (3)

which the calibration on development speakers, a scale and an offset, makes one in nats:

    score = a L + b                                                                                   (4)

A share of the pairs of different speakers reaches a score all the same. Among k known people, an unknown
speaker is given a name with at most the share `false_alarms` if each pair needs the score that

    false_alarms / k                                                                                  (5)

of the pairs of different development speakers reach.

References
----------
Bruemmer, de Villiers: The speaker partitioning problem, Odyssey 2010: (3).
Kenny, Stafylakis, Ouellet, Alam, Dumouchel: PLDA for speaker verification with utterances of arbitrary
duration, ICASSP 2013: a side counts by its duration, as in (1).
Bruemmer, du Preez: Application-independent evaluation of speaker detection, Computer Speech & Language 20,
2006: (4).
Dunn: Multiple comparisons among means, Journal of the American Statistical Association 56, 1961: (5).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diarize.clustering.affinity import Matrix
from diarize.speakers.model_arrays import arrays_file, load_arrays, save_arrays
from diarize.speakers.plda import Backend
from diarize.speakers.voice_table import VoiceTable

_FIELDS = {"centre": "d", "projection": "dn", "spread": "n", "law": "4", "tail": "m2"}


class Sides(NamedTuple):
    """People as windows of a back end: how many independent windows they count as, and their sums."""

    counts: NDArray[np.float64]
    """(n,)"""
    sums: Matrix
    """(n, dims)"""


@dataclass(frozen=True, eq=False)
class Verifier:
    """The law (1) to (5) for the embeddings of one network."""

    centre: NDArray[np.float64]
    """(dim,), the mean embedding of many speakers."""
    backend: Backend
    law: NDArray[np.float64]
    """w (seconds) and c of (1), a and b of (4)."""
    tail: Matrix
    """(n, 2): shares of pairs of different speakers, falling, and the scores that they reach, in nats."""

    def sides_of(self, vectors: ArrayLike, seconds: ArrayLike) -> Sides:
        """Mean embeddings (n, dim) of so many seconds (n,) each."""
        window, session = self.law[:2]
        counts = 1 / (window / np.asarray(seconds, np.float64) + session)
        return Sides(counts, counts[:, None] * self.backend.whiten(vectors, self.centre))

    def sides(self, table: VoiceTable) -> Sides:
        """The people of a table, in the order of its names; recordings of one person add up."""
        counts, sums = self.sides_of(table.vectors, table.seconds)
        of = np.array(table.names, np.str_)[:, None] == table.name  # (n_names, n_rows)
        return Sides(of @ counts, of @ sums)

    def scores(self, one: Sides, other: Sides) -> Matrix:
        """The scores (n_one, n_other) in nats, by (3) and (4): above 0, one person is the likelier."""
        scale, offset = self.law[2:]
        alone = self.backend.evidence_of(*other)
        ratios = np.empty((len(one.counts), len(other.counts)))
        for row, (count, total) in enumerate(zip(*one, strict=True)):  # (n_one, n_other, dims) may be large
            together = self.backend.evidence_of(other.counts + count, other.sums + total)
            ratios[row] = together - self.backend.evidence_of(count, total) - alone
        scores: Matrix = scale * ratios + offset
        return scores

    def threshold(self, false_alarms: float, n_people: int) -> float:
        """The score in nats that a speaker needs for the name of one of `n_people`, by (5).

        Between and beyond the shares of the tail, the score is linear in the logarithm of the share.
        """
        x = -np.log(false_alarms / max(n_people, 1))
        known, scores = -np.log(self.tail[:, 0]), self.tail[:, 1]
        at = int(np.clip(np.searchsorted(known, x), 1, len(known) - 1))
        slope = (scores[at] - scores[at - 1]) / (known[at] - known[at - 1])
        return float(scores[at - 1] + slope * (x - known[at - 1]))


def assign(scores: Matrix, needed: float) -> dict[int, int]:
    """The known person (column) of each speaker (row) who has one, from scores (n_speakers, n_known).

    No two speakers are one person and no speaker is two. Of all such assignments, the one with the largest
    sum of what the scores exceed `needed` by.

    References
    ----------
    Crouse: On implementing 2D rectangular assignment algorithms, IEEE Transactions on Aerospace and
    Electronic Systems 52, 2016, as in SciPy.
    """
    from scipy.optimize import linear_sum_assignment  # takes half a second

    gain = np.maximum(scores - needed, 0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return {int(row): int(column) for row, column in zip(rows, columns, strict=True) if gain[row, column] > 0}


def verifier_file(model: Path) -> Path:
    """The path of a model's verifier: in the model folder, or beside FILE.onnx."""
    return arrays_file(model, "verifier")


def save_verifier(verifier: Verifier, model: Path, fingerprint: str) -> None:
    """Write a verifier to its model, with the fingerprint of the weights to which it belongs."""
    backend = verifier.backend
    arrays = (verifier.centre, backend.projection, backend.spread, verifier.law, verifier.tail)
    save_arrays(dict(zip(_FIELDS, arrays, strict=True)), verifier_file(model), fingerprint)


def load_verifier(model: Path, fingerprint: str) -> Verifier | None:
    """The verifier of a model; None if it has none.

    Raises
    ------
    ModelError
        If the file is damaged, or was made for other weights.
    """
    arrays = load_arrays(verifier_file(model), _FIELDS, fingerprint, "verifier")
    if arrays is None:
        return None
    backend = Backend(arrays.pop("projection"), arrays.pop("spread"))
    return Verifier(backend=backend, **arrays)
