"""The types that decoders give: the header of a file, and pieces of samples; both checked and unified."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from diarize.errors import AudioError

PIECE = 8192
"""Most samples in a piece."""

LOWEST_RATE, HIGHEST_RATE = 1000, 1_000_000
"""Limits of a recording's rate in Hz. A header or an argument outside them is wrong."""

MOST_CHANNELS = 1024
"""The limit of libsndfile."""

Samples = NDArray[np.float32]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AudioInfo:
    """The header of a file.

    Parameters
    ----------
    decoder : str
        "soundfile" or "PyAV".
    rate : int
        Hz.
    n_channels : int
        Channels of the track that is read; at its beginning, if the number changes.
    seconds : float or None
        Duration that the header gives; None if it gives none.
    """

    decoder: str
    rate: int
    n_channels: int
    seconds: float | None


class Piece(NamedTuple):
    """Samples ``(n, n_channels)`` and their rate in Hz."""

    rate: int
    samples: Samples


class DecodingStoppedError(Exception):
    """The decoder stopped before the end of the recording."""


def check_header(name: str, info: AudioInfo) -> None:
    """Check that a header's rate and number of channels are possible.

    Raises
    ------
    AudioError
        If they are not.
    """
    if not LOWEST_RATE <= info.rate <= HIGHEST_RATE:
        raise AudioError(
            f"{name}: its header says {info.rate} Hz; a recording has {LOWEST_RATE} to {HIGHEST_RATE} Hz; "
            "correct the header or export it again"
        )
    if not 1 <= info.n_channels <= MOST_CHANNELS:
        raise AudioError(
            f"{name}: its header says {info.n_channels} channels; a recording has 1 to {MOST_CHANNELS}; "
            "correct the header or export it again"
        )


def full_scale(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The divisor of integers of a type, and the offset subtracted afterwards (1 if unsigned, else 0)."""
    return 2.0 ** (8 * dtype.itemsize - 1), float(dtype.kind == "u")


def silence(rate: int, n_samples: int, n_channels: int) -> Iterator[Piece]:
    """Silence, as pieces of zeros."""
    for start in range(0, n_samples, PIECE):
        yield Piece(rate, np.zeros((min(PIECE, n_samples - start), n_channels), np.float32))


def unify(pieces: Iterable[Piece], rate: int, n_channels: int) -> Iterator[Samples]:
    """The samples of all pieces at one rate, with one number of channels.

    ::

        pieces   |--- 44.1 kHz, 1 channel ---|--- 16 kHz, 2 channels ---|
        samples  |--------------- 44.1 kHz, 1 channel ------------------|

    A run of pieces at another rate is resampled by itself, so every run keeps its duration. If the number of
    channels of a run differs, each channel gets the run's mean.
    """
    current, resampler = rate, None
    for piece in pieces:
        if piece.rate != current:
            if resampler is not None:
                yield resampler.resample_chunk(np.zeros((0, n_channels), np.float32), last=True)
            current, resampler = piece.rate, None
            if current != rate:
                resampler = soxr.ResampleStream(current, rate, n_channels, dtype="float32")
        samples = piece.samples
        if samples.shape[1] != n_channels:
            samples = np.repeat(samples.mean(axis=1, keepdims=True), n_channels, axis=1)
        yield samples if resampler is None else resampler.resample_chunk(samples)
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros((0, n_channels), np.float32), last=True)


def until_stopped(pieces: Iterator[Piece], name: str, info: AudioInfo) -> Generator[Piece, None, float]:
    """The pieces up to where the decoder stops; logged if that is before the end that the header gives.

    Returns the seconds read.

    Raises
    ------
    AudioError
        If the decoder stops before the first sample.
    """
    seconds = 0.0
    try:
        for piece in pieces:
            seconds += len(piece.samples) / piece.rate
            yield piece
    except DecodingStoppedError as error:
        if not seconds:
            raise AudioError(
                f"{name}: nothing can be decoded ({error}); convert it to WAV or FLAC"
            ) from error
        promised = f" of {info.seconds:.1f} s" if info.seconds else ""
        _logger.warning("%s: decoding stopped at %.1f s%s (%s)", name, seconds, promised, error)
    return seconds
