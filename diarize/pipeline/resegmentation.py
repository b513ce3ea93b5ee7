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

import numpy as np

from diarize.clustering.partitions import Labels
from diarize.config import Config
from diarize.embedding.record import Voices
from diarize.machine.threads import one_blas_thread
from diarize.pipeline.local_speakers import assign
from diarize.pipeline.records import Labelled
from diarize.pipeline.viterbi import likeliest_path
from diarize.speakers.number import window_weight
from diarize.speakers.plda import Backend
from diarize.speech.detect import Heard
from diarize.speech.windows import nearest_windows


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
        labels = label_pieces(voices, labelled.labels, backend, config)
    return Labelled(voices.pieces, labels, labelled.evidence)


def label_pieces(voices: Voices, labels: Labels, backend: Backend, config: Config) -> Labels:
    """The speaker of each piece (n_pieces,), from labels 0, 1, ... without a gap of the windows (n_windows,).

    A speaker who would lose all pieces keeps those nearest to its windows. The back end belongs to the
    network that made the embeddings.
    """
    windows, vectors, pieces, piece_vectors = voices[:4]
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
    nearest = labels[nearest_windows([piece.middle for piece in pieces], windows)]
    lost = ~np.isin(nearest, path)
    path[lost] = nearest[lost]
    return path
