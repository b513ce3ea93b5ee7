r"""Two voices under one name, and one voice under two, by the evidence of the back end of an embedding model.

Both are a comparison of one speaker with two, for utterances a and b (diarize/speakers/plda.py, (2))::

    score = log p(a, b | one speaker) - log p(a | a speaker) - log p(b | another speaker)       in nats

For two names, a and b are their utterances. For one name, its utterances are divided into the two groups that
differ most, by average linkage on the scores of pairs; then the negative of the score counts.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from diarize.clustering.affinity import Matrix
from diarize.corpus.facts import Facts
from diarize.corpus.findings import Finding
from diarize.corpus.layout import Recording
from diarize.errors import ModelError
from diarize.speakers.plda import Backend

TWO_VOICES = 15.0
"""Nats from which on one name is reported as two voices."""
ONE_VOICE = 25.0
"""Nats from which on two names are reported as one voice, beside the logarithm of the number of pairs."""

_IN_FULL = 4  # utterances of a speaker; more of them share a room and a day, and count as four
_MOST = 200  # utterances of a speaker that are divided
_OWN_MEAN = 20  # speakers of a collection that is centred about its own mean


@dataclass(frozen=True, eq=False)
class _Voices:
    """The utterances of all speakers that have an embedding, in the space of the back end."""

    speakers: NDArray[np.str_]
    places: list[str]
    embeddings: Matrix
    whitened: Matrix


def require_backend(model: str | None) -> Backend:
    """The back end of a model; None is the default bundled model.

    Raises
    ------
    ModelError
        If it has none, or cannot be loaded.
    """
    from diarize.embedding.embedder import Embedder  # loads torch

    backend = Embedder(model, device="cpu", threads=1).backend
    if backend is None:
        raise ModelError(
            f"model {model}: has no back end; make one with recipes/train_backend.py, or use --quick"
        )
    return backend


def check_voices(
    recordings: Sequence[Recording], facts: Sequence[Facts], backend: Backend
) -> Iterator[Finding]:
    """The findings of voices: names that have two, and voices that have two names."""
    rows = [
        (recording, utterance.speaker, vector)
        for recording, known in zip(recordings, facts, strict=True)
        for utterance, vector in zip(recording.utterances, known.vectors, strict=False)
        if vector.any()
    ]
    if len(rows) < 2:
        return
    speakers = np.array([speaker for _, speaker, _ in rows])
    embeddings = np.array([vector for _, _, vector in rows], dtype=np.float64)
    centred = _centre(embeddings, [recording.collection for recording, _, _ in rows], speakers)
    voices = _Voices(
        speakers, [recording.path for recording, _, _ in rows], embeddings, centred @ backend.projection
    )
    yield from _two_voices(voices, backend)
    yield from _one_voice(voices, backend)


def _two_voices(voices: _Voices, backend: Backend) -> Iterator[Finding]:
    for speaker in np.unique(voices.speakers):
        own = np.flatnonzero(voices.speakers == speaker)[:_MOST]
        if len(own) < 2:
            continue
        Y = voices.whitened[own]
        apart = _divide(Y, backend)
        a, b = own[apart], own[~apart]
        (n, s), (m, t) = _sums(Y[apart]), _sums(Y[~apart])
        score = -float(_scores(n, s, m, t, backend))
        if score > TWO_VOICES:
            few, many = sorted((a, b), key=len)
            files = ", ".join(voices.places[row] for row in few[:3]) + (", ..." if len(few) > 3 else "")
            says = f"{len(few)} of {len(own)} utterances sound unlike the others"
            yield Finding(
                "two-voices",
                str(speaker),
                f"{says} ({_figures(score, voices, few, many)}): {files}",
                score=score,
            )


def _one_voice(voices: _Voices, backend: Backend) -> Iterator[Finding]:
    names, number = np.unique(voices.speakers, return_inverse=True)
    order = np.argsort(number, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(number))[:-1])
    sizes, sums = map(np.array, zip(*(_sums(voices.whitened[rows]) for rows in groups), strict=True))
    limit = ONE_VOICE + math.log(max(1, len(names) * (len(names) - 1) // 2))
    for first in range(len(names) - 1):
        scores = _scores(sizes[first], sums[first], sizes[first + 1 :], sums[first + 1 :], backend)
        for second in first + 1 + np.flatnonzero(scores > limit):
            score = float(scores[second - first - 1])
            a, b = groups[first], groups[second]
            files = f"compare {voices.places[a[0]]} and {voices.places[b[0]]}"
            yield Finding(
                "one-voice",
                str(names[first]),
                f"{_figures(score, voices, a, b)}; {files}",
                str(names[second]),
                score,
            )


def _figures(score: float, voices: _Voices, a: NDArray[np.intp], b: NDArray[np.intp]) -> str:
    cosine = float((voices.embeddings[a] @ voices.embeddings[b].T).mean())
    return f"{score:.0f} nats, cosine {cosine:.2f}"


def _sums(Y: Matrix) -> tuple[float, Matrix]:
    """Size and sum (n,) of whitened utterances (n_utterances, n); many of them count as `_IN_FULL`."""
    size = min(len(Y), _IN_FULL)
    return float(size), size * Y.mean(axis=0)


def _scores(n: ArrayLike, s: Matrix, m: ArrayLike, t: Matrix, backend: Backend) -> Matrix:
    """Scores (...) of groups of sizes n and m (...) and sums s and t (..., dim)."""
    size, other = np.asarray(n), np.asarray(m)
    together = backend.evidence_of(size + other, s + t)
    return together - backend.evidence_of(size, s) - backend.evidence_of(other, t)


def _divide(Y: Matrix, backend: Backend) -> NDArray[np.bool_]:
    """Which of the utterances (n_utterances, n), two or more, are in the first of the two groups."""
    if len(Y) == 2:
        return np.array([True, False])
    one = np.ones(len(Y))
    scores = np.stack([_scores(np.ones(()), y, one, Y, backend) for y in Y])
    distances = scores.max() - (scores + scores.T) / 2
    np.fill_diagonal(distances, 0.0)
    tree = linkage(squareform(distances, checks=False), "average")
    apart: NDArray[np.bool_] = fcluster(tree, 2, "maxclust") == 1
    return apart


def _centre(vectors: Matrix, collections: Sequence[str], speakers: NDArray[np.str_]) -> Matrix:
    """Vectors (n, dim), less the mean of their collection if that has enough speakers, else of all."""
    members: dict[str, list[int]] = defaultdict(list)
    for row, collection in enumerate(collections):
        members[collection].append(row)
    centred = vectors - vectors.mean(axis=0)
    for rows in members.values():
        if len(np.unique(speakers[rows])) >= _OWN_MEAN:
            centred[rows] = vectors[rows] - vectors[rows].mean(axis=0)
    return centred
