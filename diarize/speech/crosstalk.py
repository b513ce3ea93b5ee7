r"""Separation of a channel's own speaker from the cross-talk of other channels.

Channels are compared by their levels in a few bands every 10 ms. The *leak gain* is the level of channel j's
speaker in channel i, relative to channel j. It is measured where j is loud and i is quiet. Where channel i
holds no more than the leaks of the others and its own noise, its speaker is silent::

    level of 2    _______/=======\_______________/=====\__
    its leak in 1 _______/-------\_______________/-----\__    20 dB lower
    level of 1    ======\_-------_/=====\______/===\---___
    own frames    ######           #####        ####           the last ones are double-talk

The gains of the channels do not matter, because they raise one leak gain by as much as they lower the other.
What matters is the *separation* of two channels: minus the sum of their two leak gains.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples

HOP = 160
"""Samples from one frame to the next: 10 ms."""

FRAME = 400
"""Samples of a frame: 25 ms, centred on its 10 ms."""

BANDS = (100.0, 300.0, 700.0, 1500.0, 3000.0, 8000.0)
"""Borders of the bands in Hz."""

N_BANDS = len(BANDS) - 1

Decibels = NDArray[np.float32]

_FFT = 512
_SILENCE = 1e-12  # power; the lowest one
_SMOOTH = 5  # frames whose powers are averaged, because leaks come up to 10 ms late
_EARLY, _LATE = 3, 3  # frames before and after a frame in which its leak may occur
_DECAY = 1.5  # dB per frame of a leak's decay, as in a room with a reverberation time of 0.4 s
_FLOOR = 5  # percentile of a channel's levels that counts as its noise
_ABOVE_FLOOR, _LOUDEST = (
    10.0,
    10.0,
)  # dB: leaks are measured in frames this far above the floor and within this of the loudest
_QUIET = 30  # percentile of another channel's levels in those frames that counts as the leak
_SEPARATION = 8.0  # dB; channels with less separation have one speaker, or the same one
_LOUDER = 8.0  # dB; a channel that is always this much louder than another one is not a copy of it
_ONE_SIGNAL, _TOO_CLOSE = 3.0, 5.0  # dB: most for copies of one signal, least for two speakers
_LAGS = range(-10, 11)  # frames by which one copy may be later
_NEAR = 1.5  # dB around the extremes in which leaks are measured
_MARGIN_SHARE = 4.0  # the margin is at most the separation divided by this
_ACTIVE = 6.0  # dB above the noise; quieter bands do not count
_SHARE = 0.2  # share of the active bands that must be louder than the leaks: one of five
_AUDIBLE = -3.0  # dB relative to the noise; a quieter leak is inaudible
_CHUNK, _CONTEXT = 60000, 200  # frames processed at once, and additional ones on either side


class BandPowers:
    """Powers of a channel in the bands, measured block by block."""

    def __init__(self) -> None:
        self._found: list[NDArray[np.float32]] = []
        self._held: Samples = np.zeros((FRAME - HOP) // 2, np.float32)
        frequencies = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE)
        self._starts = np.searchsorted(frequencies, BANDS)
        self._window = np.hanning(FRAME).astype(np.float32)

    def listen(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        """The same blocks of samples (n,) at 16 kHz; each block is measured on the way."""
        for block in blocks:
            self._add(block)
            yield block
        self._add(np.zeros(FRAME - HOP, np.float32))

    @property
    def powers(self) -> NDArray[np.float32]:
        """The powers of all frames, shape (n_frames, n_bands), once all blocks were read."""
        return np.concatenate([np.zeros((0, N_BANDS), np.float32), *self._found])

    def _add(self, block: Samples) -> None:
        samples = np.concatenate([self._held, block])
        n_frames = max(0, (len(samples) - FRAME) // HOP + 1)
        if n_frames:
            frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP][:n_frames]
            spectrum = np.abs(np.fft.rfft(frames * self._window, _FFT)) ** 2 / _FFT
            bands = np.add.reduceat(spectrum[:, : self._starts[-1]], self._starts[:-1], axis=1)
            self._found.append(bands.astype(np.float32))
        self._held = samples[n_frames * HOP :]


@dataclass(frozen=True)
class Crosstalk:
    """The noise of each channel and the leaks between channels, in dB."""

    floors: NDArray[np.float64]
    """Noise of each channel and band, shape (n_channels, n_bands)."""
    gains: NDArray[np.float64]
    """Leak gain from channel j into i by band, gains[i, j, band]; -inf if there is no leak."""
    copies: list[tuple[int, int, float]]
    """Pairs of channels, counted from 0, with the same signal, and how many dB the first one is louder."""
    close: list[tuple[int, int, float]]
    """Pairs whose separation is too small to distinguish two speakers, and the separation."""

    def separation(self, i: int, j: int) -> float:
        """The separation of two channels; inf if one does not leak into the other."""
        both = self.gains[i, j] + self.gains[j, i]
        return max(0.0, -float(np.median(both))) if np.isfinite(both).all() else np.inf

    def leak(self, i: int, j: int) -> float:
        """The leak gain from channel j into i over the bands."""
        return float(np.median(self.gains[i, j]))


def to_decibels(powers: NDArray[np.float32]) -> Decibels:
    """Levels in dB of powers (n_frames, ...), smoothed over 50 ms."""
    from scipy.ndimage import uniform_filter1d  # takes 30 ms, and is for recordings with --channels alone

    smooth = uniform_filter1d(powers, _SMOOTH, axis=0, mode="nearest") if len(powers) else powers
    return np.asarray(10 * np.log10(np.maximum(smooth, _SILENCE)), np.float32)


def find_crosstalk(levels: Decibels) -> Crosstalk:
    """The leak gains between channels, from their levels (n_frames, n_channels, n_bands)."""
    n_channels = levels.shape[1]
    floors = np.zeros(levels.shape[1:])
    if len(levels):
        floors = np.percentile(levels, _FLOOR, axis=0).astype(np.float64)
    whole = _sum_bands(levels)
    loud = [_loud_frames(whole[:, j]) for j in range(n_channels)]
    gains = np.full((n_channels, n_channels, N_BANDS), -np.inf)
    for i, j in np.ndindex(n_channels, n_channels):
        if i != j and loud[j].any():
            gains[i, j] = np.percentile(levels[loud[j], i] - levels[loud[j], j], _QUIET, axis=0)
    found = Crosstalk(floors, gains, [], [])
    for i, j in np.ndindex(n_channels, n_channels):
        if i < j and loud[i].any() and loud[j].any() and found.separation(i, j) < _SEPARATION:
            _settle(found, i, j, whole, loud[i] | loud[j], levels)
    return found


def own_frames(
    levels: Decibels, found: Crosstalk, margin: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Frames in which a channel may hold its own speaker, and those in which a leak is loud as well.

    Parameters
    ----------
    levels : array, shape (n_frames, n_channels, n_bands)
    found : Crosstalk
    margin : float
        dB by which a channel's own sound is louder than the leaks; less for channels with little separation.

    Returns
    -------
    own, mixed : arrays, shape (n_frames, n_channels)
    """
    own = np.ones(levels.shape[:2], bool)
    mixed = np.zeros(levels.shape[:2], bool)
    for start in range(0, len(levels), _CHUNK):
        first, last = max(0, start - _CONTEXT), start + _CHUNK + _CONTEXT
        part = slice(start - first, start - first + _CHUNK)
        chunk = levels[first:last]
        sources = _spread(chunk)
        for i in range(levels.shape[1]):
            leak, above = _leaks(sources, found, i, margin)
            heard = np.logaddexp2(*(each * _TO_BITS for each in (leak, found.floors[i]))) / _TO_BITS
            active = chunk[:, i] > found.floors[i] + _ACTIVE
            louder = (active & (chunk[:, i] > heard + above)).sum(axis=1)
            audible = (leak > found.floors[i] + _AUDIBLE).any(axis=1)
            n_active = np.maximum(active.sum(axis=1), 1)
            own[start : start + _CHUNK, i] = (~audible | (louder >= _SHARE * n_active))[part]
            near = (active & (chunk[:, i] < leak + _LOUDEST)).sum(axis=1)
            mixed[start : start + _CHUNK, i] = (2 * near > n_active)[part]
    return own, mixed | ~own


