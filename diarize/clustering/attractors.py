"""The network of attractors in NumPy: how many clusters a set of embeddings has, and which each is in.

The same as ``diarize.networks.attractor_network``, for one set, without torch. Weights are arrays by the
names of that network's parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from diarize.clustering.affinity import Matrix, unit

Weights = Mapping[str, NDArray[Any]]

SCALE = 4.0
"""Factor of the coordinates, so that they vary about as much as the inputs of a network should."""

_EPSILON = 1e-5  # of torch's LayerNorm


def coordinates(X: NDArray[Any], dim: int) -> Matrix:
    """Principal coordinates (n_items, dim) of embeddings; zeros if there are fewer.

    Embeddings are scaled to length 1 and centred. Only the geometry of the set remains: its rotation changes
    no distance between coordinates, and the number of dimensions of an embedding does not matter.
    """
    centred = unit(X)
    centred = centred - centred.mean(axis=0)
    values, vectors = np.linalg.eigh(centred @ centred.T)
    first = np.argsort(-values, kind="stable")[:dim]
    found = vectors[:, first] * np.sqrt(np.maximum(values[first], 0))
    found = np.where(
        (found**3).sum(axis=0) < 0, -found, found
    )  # so that their signs do not depend on the order
    return SCALE * np.pad(found, ((0, 0), (0, dim - len(first))))


def log_probabilities(weights: Weights, items: Matrix, heads: int) -> Matrix:
    """Log-probabilities (n_items, n_most, n_most) of items (n_items, n_inputs).

    Entry [i, k - 1, l] is log P(k) P(l | x_i, k): there are k clusters, and item i is in number l of them.
    """
    x = _linear(weights, "entry", items)
    for name in _layers(weights, "layers"):
        x = _attend(weights, name, x, x, heads)
    attractors = weights["seeds"].astype(np.float64)
    for pool, among in zip(_layers(weights, "pooling"), _layers(weights, "among"), strict=True):
        attractors = _attend(weights, pool, attractors, x, heads)
        attractors = _attend(weights, among, attractors, attractors, heads)
    attractors = _normalise(weights, "attractor_norm", attractors)
    logits = _linear(weights, "existence", attractors)[1:, 0]
    # P(k) = p_1 ... p_k (1 - p_{k+1}), with p_1 = 1 and no attractor after the last.
    exists = np.concatenate([[0.0], np.cumsum(-np.logaddexp(0, -logits))])
    number = exists + np.concatenate([-np.logaddexp(0, logits), [0.0]])
    scores = _normalise(weights, "item_norm", x) @ weights["score.weight"].T @ attractors.T
    n_most = len(attractors)
    scores = np.where(np.tri(n_most, dtype=bool), scores[:, None] / np.sqrt(x.shape[1]), -np.inf)
    found: Matrix = number[:, None] + log_softmax(scores, axis=2)
    return found


def _layers(weights: Weights, name: str) -> Iterator[str]:
    """The names of the layers of a list, such as layers.0, layers.1."""
    number = 0
    while f"{name}.{number}.query.weight" in weights:
        yield f"{name}.{number}"
        number += 1


def _attend(weights: Weights, name: str, queries: Matrix, items: Matrix, heads: int) -> Matrix:
    normed = _normalise(weights, f"{name}.query_norm", queries)
    others = _normalise(weights, f"{name}.item_norm", items)
    q, k, v = (
        _linear(weights, f"{name}.{part}", x).reshape(len(x), heads, -1).swapaxes(0, 1)
        for part, x in (("query", normed), ("key", others), ("value", others))
    )  # (heads, n, width / heads)
    found = softmax(q @ k.swapaxes(1, 2) / np.sqrt(q.shape[2]), axis=2) @ v
    queries = queries + _linear(weights, f"{name}.gathered", found.swapaxes(0, 1).reshape(queries.shape))
    wide = np.maximum(_linear(weights, f"{name}.wide", _normalise(weights, f"{name}.dense_norm", queries)), 0)
    return queries + _linear(weights, f"{name}.narrow", wide)


def _linear(weights: Weights, name: str, x: Matrix) -> Matrix:
    found: Matrix = x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    return found


def _normalise(weights: Weights, name: str, x: Matrix) -> Matrix:
    centred = x - x.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + _EPSILON)
    found: Matrix = centred / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]
    return found
