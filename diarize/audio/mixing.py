"""The choice of the channels whose mean is the mono signal: all of them, unless the mean loses sound.

The mean of channels that cancel each other is silence. A channel without a signal lowers the mean, and a
channel of noise hides the other channels. One pass over the samples measures the channels; the choice holds
for the whole recording.

::

    channels  1 speech   2 the same, inverted   3 silence        1 and 2 cancel each other, 3 is silent
    mean of   1
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from diarize.audio.channel_levels import BLOCK, SECOND, ChannelLevels, Floats, measure_channels
from diarize.audio.pieces import Samples

MOST_CHANNELS = 32
"""With more channels, the covariances would need too much memory, so all channels are mixed."""

_LOUDEST = 5  # blocks: half a second, longer than a click
_SILENT = -90.0  # dB of full scale; rounding to 16 bits gives noise at -101
_QUIET = 40.0  # dB below the loudest channel: not audible in the mean
_STEADY = 1.5  # dB; the level of hiss and hum varies by less, that of speech 5 dB below hiss by more
_NOISY = 12.0  # dB; a noisy channel's level varies by at most this
_LESS_NOISY = 15.0  # dB; and by this much less than the best channel's
_COLOURED = 1.2  # dB; in noise, the share of high frequencies varies by less
_VOICED = 6.0  # dB; in speech by more
_NOISY_SECONDS = 3.0  # seconds of noise in a noisy channel, which has four times as much as the best one
_CLIPPED, _UNCLIPPED = 1e-3, 1e-4  # shares of samples at the peak
_CANCELLED = 2.0  # dB of the mean below that of unrelated channels with the same levels; chance gives less
_CANCELLED_SECOND = 10.0  # dB; the same in one second; chance never gives as much
_LOUD_SECOND = 20.0  # dB below the loudest second; quieter seconds do not count

_logger = logging.getLogger(__name__)


def choose_channels(groups: Iterable[Samples], rate: float, name: str) -> tuple[int, ...]:
    """The channels, counted from 1, whose mean is the recording's mono signal. What is left out is logged.

    Channels are left out that are silent, more than 40 dB quieter than another, or hold only steady noise. Of
    two channels that cancel each other, the quieter one is left out. A noisy or clipped channel beside a
    better one stays, with a warning.

    Parameters
    ----------
    groups : iterable of arrays
        Samples ``(n, n_channels)``; every group but the last has `group_samples` samples.
    rate : float
        Hz.
    name : str
        The name of the recording in the log.
    """
    measured = measure_channels(groups, rate)
    n_channels = measured.levels.shape[1]
    everything = list(range(n_channels))
    if n_channels < 2 or not len(measured.levels) or not np.isfinite(measured.covariances).all():
        return tuple(number + 1 for number in everything)  # the caller reports samples that are not finite
    kept = _with_sound(measured, everything, name)
    if kept:
        _warn_of_faults(measured, kept, name)
        kept = _without_cancelling(measured, kept, name)
    return tuple(number + 1 for number in kept or everything)


def _with_sound(measured: ChannelLevels, channels: list[int], name: str) -> list[int]:
    """The channels that hold more than silence and steady noise."""
    loudest = np.array([_loudest(measured.levels[:, i]) for i in channels])
    silent = [i for i in channels if loudest[i] <= _SILENT]
    colours = {i: _colours(measured, i) for i in channels if i not in silent}
    speaks = max(colours.values(), default=0.0) > _VOICED  # one of them holds changing sound, such as speech
    steady = [
        i for i, range_ in colours.items() if _is_steady(measured, i) or (speaks and range_ < _COLOURED)
    ]
    heard = [i for i in channels if i not in silent + steady]
    if not heard:
        return []
    best = max(heard, key=loudest.__getitem__)
    if silent:
        _logger.warning(
            "%s: %s silent (below %.0f dB of full scale); left out of the mix",
            *(name, f"{_names(silent)} {_are(silent)}", _SILENT),
        )
    for i in steady:
        _logger.warning(
            "%s: channel %d holds only %snoise (%.0f dB of full scale, varying by %.1f dB); "
            "left out of the mix",
            *(name, i + 1, "steady " if _is_steady(measured, i) else "", loudest[i]),
            _variation(measured.levels[:, i]),
        )
    quiet = [i for i in heard if loudest[i] <= loudest[best] - _QUIET]
    for i in quiet:
        _logger.warning(
            "%s: channel %d is %.0f dB quieter than channel %d; left out of the mix",
            *(name, i + 1, loudest[best] - loudest[i], best + 1),
        )
    return [i for i in heard if i not in quiet]


def _warn_of_faults(measured: ChannelLevels, channels: list[int], name: str) -> None:
    """Log which channels are noisy or clipped if another channel is not."""
    variation = {
        i: min(_variation(powers[:, i]) for powers in (measured.levels, measured.details)) for i in channels
    }
    best = max(channels, key=variation.__getitem__)
    for i in channels:
        if variation[i] < min(_NOISY, variation[best] - _LESS_NOISY):
            _logger.warning(
                "%s: channel %d is noisy: its level varies by %.0f dB, that of channel %d by %.0f dB; "
                "if both hold the same speech, choose channel %d",
                *(name, i + 1, variation[i], best + 1, variation[best], best + 1),
            )
    noise = {i: _noisy_seconds(measured, i) for i in channels}
    best = min(channels, key=noise.__getitem__)
    for i in channels:
        if noise[i] >= max(_NOISY_SECONDS, 4 * noise[best]) and not variation[i] < _NOISY:
            _logger.warning(
                "%s: channel %d holds noise for %.0f s, channel %d for %.0f s; "
                "if both hold the same speech, choose channel %d",
                *(name, i + 1, noise[i], best + 1, noise[best], best + 1),
            )
    best = min(channels, key=measured.at_peak.__getitem__)
    for i in channels:
        if measured.at_peak[i] > _CLIPPED and measured.at_peak[best] < _UNCLIPPED:
            _logger.warning(
                "%s: channel %d is clipped: %.1f %% of its samples are at its peak; "
                "if both hold the same speech, choose channel %d",
                *(name, i + 1, 100 * measured.at_peak[i], best + 1),
            )


def _without_cancelling(measured: ChannelLevels, channels: list[int], name: str) -> list[int]:
    """The channels that remain after removing those that cancel others.

    The quieter channel of the most opposed pair is removed until the mean is loud enough.
    """
    kept = list(channels)
    while len(kept) > 1:
        lost = _cancelled(measured, kept)
        if lost is None:
            break
        power = np.diag(lost)
        correlation = lost / np.sqrt(np.maximum(np.outer(power, power), 1e-30))
        pair = np.unravel_index(np.argmin(correlation), correlation.shape)
        quieter = min((int(i) for i in pair), key=power.__getitem__)
        del kept[quieter]
    if kept != channels:
        seconds = measured.covariances[:, 0].astype(np.float64)
        louder = max(kept, key=lambda i: float(seconds[:, i, i].sum()))
        below = _below(seconds.sum(axis=0), channels, louder)
        if below < _CANCELLED_SECOND / 2:  # only in some seconds
            below = max(_below(each, channels, louder) for each in seconds)
        _logger.warning(
            "%s: channels cancel each other: the mean of %s is %.0f dB below channel %d; %s left in the mix",
            *(
                name,
                _names(channels),
                below,
                louder + 1,
                f"{_names(kept)} {_are(kept)}",
            ),
        )
    return kept


def _below(covariance: Floats, channels: list[int], louder: int) -> float:
    """How many dB the mean of the channels is below one of them, at most 99."""
    mean = covariance[np.ix_(channels, channels)].mean()
    return min(_decibels(covariance[louder, louder]) - _decibels(mean), 99.0)


def _cancelled(measured: ChannelLevels, channels: list[int]) -> Floats | None:
    """The covariance (n, n) of channels that cancel each other; None if they do not.

    They do if their mean is far below that of unrelated channels with the same levels.
    """
    for kind in (0, 1):
        own = measured.covariances[:, kind][:, channels][:, :, channels].astype(np.float64)
        mean = own.mean(axis=(1, 2))
        unrelated = np.trace(own, axis1=1, axis2=2) / len(channels) ** 2
        total = own.sum(axis=0)
        if mean.sum() < 10 ** (-_CANCELLED / 10) * unrelated.sum():
            return np.asarray(total)
        loud = unrelated > unrelated.max(initial=0.0) * 10 ** (-_LOUD_SECOND / 10)
        gone = loud & (mean < 10 ** (-_CANCELLED_SECOND / 10) * unrelated)
        if gone.any():
            return np.asarray(own[gone].sum(axis=0))
    return None


def _is_steady(measured: ChannelLevels, channel: int) -> bool:
    """Whether a channel's level stays at its floor, like that of hum and hiss."""
    if len(measured.levels) < 2 * _LOUDEST:
        return False
    return all(_variation(powers[:, channel]) < _STEADY for powers in (measured.levels, measured.details))


