"""Trials of speaker verification: pairs of recordings, their scores, and the equal error rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples


def make_trials(
    speakers: Sequence[str], groups: Sequence[str], *, impostors: int = 4, seed: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Pairs (n_trials, 2) of recordings within a group, and whether they are of the same speaker (n_trials,).

    They are all pairs of one speaker, and up to `impostors` times as many random pairs of different speakers.
    """
    speaker, group = np.unique(speakers, return_inverse=True)[1], np.unique(groups, return_inverse=True)[1]
    first, second = np.triu_indices(len(speaker), 1)
    within = group[first] == group[second]
    first, second = first[within], second[within]
    same = speaker[first] == speaker[second]
    random = np.random.default_rng(seed)
    others = np.flatnonzero(~same)
    chosen = random.choice(others, min(len(others), impostors * int(same.sum())), replace=False)
    kept = np.sort(np.concatenate([np.flatnonzero(same), chosen]))
    return np.stack([first[kept], second[kept]], axis=1), same[kept]


def crop_middle(samples: Samples, seconds: float) -> Samples:
    """The middle `seconds` of samples (n_samples,); all samples if there are fewer."""
    length = round(seconds * SAMPLE_RATE)
    start = max(0, (len(samples) - length) // 2)
    return samples[start : start + length]


def score_trials(vectors: NDArray[np.floating], trials: NDArray[np.int64]) -> NDArray[np.floating]:
    """Cosines (n_trials,) of the pairs (n_trials, 2) of vectors (n, dim) of length 1."""
    return (vectors[trials[:, 0]] * vectors[trials[:, 1]]).sum(axis=1)


def equal_error_rate(scores: NDArray[np.floating], same: NDArray[np.bool_]) -> float:
    """The error rate at the threshold where false acceptances and false rejections are equally frequent.

    Raises
    ------
    ValueError
        If there are no trials of one of the two kinds.
    """
    n_same, n_different = int(same.sum()), int((~same).sum())
    if not n_same or not n_different:
        raise ValueError(f"needs trials of both kinds, got {n_same} same and {n_different} different")
    order = np.argsort(scores, kind="stable")
    # Thresholds lie below all scores or just above a score; equal scores are rejected together.
    last = np.append(-1, np.flatnonzero(np.diff(scores[order], append=np.inf)))
    rejected = np.append(0, np.cumsum(same[order]) / n_same)[last + 1]
    accepted = 1 - np.append(0, np.cumsum(~same[order]) / n_different)[last + 1]
    # The curve is linear between two thresholds; both rates are equal where their difference is 0.
    after = int(np.argmax(rejected >= accepted))
    low, high = (rejected - accepted)[[after - 1, after]]
    return float(np.interp(0, [low, high], rejected[[after - 1, after]]))


def bootstrap_interval(
    scores: NDArray[np.floating],
    same: NDArray[np.bool_],
    trials: NDArray[np.int64],
    speakers: Sequence[str],
    *,
    n_draws: int = 500,
    seed: int = 1,
) -> tuple[float, float]:
    """The 95 % interval of the equal error rate over draws of the speakers with replacement.

    A trial counts as often as its speakers were drawn: the product for two speakers, the number for one.
    """
    names, number = np.unique(speakers, return_inverse=True)
    first, second = number[trials[:, 0]], number[trials[:, 1]]
    random = np.random.default_rng(seed)
    rates = []
    for _ in range(n_draws):
        drawn = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names))
        times = np.where(same, drawn[first], drawn[first] * drawn[second])
        if times[same].any() and times[~same].any():
            rates.append(equal_error_rate(np.repeat(scores, times), np.repeat(same, times)))
    low, high = np.percentile(rates, [2.5, 97.5])
    return float(low), float(high)
