"""Gaussian mixtures with diagonal covariance: one model for each part, distances, and likelihoods.

References
----------
T. Stadelmann and B. Freisleben, "Unfolding speaker clustering potential: a biomimetic approach", ACM
Multimedia 2009 (the numbers of mixtures and steps).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.cluster import KMeans

Array = NDArray[np.float64]

_KMEANS_STEPS = 10
_EM_STEPS = 15
_LEAST_GAIN = 100.0  # in the log-likelihood of all frames, in nats
_LEAST_VARIANCE = 0.01
_BLOCK_ELEMENTS = 2**24  # frames x mixtures in memory at once


@dataclass(frozen=True)
class GaussianMixtures:
    """One model: weights (n_mixtures,) that sum to 1, means and variances (n_mixtures, dim)."""

    weights: Array
    means: Array
    variances: Array


def fit_mixtures(frames: NDArray[Any], n_mixtures: int = 32) -> GaussianMixtures:
    """The mixtures of frames (n_frames, dim), found by EM from a deterministic start.

    EM starts from the clusters of k-means (10 steps), which starts from `split_by_variance`. It takes at most
    15 steps and stops after one that gains less than 100 nats. No variance falls below 0.01. Fewer distinct
    frames than `n_mixtures` give as many mixtures.

    Raises
    ------
    ValueError
        If there are no frames.
    """
    frames = np.asarray(frames, dtype=np.float64)
    seeds = split_by_variance(frames, n_mixtures)
    labels = KMeans(len(seeds), init=seeds, n_init=1, max_iter=_KMEANS_STEPS).fit(frames).labels_
    model = _maximise(frames, np.eye(len(seeds))[labels])
    before = -np.inf
    for _ in range(_EM_STEPS):
        joint = log_joint(frames, model)
        likelihood = logsumexp(joint, axis=1)
        model = _maximise(frames, np.exp(joint - likelihood[:, None]))
        if likelihood.sum() - before < _LEAST_GAIN:
            break
        before = likelihood.sum()
    return model


def split_by_variance(frames: Array, n_clusters: int) -> Array:
    """Means (n_clusters, dim), or fewer, of clusters that are split along their largest variance.

    Each step splits the cluster with the largest sum of squares at its mean, in the dimension of its
    largest variance.

    Raises
    ------
    ValueError
        If there are no frames.

    References
    ----------
    T. Su and J. Dy, "In search of deterministic methods for initializing k-means and Gaussian mixture
    clustering", Intelligent Data Analysis 11, 2007: Var-Part.
    """
    if not len(frames):
        raise ValueError(f"needs frames, got an array of {frames.shape}")
    clusters, variances = [frames], [frames.var(axis=0)]
    while len(clusters) < n_clusters:
        squares = [len(c) * v.sum() for c, v in zip(clusters, variances, strict=True)]
        widest = int(np.argmax(squares))
        cluster, dimension = clusters.pop(widest), int(variances.pop(widest).argmax())
        above = cluster[:, dimension] > cluster[:, dimension].mean()
        parts = [part for part in (cluster[~above], cluster[above]) if len(part)]
        clusters += parts
        variances += [part.var(axis=0) for part in parts]
        if len(parts) == 1:  # all frames are copies of one
            break
    return np.stack([cluster.mean(axis=0) for cluster in clusters])


def log_joint(frames: NDArray[Any], model: GaussianMixtures) -> NDArray[Any]:
    """The log of weight times density of each frame under each mixture: (n_frames, n_mixtures), in nats."""
    projection, constant = _as_projection(model)
    return _with_squares(frames) @ projection + constant


def beigi_distance(a: GaussianMixtures, b: GaussianMixtures) -> float:
    """The mean distance of each mixture of one model from the nearest of the other, in both directions.

    With the weights w, v and the Euclidean distance d_ij of mean i of `a` to mean j of `b`::

        (sum_i w_i min_j d_ij + sum_j v_j min_i d_ij) / (sum_i w_i + sum_j v_j)

    References
    ----------
    H. Beigi, S. Maes, J. Sorensen, "A distance measure between collections of distributions and its
    application to speaker recognition", ICASSP 1998.
    """
    ground = cdist(a.means, b.means)
    there, back = a.weights @ ground.min(axis=1), b.weights @ ground.min(axis=0)
    return float((there + back) / (a.weights.sum() + b.weights.sum()))


def gmm_distances(models: Sequence[GaussianMixtures]) -> Array:
    """`beigi_distance` of all pairs: (n, n), symmetric, with zero diagonal."""
    distances = np.zeros((len(models), len(models)))
    for i, a in enumerate(models):
        for j, b in enumerate(models[:i]):
            distances[i, j] = distances[j, i] = beigi_distance(a, b)
    return distances


class Likelihoods:
    """The mean log-likelihoods of frames under many models, with all mixtures in one matrix product.

    Single precision is enough (the error is 1e-4 for a mean of 1e2 nats) and halves the time.
    """

    def __init__(self, models: Sequence[GaussianMixtures]) -> None:
        self.n_models = len(models)
        self.n_mixtures = max(len(model.weights) for model in models)
        projections, constants = zip(*(self._padded(model) for model in models), strict=True)
        self.projection = np.concatenate(projections, axis=1).astype(np.float32)  # (2 dim, models * mixtures)
        self.constant = np.concatenate(constants).astype(np.float32)

    def __call__(self, frames: NDArray[Any]) -> Array:
        """The mean log-likelihood of frames (n_frames, dim) under each model: (n_models,), nats per frame."""
        return np.sum([block.sum(axis=0) for block in self._blocks(frames)], axis=0) / len(frames)

    def _blocks(self, frames: NDArray[Any]) -> Iterator[Array]:
        """Log-likelihoods (n, n_models) of blocks of frames."""
        both = _with_squares(frames).astype(np.float32)
        n = max(1, _BLOCK_ELEMENTS // len(self.constant))
        for start in range(0, len(both), n):
            joint = both[start : start + n] @ self.projection + self.constant
            joint = joint.reshape(len(joint), self.n_models, self.n_mixtures)
            highest = joint.max(axis=2, keepdims=True)
            joint -= highest
            np.exp(joint, out=joint)
            yield np.log(joint.sum(axis=2, dtype=np.float64)) + highest[:, :, 0]

    def _padded(self, model: GaussianMixtures) -> tuple[Array, Array]:
        projection, constant = _as_projection(model)
        missing = self.n_mixtures - len(constant)
        return np.pad(projection, ((0, 0), (0, missing))), np.pad(
            constant, (0, missing), constant_values=-np.inf
        )


def _maximise(frames: Array, shares: Array) -> GaussianMixtures:
    """The most likely mixtures if mixture k has the share (n_frames, n_mixtures) of each frame."""
    counts = shares.sum(axis=0) + 10 * np.finfo(np.float64).eps  # a mixture may have no frames left
    means = shares.T @ frames / counts[:, None]
    variances = shares.T @ frames**2 / counts[:, None] - means**2
    return GaussianMixtures(counts / counts.sum(), means, np.maximum(variances, _LEAST_VARIANCE))


def _with_squares(frames: NDArray[Any]) -> NDArray[Any]:
    return np.hstack([frames**2, frames])


def _as_projection(model: GaussianMixtures) -> tuple[Array, Array]:
    """The matrix and the constant that map (squares, values) of a frame to its log joint densities.

    -1/2 sum (x - m)^2 / v = sum (-1/2 / v) x^2 + sum (m / v) x - 1/2 sum m^2 / v
    """
    projection = np.hstack([-0.5 / model.variances, model.means / model.variances]).T
    scale = (np.log(2 * np.pi * model.variances) + model.means**2 / model.variances).sum(axis=1)
    return projection, np.log(model.weights) - 0.5 * scale
