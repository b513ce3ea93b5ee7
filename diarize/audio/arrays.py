"""Arrays of samples: the axis of the channels, and the scale of the values."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.audio.pieces import PIECE, Samples, full_scale

LOUDEST_FLOAT = 128.0
"""Floats that reach this magnitude are integer samples stored as floats, not overdriven samples in -1..1."""

_SIGNED_SCALES = (2.0**15, 2.0**23, 2.0**31, 2.0**63)
_UNSIGNED_SCALES = (2.0**7, 2.0**15, 2.0**31, 2.0**63)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class AudioArray:
    """Samples ``(n_samples, n_channels)`` of any type, with their rate in Hz and their scale.

    ``samples / scale - offset`` lies in -1..1. `recording` is the id that the caller gave.
    """

    samples: NDArray[Any]
    rate: float
    scale: float
    offset: float
    recording: str | None = None

    def pieces(self) -> Iterator[Samples]:
        """Pieces ``(n, n_channels)`` of float32."""
        for start in range(0, len(self.samples), PIECE):
            piece = self.samples[start : start + PIECE]
            if self.scale != 1.0:
                piece = piece / self.scale - self.offset
            with np.errstate(over="ignore"):  # values beyond float32 become inf, which is refused later
                narrow = piece.astype(np.float32)
            yield narrow


def array_source(samples: NDArray[Any], rate: float, channels_first: bool) -> AudioArray:
    """Samples ``(n_samples,)`` or ``(n_samples, n_channels)`` as a source.

    With `channels_first`, for tensors, the shorter of two axes is the channels, and the first one if both are
    equally long.

    Raises
    ------
    ValueError
        If the shape or type cannot be that of samples.
    """
    if samples.dtype.kind not in "fiu":
        raise ValueError(f"samples are floats or integers, got {samples.dtype}")
    table = samples[:, None] if samples.ndim == 1 else samples
    if channels_first and samples.ndim == 2 and samples.shape[0] <= samples.shape[1]:
        table = samples.T
    if table.ndim != 2 or (table.size and table.shape[1] > table.shape[0]):
        raise ValueError(
            f"samples have shape (n_samples,) or (n_samples, n_channels), got {samples.shape}; "
            "transpose an array with channels first"
        )
    if not table.size:
        table = np.zeros((0, 1), samples.dtype)
    return AudioArray(table, rate, *_scale(table))


def _scale(samples: NDArray[Any]) -> tuple[float, float]:
    """The divisor of the samples and the offset that is subtracted afterwards.

    int16, int8, uint8 and uint16 have their own full scale. Wider integers seldom fill theirs, so their full
    scale is the smallest of 16, 24, 32 and 64 bits that holds all values. The same goes for floats too large
    to be samples in -1..1.
    """
    dtype = samples.dtype
    if not samples.size:
        return 1.0, 0.0
    if dtype.kind == "f":
        peak = _float_peak(samples)
        if not LOUDEST_FLOAT <= peak <= _SIGNED_SCALES[2]:
            return 1.0, 0.0
        return _told(samples, peak, _SIGNED_SCALES, 0.0)
    if dtype.itemsize <= 2:
        return full_scale(dtype)
    lowest, highest = int(samples.min()), int(samples.max())
    if dtype.kind == "u" or (lowest >= 0 and highest < 256 and 96 < samples.mean() < 160):
        return _told(samples, (highest + 1) / 2, _UNSIGNED_SCALES, 1.0)
    return _told(samples, max(-lowest, highest), _SIGNED_SCALES, 0.0)


def _told(
    samples: NDArray[Any], peak: float, scales: tuple[float, ...], offset: float
) -> tuple[float, float]:
    """The smallest scale that holds the peak; logged if it is not the scale of the type."""
    scale = next((scale for scale in scales if peak <= scale), scales[-1])
    if samples.dtype.kind == "f" or scale != full_scale(samples.dtype)[0]:
        bits = round(np.log2(scale)) + 1
        _logger.warning(
            "array: its values fit %d bits and are read as such, though their type is %s", bits, samples.dtype
        )
    return scale, offset


def _float_peak(samples: NDArray[Any]) -> float:
    """The largest finite magnitude."""
    peak = 0.0
    for start in range(0, len(samples), 2**20):
        part = np.abs(samples[start : start + 2**20])
        highest = float(part.max())
        if not np.isfinite(highest):
            finite = part[np.isfinite(part)]
            highest = float(finite.max()) if finite.size else 0.0
        peak = max(peak, highest)
    return peak