_TO_BITS = np.log2(10) / 10


def _sum_bands(levels: Decibels) -> NDArray[np.float32]:
    """Levels of all bands together, shape (n_frames, n_channels)."""
    return np.asarray(np.logaddexp2.reduce(levels * np.float32(_TO_BITS), axis=-1) / _TO_BITS, np.float32)


def _loud_frames(level: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mask (n_frames,) of a channel's frames that are near its loudest ones and above its noise."""
    if not len(level):
        return np.zeros(0, bool)
    above = level > np.percentile(level, _FLOOR) + _ABOVE_FLOOR
    return above & (level > np.percentile(level[above], 99) - _LOUDEST) if above.any() else above


def _settle(
    found: Crosstalk, i: int, j: int, whole: NDArray[np.float32], loud: NDArray[np.bool_], levels: Decibels
) -> None:
    """Correct the leaks between two channels that appear as loud as their sources.

    This happens if the loudest frames of a channel are leaks, because its speaker is silent or hardly speaks.
    If one channel is much louder, it has a speaker and nothing leaks into it. Otherwise the leaks are
    measured in the frames in which the channels differ most, in either direction.

    Parameters
    ----------
    whole : array, shape (n_frames, n_channels)
        Levels over all bands.
    loud : array, shape (n_frames,)
        Frames in which one of the two channels is loud.
    levels : array, shape (n_frames, n_channels, n_bands)
    """
    apart, bands = whole[loud, i] - whole[loud, j], levels[loud, i] - levels[loud, j]
    low, middle, high = np.percentile(apart, [2, 50, 98])
    if abs(middle) >= _LOUDER:
        louder, other = (i, j) if middle > 0 else (j, i)
        found.gains[louder, other] = -np.inf
        return
    found.gains[i, j] = np.median(bands[apart <= low + _NEAR], axis=0)
    found.gains[j, i] = -np.median(bands[apart >= high - _NEAR], axis=0)
    if any(_range(whole[loud, i] - np.roll(whole[:, j], lag)[loud]) < _ONE_SIGNAL for lag in _LAGS):
        found.copies.append((i, j, float(middle)))
    elif found.separation(i, j) < _TOO_CLOSE:
        found.close.append((i, j, found.separation(i, j)))


def _range(apart: NDArray[np.float32]) -> float:
    low, high = np.percentile(apart, [2, 98])
    return float(high - low)


def _spread(levels: Decibels) -> Decibels:
    """The upper bound of each level (n_frames, ...) in a leak, which may be early or late, and decays."""
    ramp = (np.arange(len(levels), dtype=np.float32) * _DECAY)[:, None, None]
    spread = np.maximum.accumulate(levels + ramp, axis=0) - ramp
    for k in range(1, _LATE + 1):
        spread[k:] = np.maximum(spread[k:], levels[:-k])
    earlier = spread.copy()
    for k in range(1, _EARLY + 1):
        earlier[:-k] = np.maximum(earlier[:-k], spread[k:])
    return earlier


def _leaks(
    sources: Decibels, found: Crosstalk, i: int, margin: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The loudest leak into channel i by frame and band, and the margin for its source channel."""
    leak = np.full(sources[:, 0].shape, -np.inf)
    above = np.zeros_like(leak)
    for j in range(sources.shape[1]):
        if i == j or not np.isfinite(found.gains[i, j]).all():
            continue
        separation = found.separation(i, j)
        share = 2.0 if separation < _SEPARATION else _MARGIN_SHARE
        this = sources[:, j] + found.gains[i, j]
        above = np.where(this > leak, min(margin, separation / share), above)
        leak = np.maximum(leak, this)
    return leak, above
