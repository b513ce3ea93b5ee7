"""Peaks of a recording: what a drawing of its waveform needs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from diarize.audio.pieces import Samples
from diarize.audio.recordings import SAMPLE_RATE, regroup

PEAK_SECONDS = 0.01
"""Seconds that one peak of `find_peaks` covers."""

Peaks = NDArray[np.float32]


def find_peaks(blocks: Iterable[Samples]) -> Peaks:
    """The largest absolute sample of each 10 ms, shape ``(n_peaks,)``; the last one may cover less.

    Parameters
    ----------
    blocks : iterable of arrays (n_samples,)
        At 16 kHz, of any lengths.

    Examples
    --------
    >>> find_peaks([np.full(160, -0.5, np.float32), np.full(80, 0.25, np.float32)]).tolist()
    [0.5, 0.25]
    """
    hop = round(PEAK_SECONDS * SAMPLE_RATE)
    found = [_pool(np.abs(block), hop) for block in regroup(blocks, 1000 * hop)]
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def thin_peaks(peaks: Peaks, most: int) -> tuple[Peaks, int]:
    """At most `most` peaks, each the largest of k neighbours, and k.

    Examples
    --------
    >>> thin_peaks(np.array([1, 4, 2, 3, 5], np.float32), 3)
    (array([4., 3., 5.], dtype=float32), 2)
    """
    k = max(1, -(-len(peaks) // most))
    return _pool(peaks, k), k


def _pool(values: Peaks, k: int) -> Peaks:
    """The largest of each k values (n,); the last group may be smaller."""
    if not len(values):
        return values
    return np.maximum.reduceat(values, np.arange(0, len(values), k)).astype(np.float32)
