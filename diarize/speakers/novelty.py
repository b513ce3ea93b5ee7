"""How unlike the training speech a recording is, by its embeddings.

Speakers of a recording lie around the centre of the training speech in all directions, so their mean lies
near it. A sound or a channel that was not trained on moves all of them the same way. In the space of a back
end (``plda.py``), whose windows have covariance I around a speaker, the mean of T seconds of speakers who
have the shares p_k of the time is

    m ~ N(0, s psi + w / T + c),    s = sum_k p_k^2                                                   (1)

where w / T averages out with time, and recordings differ by c. The distances of the mean m and of a window x
from the centre are

    a = mean_d m_d^2 / (s psi_d + w / T + c),    b = mean_d x_d^2 / (psi_d + 1)                       (2)

and about 1 for such speech. The novelty is the mean of a in two spaces, that of the back end within
recordings and that of the verifier across recordings (``enrolment.py``), times the median of b over all
windows in the latter.

References
----------
Mahalanobis: On the generalised distance in statistics, Proceedings of the National Institute of Sciences of
India 2, 1936: (2).
Lee, Lee, Lee, Shin: A simple unified framework for detecting out-of-distribution samples and adversarial
attacks, NeurIPS 2018: such distances of a network's features show what it was not trained on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diarize.clustering.affinity import Matrix
from diarize.clustering.partitions import Labels
from diarize.speakers.enrolment import Verifier
from diarize.speakers.plda import Backend

CHANNEL = 0.3
"""c of (1)."""

WINDOW = 1.0
"""w of (1) for the back end within recordings, in seconds; that of the verifier is its own."""

SHORTEST = 4.0
"""Seconds of speech; less has no novelty, because few windows lie far off by chance."""


def novelty(
    vectors: NDArray[np.floating], labels: Labels, seconds: float, backend: Backend, verifier: Verifier
) -> float | None:
    """The novelty of `seconds` of speech, by its windows (n_windows, dim) and their labels (n_windows,).

    None if there is less speech than `SHORTEST`.
    """
    if seconds < SHORTEST or not len(vectors):
        return None
    shares = np.bincount(labels) / len(labels)
    share = float(shares @ shares)
    within = backend.whiten(vectors, verifier.centre)
    across = verifier.backend.whiten(vectors, verifier.centre)
    of_mean = _mean_distance(within, backend, share, WINDOW / seconds)
    of_mean += _mean_distance(across, verifier.backend, share, verifier.law[0] / seconds)
    of_window = np.median((across**2 / (verifier.backend.spread + 1)).mean(axis=1))
    return float(of_mean / 2 * of_window)


def _mean_distance(Y: Matrix, backend: Backend, share: float, variance: float) -> float:
    """A of (2) for whitened windows Y (n_windows, n)."""
    return float((Y.mean(axis=0) ** 2 / (share * backend.spread + variance + CHANNEL)).mean())
