r"""Two-covariance model of embeddings: how they vary between speakers and within one speaker.

In a space in which windows of one speaker have covariance I, a speaker y and a window x of this speaker are

    y ~ N(0, Psi),    x | y ~ N(y, I),    Psi = diag(psi)                                             (1)

after the recording's mean is subtracted, which also removes the effect of its channel. The n windows of one
speaker with the sum s then have, up to a factor that is the same for every partition, the likelihood

    log p(x_1 ... x_n) = 1/2 sum_d [psi_d s_d^2 / (1 + n psi_d) - log(1 + n psi_d)]                   (2)

The last term is the cost of a speaker: two clusters are better than one only if their means lie farther apart
than expected by chance. Windows close in time share audio, words and tone of voice, so each counts less than
one: with weight w, n becomes w n and s becomes w s.

References
----------
Ioffe: Probabilistic linear discriminant analysis, ECCV 2006.
Bruemmer, de Villiers: The speaker partitioning problem, Odyssey 2010: (2) over all partitions.
Landini, Profant, Diez, Burget: Bayesian HMM clustering of x-vector sequences (VBx) in speaker diarization,
Computer Speech & Language 71, 2022: the updates of `Backend.reassign`, there with a Markov chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.special import softmax

from diarize.clustering.affinity import Matrix
from diarize.clustering.partitions import Labels, blocks, sum_clusters
from diarize.speakers.model_arrays import arrays_file, load_arrays, save_arrays


@dataclass(frozen=True, eq=False)
class Backend:
    """The model (1) for the embeddings of one network."""

    projection: Matrix
    """(dim, n), to the space where windows of one speaker have covariance I, and speakers a diagonal one."""
    spread: NDArray[np.float64]
    """(n,), psi: the variances of speakers, largest first."""

    def __post_init__(self) -> None:
        for name in ("projection", "spread"):  # copies, because the caller may change the arrays later
            object.__setattr__(self, name, np.array(getattr(self, name), dtype=np.float64))

    def whiten(self, vectors: ArrayLike, centre: ArrayLike | None = None) -> Matrix:
        """Vectors (n_windows, dim) of a recording in the space of (1), less a centre or their mean."""
        X = np.asarray(vectors)
        about = X.mean(axis=0, dtype=np.float64) if centre is None else np.asarray(centre, dtype=np.float64)
        whitened = np.empty((len(X), len(self.spread)))
        for rows in blocks(len(X)):
            whitened[rows] = (X[rows] - about) @ self.projection
        return whitened

    def evidence(self, Y: Matrix, labels: Labels, weight: float) -> float:
        """The log-likelihood (2) in nats of whitened windows Y (n_windows, n) in clusters 0, 1, ..."""
        return float(self.evidence_of(weight * np.bincount(labels), weight * sum_clusters(Y, labels)).sum())

    def evidence_of(self, sizes: NDArray[Any], sums: Matrix) -> Matrix:
        """The log-likelihood (2) in nats of clusters (...), from their sizes (...) and sums (..., n)."""
        scale = 1 + sizes[..., None] * self.spread
        nats: Matrix = 0.5 * (self.spread * sums**2 / scale - np.log(scale)).sum(axis=-1)
        return nats

    def reassign(self, Y: Matrix, labels: Labels, weight: float, n_steps: int = 1) -> Labels:
        """The most likely speaker of each whitened window, numbered as in `labels`.

        In each step, the speakers are estimated from their windows, and each window is divided among the
        speakers by likelihood. A speaker with too few clear windows can lose all of them.
        """
        shares = np.eye(int(labels.max()) + 1)[labels]  # (n_windows, k)
        for _ in range(n_steps):
            fit = self.log_likelihoods(Y, *self.speakers(Y, shares, weight))
            before, shares = shares, softmax(weight * fit, axis=1)
            if np.abs(shares - before).max() < 1e-3:
                break
        return shares.argmax(axis=1).astype(np.int64)

    def speakers(self, Y: Matrix, shares: Matrix, weight: float) -> tuple[Matrix, Matrix]:
        """Mean and variance (k, n) of the posterior of y for speakers with these shares (n_windows, k) of Y.

        It is N(m, C), C = psi / (1 + n psi), m = C s.
        """
        sizes = weight * shares.sum(axis=0)[:, None]
        variance: Matrix = self.spread / (1 + sizes * self.spread)
        return variance * (weight * shares.T @ Y), variance

    def log_likelihoods(self, Y: Matrix, mean: Matrix, variance: Matrix) -> Matrix:
        """E log p(x | y) (n_windows, k) of windows Y for each speaker, up to a term common to all of them."""
        fit: Matrix = Y @ mean.T - 0.5 * (mean**2 + variance).sum(axis=1)  # x m - (m^2 + C) / 2
        return fit


def learn_backend(vectors: ArrayLike, speakers: ArrayLike, clips: ArrayLike, n_dims: int = 64) -> Backend:
    """The model learned from vectors of windows (n_windows, dim), with the speaker and the clip of each.

    All clips have the same weight. Differences between two clips of a speaker count as variation within the
    speaker, so speakers with only one clip are left out.

    Raises
    ------
    ValueError
        If too few speakers have two clips: one more than the dimensions of a vector is needed.
    """
    X = np.asarray(vectors, dtype=np.float64)
    _, first, clip = np.unique(clips, return_index=True, return_inverse=True)
    speaker = np.unique(speakers, return_inverse=True)[1][first]  # speaker of each clip
    many = np.bincount(speaker)[speaker] > 1
    X, clip = X[many[clip]], np.unique(clip[many[clip]], return_inverse=True)[1]
    speaker = np.unique(speaker[many], return_inverse=True)[1]
    n_windows, n_clips = np.bincount(clip), np.bincount(speaker)
    if len(n_clips) <= X.shape[1]:
        raise ValueError(f"{len(n_clips)} speakers with two clips are too few for {X.shape[1]} dimensions")
    # The covariance of clip means is that of clips plus that of windows over their number; speakers alike.
    of_clips = sum_clusters(X, clip) / n_windows[:, None]
    of_speakers = sum_clusters(of_clips, speaker) / n_clips[:, None]
    window = _scatter(X - of_clips[clip], len(clip) - len(n_windows))
    mean_of_clip = _scatter(of_clips - of_speakers[speaker], len(speaker) - len(n_clips))
    within = mean_of_clip + window * (1 - (1 / n_windows).mean())
    between = np.cov(of_speakers.T) - mean_of_clip * (1 / n_clips).mean()
    spread, directions = eigh(between, within)
    best = np.argsort(-spread)[:n_dims]
    return Backend(directions[:, best], np.maximum(spread[best], 0))


def centre_groups(vectors: Matrix, groups: ArrayLike) -> Matrix:
    """Vectors (n, dim), each less the mean of its group."""
    _, group = np.unique(groups, return_inverse=True)
    centred = vectors.copy()
    for number in range(int(group.max()) + 1):
        centred[group == number] -= vectors[group == number].mean(axis=0)
    return centred


def backend_file(model: Path) -> Path:
    """The path of a model's back end: in the model folder, or beside FILE.onnx."""
    return arrays_file(model, "backend")


def save_backend(backend: Backend, model: Path, fingerprint: str) -> None:
    """Write a back end to its model, with the fingerprint of the weights to which it belongs."""
    arrays = {"projection": backend.projection, "spread": backend.spread}
    save_arrays(arrays, backend_file(model), fingerprint)


def load_backend(model: Path, fingerprint: str) -> Backend | None:
    """The back end of a model; None if it has none.

    Raises
    ------
    ModelError
        If the file is damaged, or was learned with other weights.
    """
    arrays = load_arrays(backend_file(model), {"projection": "dn", "spread": "n"}, fingerprint, "back end")
    return None if arrays is None else Backend(**arrays)


def _scatter(deviations: Matrix, n_free: int) -> Matrix:
    """Covariance (dim, dim) of deviations (n, dim) from means, with `n_free` degrees of freedom."""
    covariance: Matrix = deviations.T @ deviations / n_free
    return covariance
