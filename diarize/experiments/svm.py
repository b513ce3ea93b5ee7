"""The time model: one-class support vector machines over 130 ms of speech at a normalised rate.

References
----------
T. Stadelmann and B. Freisleben, "Unfolding speaker clustering potential: a biomimetic approach", ACM
Multimedia 2009, section 4.
B. Schölkopf et al., "Estimating the support of a high-dimensional distribution", Neural Computation 13, 2001.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.svm import OneClassSVM

from diarize.machine.processes import map_in_processes, same

Array = NDArray[np.float64]
Report = Callable[[str, int, int], None]
"""Called with the stage, the number of parts done, and their total."""
T = TypeVar("T")
R = TypeVar("R")

NU = 0.4825
_WIDTH = 13  # frames
_CENTROIDS = 0.66  # centroids per frame
_KMEANS_STEPS = 100
_MOST_VECTORS = 8000
_N_GAMMAS = 25
_N_FOLDS = 5
_MOST_WITHOUT_GAIN = 3


@dataclass(frozen=True)
class TimeModel:
    """The frames (n_frames, 20) of a part at a normalised rate, and the machine trained on their contexts.

    A context vector x is accepted if sum_i a_i exp(-gamma |x - s_i|^2) reaches the offset, with the
    support vectors s (n_support, 260) and their coefficients a (n_support,).
    """

    frames: Array
    support: Array
    coefficients: Array
    offset: float
    gamma: float

    def accepts(self, vectors: Array) -> NDArray[np.bool_]:
        """Whether each of the context vectors (n, 260) lies in the region of the part: (n,)."""
        # |x - s|^2 = |x|^2 + |s|^2 - 2 x s: one matrix product is many times as fast as the differences.
        exponent = vectors @ (2 * self.gamma * self.support.T)
        exponent -= self.gamma * (vectors**2).sum(axis=1, keepdims=True)
        exponent -= self.gamma * (self.support**2).sum(axis=1)
        return np.exp(exponent, out=exponent) @ self.coefficients >= self.offset

    def log_likelihood(self, frames: Array) -> float:
        """The log of the accepted share of the contexts of frames (n_frames, 20) at a normalised rate.

        If none is accepted, the count is half a vector.
        """
        vectors = context_vectors(frames)
        return float(np.log(max(self.accepts(vectors).sum(), 0.5) / len(vectors)))


def scaling(frames: NDArray[Any]) -> tuple[Array, Array]:
    """Lowest value and range of each dimension of frames: (frames - low) / range lies in [0, 1]."""
    low = np.asarray(frames.min(axis=0), dtype=np.float64)
    width = frames.max(axis=0) - low
    return low, np.where(width > 0, width, 1.0)


def normalise_rate(frames: Array, seed: int = 1) -> Array:
    """Frames (n_frames, dim) at a normalised speaking rate: (n, dim); a run of similar frames becomes one.

    k-means finds two thirds as many centroids as frames (or all distinct frames, if there are fewer). Each
    frame becomes its centroid, and a run of one centroid becomes one frame.
    """
    n_centroids = min(max(1, round(_CENTROIDS * len(frames))), len(np.unique(frames, axis=0)))
    means = KMeans(n_centroids, n_init=1, max_iter=_KMEANS_STEPS, random_state=seed).fit(frames)
    labels = means.labels_
    starts = np.append(True, labels[1:] != labels[:-1])
    return np.asarray(means.cluster_centers_[labels[starts]], dtype=np.float64)


def context_vectors(frames: Array, width: int = _WIDTH) -> Array:
    """Every `width` successive frames (n_frames, dim) as one vector: (n_frames - width + 1, width * dim).

    Raises
    ------
    ValueError
        If there are fewer than `width` frames.
    """
    if len(frames) < width:
        raise ValueError(f"a context needs {width} frames, got {len(frames)}")
    windows = np.lib.stride_tricks.sliding_window_view(frames, width, axis=0)  # (n, dim, width)
    return np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(len(windows), -1)


def fit_time_model(frames: Array, seed: int = 1) -> TimeModel:
    """The model of a part's frames (n_frames, 20), each dimension approximately in [0, 1].

    If there are more than 8000 context vectors, 8000 at equal distances are used.

    Raises
    ------
    ValueError
        If fewer than 13 frames are left after the speaking rate is normalised.
    """
    normalised = normalise_rate(frames, seed)
    vectors = context_vectors(normalised)
    if len(vectors) > _MOST_VECTORS:
        vectors = vectors[np.linspace(0, len(vectors) - 1, _MOST_VECTORS).round().astype(int)]
    squares = cdist(vectors, vectors, "sqeuclidean")
    gamma = choose_gamma(squares, seed)
    chosen, coefficients, offset = _fit(np.exp(-gamma * squares))
    return TimeModel(normalised, vectors[chosen], coefficients, offset, gamma)


def choose_gamma(squares: Array, seed: int = 1) -> float:
    """The gamma for which the share of unseen vectors that are accepted is closest to 1 - nu.

    The candidates are 25 values in equal ratios, from one over the largest of the squared distances (n, n) up
    to one over the smallest that is not 0. The search stops after 4 candidates without gain. The vectors are
    assigned at random to the 5 folds of the cross-validation.
    """
    n = len(squares)
    others = squares[squares > 0]
    if not len(others):
        return 1.0  # copies of one vector: every gamma gives the same result
    fold = np.random.default_rng(seed).permutation(n) % min(_N_FOLDS, n)
    best, least, without_gain = 0.0, np.inf, 0
    for gamma in np.geomspace(1 / others.max(), 1 / others.min(), _N_GAMMAS):
        kernel = np.exp(-gamma * squares)
        accepted = 0
        for k in range(fold.max() + 1):
            seen, unseen = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            chosen, coefficients, offset = _fit(kernel[np.ix_(seen, seen)])
            accepted += int((kernel[np.ix_(unseen, seen[chosen])] @ coefficients >= offset).sum())
        miss = abs(accepted / n - (1 - NU))
        without_gain += 1
        if miss < least:
            best, least, without_gain = float(gamma), miss, 0
        if without_gain > _MOST_WITHOUT_GAIN:
            break
    return best


def clr_distances(likelihoods: Array) -> Array:
    """Cross likelihood ratios (n, n), symmetric with zero diagonal, of log-likelihoods (n data, n models).

    d(X, Y) = l(X|X) - l(X|Y) + l(Y|Y) - l(Y|X). It can be slightly below 0 if a part fits another part's
    model better than its own.
    """
    own = np.diag(likelihoods)
    one_way = own[:, None] - likelihoods
    return one_way + one_way.T


def time_model_distances(
    parts: Sequence[Array], *, n_jobs: int = 1, seed: int = 1, progress: Report | None = None
) -> Array:
    """`clr_distances` (n, n) of the time models of n parts, frames (n_frames, 20) approximately in [0, 1].

    The result does not depend on `n_jobs`, the number of processes.
    """
    models = list(_map(partial(fit_time_model, seed=seed), parts, n_jobs, "models", progress))
    data = [model.frames for model in models]
    columns = _map(partial(_likelihoods, data), models, n_jobs, "distances", progress)
    return clr_distances(np.stack(list(columns), axis=1))


def _likelihoods(data: list[Array], model: TimeModel) -> list[float]:
    return [model.log_likelihood(frames) for frames in data]


def _fit(kernel: Array) -> tuple[NDArray[np.int64], Array, float]:
    """The support vectors as rows of the kernel (n, n), their coefficients, and the offset."""
    machine = OneClassSVM(kernel="precomputed", nu=NU).fit(kernel)
    return machine.support_.astype(np.int64), machine.dual_coef_[0], -float(machine.intercept_[0])


def _map(
    function: Callable[[T], R], items: Sequence[T], n_jobs: int, stage: str, progress: Report | None
) -> Iterator[R]:
    """Results of a function for each item, in order, by `n_jobs` processes with one thread each."""
    if n_jobs == 1:
        yield from _told(map(function, items), stage, len(items), progress)
        return
    yield from _told(map_in_processes(partial(same, function), items, n_jobs), stage, len(items), progress)


def _told(results: Iterator[R], stage: str, total: int, progress: Report | None) -> Iterator[R]:
    for done, result in enumerate(results, start=1):
        yield result
        if progress:
            progress(stage, done, total)