def _colours(measured: ChannelLevels, channel: int) -> float:
    """Range in dB of the share of high frequencies in a channel's loud blocks; infinite for few blocks.

    When the level of noise changes, all its frequencies change alike; those of speech do not.
    """
    levels, details = measured.levels[:, channel], measured.details[:, channel]
    loud = levels > levels.max(initial=0.0) * 10 ** (-_LOUD_SECOND / 10)
    if loud.sum() < 2 * _LOUDEST:
        return float("inf")
    return float(np.ptp(10 * np.log10(np.maximum(details[loud], 1e-30) / levels[loud])))


def _noisy_seconds(measured: ChannelLevels, channel: int) -> float:
    """Seconds in which a channel is loud and its sound does not change. Speech changes within two seconds."""
    levels, details = measured.levels[:, channel], measured.details[:, channel]
    n = 2 * SECOND  # blocks
    if len(levels) < n:
        return 0.0
    loud = levels > levels.max(initial=0.0) * 10 ** (-_LOUD_SECOND / 10)
    colour = 10 * np.log10(np.maximum(details, 1e-30) / np.maximum(levels, 1e-30))
    windows = np.lib.stride_tricks.sliding_window_view
    found = windows(loud, n).all(axis=1) & (np.ptp(windows(colour, n), axis=1) < 2 * _COLOURED)
    covered = np.convolve(found, np.ones(n))[: len(levels)] > 0
    return float(covered.sum()) * BLOCK


def _variation(powers: NDArray[np.float32]) -> float:
    """Range in dB from a channel's quiet blocks to its loudest half second."""
    return _loudest(powers) - max(_decibels(float(np.percentile(powers, 10))), _SILENT - 30)


def _loudest(powers: NDArray[np.float32]) -> float:
    """The level in dB that a channel reaches in its loudest half second, or tenth of less than 5 s."""
    n_blocks = min(_LOUDEST, 1 + len(powers) // 10)
    return _decibels(float(np.sort(powers)[-n_blocks:].min(initial=np.inf)))


def _decibels(power: float) -> float:
    return float(10 * np.log10(max(power, 1e-30)))


def _names(channels: list[int]) -> str:
    """The numbers of channels that are counted from 0, as text: "channel 1", or "channels 1, 2 and 4"."""
    numbers = [str(number + 1) for number in channels]
    if len(numbers) == 1:
        return f"channel {numbers[0]}"
    return f"channels {', '.join(numbers[:-1])} and {numbers[-1]}"


def _are(channels: list[int]) -> str:
    return "is" if len(channels) == 1 else "are"
