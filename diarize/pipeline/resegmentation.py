"""The stage `resegment`: who speaks in short windows, by a hidden Markov chain, once the speakers are found.

A window that is long enough to identify a speaker is too long to locate where a turn begins::

    turns     |=======A=======|=====B======|=A==|
    windows   [----A----][----B----][----B----]      clustered: a speaker's mean and its uncertainty
    pieces    AAAAAAAAAAAAAAAABBBBBBBBBBBBBBAAAAA      the likeliest path through shorter, denser windows

References
----------
Landini, Profant, Diez, Burget: Bayesian HMM clustering of x-vector sequences (VBx) in speaker diarization,
Computer Speech & Language 71, 2022: the chain and its emissions. Here the speakers are those of the
clustering and are not updated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diarize.clustering.partitions import Labels
from diarize.config import Config
from diarize.embedding.embedder import Voices
from diarize.machine.threads import one_blas_thread
from diarize.pipeline.records import Labelled
from diarize.segments import Segment
from diarize.speakers.number import window_weight
from diarize.speakers.plda import Backend


def resegment(labelled: Labelled, voices: Voices, backend: Backend | None, config: Config) -> Labelled:
    """The pieces and their labels; without pieces or a back end, the windows and theirs.

    Parameters
    ----------
    labelled : Labelled
        The windows of `voices` and their labels 0, 1, ... without a gap.
    voices : Voices
    backend : Backend, optional
        The back end of the network that made the embeddings.
    config : Config
    """
    if backend is None or not voices.pieces or not voices.windows:
        return labelled
    with one_blas_thread():
        labels = label_pieces(voices, labelled.labels, backend, config)
    return Labelled(voices.pieces, labels, labelled.evidence)


def label_pieces(voices: Voices, labels: Labels, backend: Backend, config: Config) -> Labels:
    """The speaker of each piece (n_pieces,), from labels 0, 1, ... without a gap of the windows (n_windows,).

    A speaker who would lose all pieces keeps those nearest to its windows. The back end belongs to the
    network that made the embeddings.
    """
    windows, vectors, pieces, piece_vectors = voices
    if not len(labels) or labels.max() == 0:
        return np.zeros(len(pieces), dtype=np.int64)
    asked = config.resegmentation
    centre = vectors.mean(axis=0)
    shares = np.eye(int(labels.max()) + 1)[labels]
    speakers = backend.speakers(
        backend.whiten(vectors, centre), shares, window_weight(config.clustering, config.embedding.hop)
    )
    fit = backend.log_likelihoods(backend.whiten(piece_vectors, centre), *speakers)
    path = likeliest_path(window_weight(config.clustering, asked.hop) * fit, asked.change_cost)
    nearest = labels[nearest_windows(pieces, windows)]
    lost = ~np.isin(nearest, path)
    path[lost] = nearest[lost]
    return path


def likeliest_path(scores: NDArray[np.float64], cost: float) -> Labels:
    """The states (n,) with the largest sum of their scores (n, k), less the cost of each change.

    References
    ----------
    Viterbi: Error bounds for convolutional codes and an asymptotically optimum decoding algorithm, IEEE
    Transactions on Information Theory 13, 1967.
    """
    n, k = scores.shape
    stay = np.arange(k)
    came_from = np.empty((n, k), dtype=np.int64)
    best = scores[0]
    for t in range(1, n):
        other = best.argmax()
        changed = best[other] - cost
        came_from[t] = np.where(best >= changed, stay, other)
        best = np.maximum(best, changed) + scores[t]
    path = np.empty(n, dtype=np.int64)
    path[-1] = best.argmax()
    for t in range(n - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path


def nearest_windows(pieces: Sequence[Segment], windows: Sequence[Segment]) -> NDArray[np.intp]:
    """The index (n_pieces,) of the window whose middle is nearest to a piece's; of two, the earlier one."""
    middles = np.array([window.middle for window in windows])
    order = np.argsort(middles, kind="stable")
    middles = middles[order]
    of = np.array([piece.middle for piece in pieces])
    behind = np.searchsorted(middles, of).clip(1, max(1, len(middles) - 1))
    before = behind - 1
    behind = np.minimum(behind, len(middles) - 1)
    return order[np.where(of - middles[before] <= middles[behind] - of, before, behind)]
