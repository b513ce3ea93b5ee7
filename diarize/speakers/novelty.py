"""How unlike the training speech a recording is, by its embeddings.

Speakers of a recording lie around the centre of the training speech in all directions, so their mean lies near
the centre. A channel or a sound that was not trained on moves all of them the same way. In the space of a verifier
(``enrolment.py``), the mean of T seconds of speakers with the shares p_k of the time is

    m ~ N(0, s psi + w / T + c),    s = sum_k p_k^2                                                   (1)

where w / T is the variation that averages out with time, and c what recordings differ by. The novelty

    mean_d m_d^2 / (s psi_d + w / T + c)                                                              (2)

is about 1 if the recording differs by c, and a multiple of it if it is unlike what the network learned from.

References
----------
Mahalanobis: On the generalised distance in statistics, Proceedings of the National Institute of Sciences of
India 2, 1936: (2).
Lee, Lee, Lee, Shin: A simple unified framework for detecting out-of-distribution samples and adversarial
attacks, NeurIPS 2018: such distances of a network's features show what it was not trained on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diarize.clustering.partitions import Labels
from diarize.speakers.enrolment import Verifier

CHANNEL = 0.3
"""c of (1): chosen on development recordings (docs/choices.md)."""

SHORTEST = 4.0
"""Seconds of speech, fewer tell nothing."""


def novelty(
    vectors: NDArray[np.floating], labels: Labels, seconds: float, verifier: Verifier
) -> float | None:
    """The novelty (2) of `seconds` of speech, by windows (n_windows, dim) with labels (n_windows,).

    None if there is too little speech.

    Examples
    --------
    >>> import numpy as np
    >>> from diarize.embedding.models import load_model
    >>> verifier = load_model().verifier
    >>> novelty(verifier.centre[None], np.zeros(1, dtype=np.int64), 60.0, verifier)
    0.0
    """
    if seconds < SHORTEST or not len(vectors):
        return None
    shares = np.bincount(labels) / len(labels)
    mean = verifier.backend.whiten(vectors, verifier.centre).mean(axis=0)
    variance = shares @ shares * verifier.backend.spread + verifier.law[0] / seconds + CHANNEL
    return float((mean**2 / variance).mean())
