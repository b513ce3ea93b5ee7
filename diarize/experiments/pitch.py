"""The fundamental frequency of speech, by normalised cross-correlation and dynamic programming.

References
----------
D. Talkin, "A robust algorithm for pitch tracking (RAPT)", in: Speech Coding and Synthesis, Elsevier, 1995.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples
from diarize.audio.features import GMM_MFCC

Array = NDArray[np.float64]

_WINDOW = round(0.0075 * SAMPLE_RATE)
_LAGS = np.arange(SAMPLE_RATE // 500, SAMPLE_RATE // 50 + 1)  # 500 to 50 Hz
_N_CANDIDATES = 12
# Talkin's values. The two costs of a change of voicing are equal, without his measures of stationarity.
_LEAST_PEAK = 0.3  # of the highest peak of the frame
_LAG_WEIGHT = 0.3
_CHANGE_WEIGHT = 0.02
_OCTAVE_COST = 0.35
_VOICING_COST = 0.03
_QUIET = 0.02  # of the mean energy, so that faint hum is not taken as voiced


def pitch(samples: Samples) -> Array:
    """The fundamental frequency (n_frames,) in Hz, 50 to 500, of samples (n_samples,); 0 where unvoiced.

    The frames are those of the MFCC: frame t is centred on sample 160 t. This is RAPT in one pass at the full
    sample rate, with lags of whole samples and a constant cost of a change of voicing.
    """
    if not len(samples):
        return np.zeros(0)
    lags, local = _candidates(_correlations(samples))
    path = _cheapest_path(lags, local)
    chosen = np.take_along_axis(lags, path[:, None], axis=1)[:, 0]
    return np.where(chosen > 0, SAMPLE_RATE / np.maximum(chosen, 1), 0.0)


def _correlations(samples: Samples) -> Array:
    """Correlation of the window at each frame with the one a lag later: (n_frames, n_lags) in [-1, 1].

    ::

        |== window ==| ... |== window ==|     both 7.5 ms, the first centred on the frame
                     |-lag-|                  minus the mean of all samples in reach
    """
    longest = int(_LAGS[-1])
    padded = np.pad(samples.astype(np.float64), (_WINDOW // 2, _WINDOW + longest))
    spans = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW + longest)
    spans = spans[: len(samples) + 1 : GMM_MFCC.hop]  # (n_frames, window + longest lag)
    spans = spans - spans.mean(axis=1, keepdims=True)
    later = np.lib.stride_tricks.sliding_window_view(spans, _WINDOW, axis=1)  # (n_frames, lag, window)
    products = np.matmul(later, spans[:, :_WINDOW, None])[:, :, 0]
    sums = np.cumsum(np.pad(spans**2, ((0, 0), (1, 0))), axis=1)
    energy = sums[:, _WINDOW:] - sums[:, :-_WINDOW]  # (n_frames, lag)
    quiet = (_QUIET * energy.mean()) ** 2 + np.finfo(np.float64).tiny
    correlations: Array = products / np.sqrt(energy[:, :1] * energy + quiet)
    return correlations[:, _LAGS]


def _candidates(correlations: Array) -> tuple[Array, Array]:
    """Lags in samples and costs of the candidates, both (n_frames, 1 + n_candidates).

    The first candidate is lag 0, unvoiced. If a frame has fewer peaks, the other costs are infinite.
    """
    inner = correlations[:, 1:-1]
    peaks = (inner > correlations[:, :-2]) & (inner >= correlations[:, 2:])
    highest = np.max(np.where(peaks, inner, 0), axis=1, keepdims=True, initial=0)
    heights = np.where(peaks & (inner > _LEAST_PEAK * highest), inner, -np.inf)
    best = np.argpartition(-heights, _N_CANDIDATES, axis=1)[:, :_N_CANDIDATES]
    lags = _LAGS[1:-1][best].astype(np.float64)
    costs = 1 - np.take_along_axis(heights, best, axis=1) * (1 - _LAG_WEIGHT * lags / _LAGS[-1])
    return np.pad(lags, ((0, 0), (1, 0))), np.hstack([highest, costs])


def _cheapest_path(lags: Array, local: Array) -> NDArray[np.int64]:
    """The candidate (n_frames,) of each frame on the path with the lowest cost."""
    with np.errstate(divide="ignore"):
        logs = np.log(lags)  # -inf: unvoiced
    steps = np.zeros(lags.shape, dtype=np.int64)
    total = local[0]
    for t in range(1, len(lags)):
        total = total[:, None] + _transition(logs[t - 1], logs[t])  # (previous, current)
        steps[t] = total.argmin(axis=0)
        total = total.min(axis=0) + local[t]
    path = np.zeros(len(lags), dtype=np.int64)
    path[-1] = total.argmin()
    for t in range(len(lags) - 1, 0, -1):
        path[t - 1] = steps[t, path[t]]
    return path


def _transition(before: Array, now: Array) -> Array:
    """The cost of each current candidate after each previous one: (n_before, n_now)."""
    voiced = np.isfinite(before)[:, None] & np.isfinite(now)
    unvoiced = ~np.isfinite(before)[:, None] & ~np.isfinite(now)
    change = np.abs(np.where(voiced, before[:, None], 0) - np.where(voiced, now, 0))
    jump = np.minimum(change, _OCTAVE_COST + np.abs(change - np.log(2)))
    return np.where(voiced, _CHANGE_WEIGHT * jump, np.where(unvoiced, 0, _VOICING_COST))
