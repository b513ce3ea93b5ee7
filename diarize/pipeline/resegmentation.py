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

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diarize.clustering.partitions import Labels
from diarize.config import Config
from diarize.embedding.record import Voices
from diarize.machine.threads import one_blas_thread
from diarize.pipeline.local_speakers import TEMPER, assign
from diarize.pipeline.records import Labelled
from diarize.pipeline.viterbi import likeliest_path, posteriors
from diarize.segments import Segment
from diarize.speakers.number import window_weight
from diarize.speakers.plda import Backend
from diarize.speech.detect import Heard
from diarize.speech.local import FRAME_LENGTH, frames_inside
from diarize.speech.windows import nearest_windows

Matrix = NDArray[np.float64]


def resegment(
    labelled: Labelled, voices: Voices, heard: Heard, backend: Backend | None, config: Config
) -> Labelled:
    """With local speakers, what `assign` returns. Otherwise the pieces and their labels.

    Without pieces or a back end, the windows and theirs.

    Parameters
    ----------
    labelled : Labelled
        The windows of `voices` and their labels 0, 1, ... without a gap.
    voices : Voices
    heard : Heard
    backend : Backend, optional
        The back end of the network that made the embeddings.
    config : Config
    """
    if heard.local is not None:
        return assign(labelled, voices, heard, backend, config)
    if backend is None or not voices.pieces or not voices.windows:
        return labelled
    with one_blas_thread():
        scores = _scores(voices, labelled.labels, backend, config)
        labels = _path(scores, voices, labelled.labels, config)
        certainty = _posteriors(scores, labels, voices.pieces, heard, config)
    return Labelled(voices.pieces, labels, labelled.evidence, certainty)


def label_pieces(voices: Voices, labels: Labels, backend: Backend, config: Config) -> Labels:
    """The speaker of each piece (n_pieces,), from labels 0, 1, ... without a gap of the windows (n_windows,).

    A speaker who would lose all pieces keeps those nearest to its windows. The back end belongs to the
    network that made the embeddings.
    """
    return _path(_scores(voices, labels, backend, config), voices, labels, config)


def _scores(voices: Voices, labels: Labels, backend: Backend, config: Config) -> Matrix:
    """The log-likelihood (n_pieces, k) of each speaker in each piece, in nats."""
    _, vectors, pieces, piece_vectors = voices[:4]
    if not len(labels) or labels.max() == 0:
        return np.zeros((len(pieces), 1))
    centre = vectors.mean(axis=0)
    shares = np.eye(int(labels.max()) + 1)[labels]
    speakers = backend.speakers(
        backend.whiten(vectors, centre), shares, window_weight(config.clustering, config.embedding.hop)
    )
    fit = backend.log_likelihoods(backend.whiten(piece_vectors, centre), *speakers)
    return window_weight(config.clustering, config.resegmentation.hop) * fit


def _path(scores: Matrix, voices: Voices, labels: Labels, config: Config) -> Labels:
    """The likeliest speaker of each piece (n_pieces,); nobody loses all pieces."""
    if scores.shape[1] == 1:
        return np.zeros(len(scores), dtype=np.int64)
    path = likeliest_path(scores, config.resegmentation.change_cost)
    nearest = labels[nearest_windows([piece.middle for piece in voices.pieces], voices.windows)]
    lost = ~np.isin(nearest, path)
    path[lost] = nearest[lost]
    return path


def _posteriors(
    scores: Matrix, labels: Labels, pieces: Sequence[Segment], heard: Heard, config: Config
) -> NDArray[np.float32]:
    """The probability (n_frames, k) that a speaker talks in a frame, given that somebody does.

    The chain knows one speaker at a time. In overlap, another one talks as well with the least probability
    that makes overlap, and is each of the others in proportion to their probabilities.
    """
    found = posteriors(TEMPER * scores, config.resegmentation.change_cost)
    at = np.arange(len(pieces))
    first = found[at, labels]
    second = config.speech.overlap * found / np.maximum(found.sum(axis=1) - first, 1e-12)[:, None]
    second[at, labels] = first
    n_frames = math.ceil(heard.n_seconds / FRAME_LENGTH)
    near = nearest_windows((np.arange(n_frames) + 0.5) * FRAME_LENGTH, pieces)
    certainty: NDArray[np.float32] = found.astype(np.float32)[near]
    overlap = frames_inside(heard.overlap, n_frames)
    certainty[overlap] = second.astype(np.float32)[near[overlap]]
    return certainty
