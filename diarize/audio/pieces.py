"""Pieces of samples, as decoders give them: what a file says of itself, and runs made alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from diarize.errors import AudioError

PIECE = 8192
"""Most samples that a decoder gives at once."""

LOWEST_RATE, HIGHEST_RATE = 1000, 1_000_000
"""Hz. A header or a caller that says less or more is wrong: nobody records speech at such a rate."""

MOST_CHANNELS = 1024
"""As libsndfile has it."""

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class AudioInfo:
    """What a file says of itself.

    Parameters
    ----------
    decoder : str
        "soundfile" or "PyAV".
    rate : int
        Hz.
    n_channels : int
        Channels of the track that is read; of a file whose channels change, those at its beginning.
    seconds : float or None
        Duration that the header promises; None when it promises none.
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
    """The decoder gives nothing more, though the file has not ended."""


def check_header(name: str, info: AudioInfo) -> None:
    """Refuse what no recording has.

    Raises
    ------
    AudioError
        Naming the file, and its rate or its channels.
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
    """What integers of a type are divided by, and what is then taken away, for unsigned ones 1."""
    return 2.0 ** (8 * dtype.itemsize - 1), float(dtype.kind == "u")


def silence(rate: int, n_samples: int, n_channels: int) -> Iterator[Piece]:
    """Zeros in pieces."""
    for start in range(0, n_samples, PIECE):
        yield Piece(rate, np.zeros((min(PIECE, n_samples - start), n_channels), np.float32))


def unify(pieces: Iterable[Piece], rate: int, n_channels: int) -> Iterator[Samples]:
    """The samples of pieces at one rate, with one number of channels.

    ::

        pieces   |--- 44.1 kHz, 1 channel ---|--- 16 kHz, 2 channels ---|
        samples  |--------------- 44.1 kHz, 1 channel ------------------|

    A run at another rate is resampled by itself, so that every run keeps its duration. Where the number of
    channels differs, each channel gets the run's mean.
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
