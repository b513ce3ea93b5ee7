"""The likeliest path through a hidden Markov chain whose changes all have the same cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diarize.clustering.partitions import Labels


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


def posteriors(scores: NDArray[np.float64], cost: float) -> NDArray[np.float64]:
    """The probability (n, k) of each state, given all scores (n, k), in nats, and the cost of each change.

    References
    ----------
    Rabiner: A tutorial on hidden Markov models and selected applications in speech recognition, Proceedings
    of the IEEE 77, 1989 (forward and backward probabilities, scaled at each step).
    """
    change = float(np.exp(-cost))
    likelihoods = np.exp(scores - scores.max(axis=1, keepdims=True))
    forward, backward = np.empty_like(likelihoods), np.empty_like(likelihoods)
    reached = np.full(scores.shape[1], 1 / scores.shape[1])
    for t, each in enumerate(likelihoods):
        reached = reached * each
        reached /= reached.sum()
        forward[t] = reached
        reached = (1 - change) * reached + change
    ahead = np.ones(scores.shape[1])
    for t in range(len(scores) - 1, -1, -1):
        backward[t] = ahead
        ahead = ahead * likelihoods[t]
        ahead = (1 - change) * ahead + change * ahead.sum()
        ahead /= ahead.sum()
    both = forward * backward
    found: NDArray[np.float64] = both / both.sum(axis=1, keepdims=True)
    return found
