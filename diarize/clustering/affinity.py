"""Affinities of embeddings: named functions from vectors (n, dim) to a symmetric matrix (n, n).

All values lie in [0, 1]. The diagonal is zero, because an item's similarity to itself carries no information.
A zero vector has cosine 0 with every vector. Memory grows with n squared (0.8 GB for 10,000 items).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.errors import ConfigError

Matrix = NDArray[np.float64]
Affinity = Callable[[NDArray[Any]], Matrix]

# arccos turns the rounding error of a cosine near 1 into an angle of about 1e-8, so the distances between
# copies of one vector are noise. With a scale of at least 1e-3 (0.2 degrees), copies have affinity 1.
_SMALLEST_SCALE = 1e-3


def unit(X: NDArray[Any]) -> Matrix:
    """Rows (n, dim) of length 1; a zero row stays zero."""
    X = np.asarray(X, dtype=np.float64)
    largest = np.abs(X).max(axis=1, keepdims=True, initial=0)
    X = X / np.where(largest > 0, largest, 1)  # so that squares neither overflow nor underflow
    length = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(length > 0, length, 1)


def cosine_similarity(X: NDArray[Any]) -> Matrix:
    """Cosines (n, n) in [-1, 1] of all pairs of rows; the diagonal is 0 for a zero row, else 1."""
    X = unit(X)
    return np.clip(X @ X.T, -1, 1)


def angular_distance(X: NDArray[Any]) -> Matrix:
    """Angles (n, n) of all pairs of rows as a share of 180 degrees: arccos(cos) / pi, zero diagonal."""
    distance: Matrix = np.arccos(cosine_similarity(X)) / np.pi
    np.fill_diagonal(distance, 0)
    return distance


def cosine_affinity(X: NDArray[Any]) -> Matrix:
    """(1 + cosine) / 2: 0 for opposite vectors, 1/2 for orthogonal ones, 1 for the same direction."""
    affinity = (1 + cosine_similarity(X)) / 2
    np.fill_diagonal(affinity, 0)
    return affinity


def positive_cosine_affinity(X: NDArray[Any]) -> Matrix:
    """The cosine where it is positive, else 0, so that different speakers do not support each other."""
    affinity = np.maximum(cosine_similarity(X), 0)
    np.fill_diagonal(affinity, 0)
    return affinity


def gaussian_affinity(X: NDArray[Any], sigma: float | None = None) -> Matrix:
    """exp(-d^2 / (2 sigma^2)) of the angular distance d, with the same scale sigma for all items.

    Parameters
    ----------
    X : array (n, dim)
    sigma : float, optional
        Share of 180 degrees; by default, the median distance of all pairs.

    References
    ----------
    Ng, Jordan, Weiss: On spectral clustering: analysis and an algorithm, NIPS 2001.
    """
    distance = angular_distance(X)
    if sigma is None:
        pairs = distance[np.triu_indices_from(distance, k=1)]
        sigma = float(np.median(pairs)) if len(pairs) else 1.0
    affinity: Matrix = np.exp(-(distance**2) / (2 * max(sigma, _SMALLEST_SCALE) ** 2))
    np.fill_diagonal(affinity, 0)
    return affinity


def locally_scaled_affinity(X: NDArray[Any], n_neighbors: int = 7) -> Matrix:
    """exp(-d_ij / (sigma_i sigma_j)) of the angular distance d, with a scale for each item.

    The scale sigma_i is the mean distance of item i to its nearest neighbours, without itself.

    Parameters
    ----------
    X : array (n, dim)
    n_neighbors : int
        If there are fewer other items, all of them.

    References
    ----------
    Zelnik-Manor, Perona: Self-tuning spectral clustering, NIPS 2004: the local scale.
    Hibraj, Vascon, Stadelmann, Pelillo: Speaker clustering using dominant sets, ICPR 2018: this form.
    """
    return scale_locally(angular_distance(X), n_neighbors)


def scale_locally(distance: Matrix, n_neighbors: int = 7) -> Matrix:
    """`locally_scaled_affinity` of distances (n, n). It depends on their unit."""
    n = len(distance)
    if n == 1:
        return np.zeros((1, 1))
    n_neighbors = min(n_neighbors, n - 1)
    others = distance + np.diag(np.full(n, np.inf))
    sigma = np.partition(others, n_neighbors - 1, axis=1)[:, :n_neighbors].mean(axis=1)
    sigma = np.maximum(sigma, _SMALLEST_SCALE)
    affinity: Matrix = np.exp(-distance / np.outer(sigma, sigma))
    np.fill_diagonal(affinity, 0)
    return affinity


AFFINITIES: dict[str, Affinity] = {
    "cosine": cosine_affinity,
    "positive-cosine": positive_cosine_affinity,
    "gaussian": gaussian_affinity,
    "locally-scaled": locally_scaled_affinity,
}


def resolve_affinity(affinity: str | Affinity) -> Affinity:
    """The affinity with the given name; a function is returned as it is.

    Raises
    ------
    ConfigError
        If the name is unknown; the message lists the known ones.
    """
    if callable(affinity):
        return affinity
    if affinity not in AFFINITIES:
        raise ConfigError(f"unknown affinity {affinity!r}; known: {', '.join(AFFINITIES)}")
    return AFFINITIES[affinity]
