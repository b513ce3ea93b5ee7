"""Measurements of the channels of a recording: levels, covariances, and samples at the peak."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diarize.audio.pieces import Samples

BLOCK = 0.1
"""Length of a block in seconds: a channel's level is measured once a block."""

SECOND = 10
"""Blocks in a second: the covariance of the channels is measured once a second."""

Floats = NDArray[np.float64]


class ChannelLevels(NamedTuple):
    """The measurements of a recording's channels, made in one pass."""

    levels: NDArray[np.float32]
    """Power of each block, less its mean, shape ``(n_blocks, n_channels)``."""
    details: NDArray[np.float32]
    """The same for the differences of neighbouring samples, in which hum is weak."""
    covariances: NDArray[np.float32]
    """Covariance in each second, of samples and differences, ``(n_seconds, 2, n_channels, n_channels)``."""
    at_peak: Floats
    """Share of each channel's samples at its peak, shape ``(n_channels,)``."""


def group_samples(rate: float) -> int:
    """The number of samples in a group for `measure_channels` at this rate: ten seconds, in whole blocks."""
    return 10 * SECOND * _block_samples(rate)


def measure_channels(groups: Iterable[Samples], rate: float) -> ChannelLevels:
    """The levels of the channels in samples ``(n, n_channels)``, in groups of `group_samples`."""
    peaks = _Peaks()
    found: list[tuple[Floats, Floats, Floats]] = []
    for group in groups:
        samples = np.ascontiguousarray(group.T)  # (n_channels, n)
        with np.errstate(invalid="ignore", over="ignore"):
            peaks.add(samples)
            found.append(_measure_group(samples, _block_samples(rate), max(1, round(rate / 16000))))
    if not found:
        none = np.zeros((0, 1), np.float32)
        return ChannelLevels(none, none, np.zeros((0, 2, 1, 1), np.float32), np.zeros(1))
    with np.errstate(over="ignore"):  # of samples that are refused later
        levels, details, covariances = (
            np.concatenate(each).astype(np.float32) for each in zip(*found, strict=True)
        )
    return ChannelLevels(levels, details, covariances, peaks.shares())


def _measure_group(samples: Samples, length: int, step: int) -> tuple[Floats, Floats, Floats]:
    """Powers of whole blocks (n_blocks, n_channels), those of their differences, and covariances by second.

    `samples` are (n_channels, n). A block has `length` samples. Differences are taken over `step` samples, so
    that they cover frequencies up to 8 kHz at any rate.
    """
    n_channels, n_samples = samples.shape
    length = min(length, n_samples)
    n_blocks = n_samples // length
    plain = samples[:, : n_blocks * length].reshape(n_channels, n_blocks, length).astype(np.float64)
    plain -= plain.mean(axis=2, keepdims=True)
    detail = plain[:, :, step:] - plain[:, :, :-step] if step < length else 0 * plain
    covariances = []
    for start in range(0, n_blocks, SECOND):
        both = [kind[:, start : start + SECOND].reshape(n_channels, -1) for kind in (plain, detail)]
        covariances.append([each @ each.T / each.shape[1] for each in both])
    levels, details = (np.einsum("cbl,cbl->bc", kind, kind) / kind.shape[2] for kind in (plain, detail))
    return levels, details, np.array(covariances)


def _block_samples(rate: float) -> int:
    return max(1, round(BLOCK * rate))


class _Peaks:
    """The number of samples within 0.1 % of the largest one so far, for each channel."""

    def __init__(self) -> None:
        self._peak: Floats = np.zeros(1)
        self._count: Floats = np.zeros(1)
        self._n_samples = 0

    def add(self, samples: Samples) -> None:
        """Count more samples (n_channels, n)."""
        size = np.abs(samples)
        peak = np.maximum(self._peak, size.max(axis=1))
        self._count = np.where(peak > self._peak * 1.001, 0, self._count)
        self._count = self._count + (size >= 0.999 * peak[:, None]).sum(axis=1)
        self._peak, self._n_samples = peak, self._n_samples + samples.shape[1]

    def shares(self) -> Floats:
        """The share of these among all samples, shape (n_channels,)."""
        return self._count / self._n_samples
