"""Any recording as mono float32 samples at 16 kHz, in bounded memory.

::

    file --decoder--> (n, n_channels), own rate --channel or mean--> (n,) --resampler--> 16 kHz --> blocks

Where the mean would lose sound, fewer channels are mixed (``mixing.py``); a recording of several is read once
more for that.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from diarize.decoders import PIECE, AudioInfo, Samples, open_audio
from diarize.errors import AudioError
from diarize.mixing import MOST_CHANNELS, choose_channels, group_samples

__all__ = [
    "AUDIO_SUFFIXES",
    "SAMPLE_RATE",
    "AudioInfo",
    "Samples",
    "Source",
    "audio_info",
    "count_channels",
    "find_audio",
    "load_audio",
    "mixed_channels",
    "recording_id",
    "regroup",
    "source_id",
    "stream_audio",
]

SAMPLE_RATE = 16000
"""Samples a second that everything behind this module sees."""

_SUFFIXES = """
.wav .wave .flac .ogg .oga .opus .mp3 .m4a .m4b .mp4 .mov .mkv .mka .webm .wma .aac .amr .3gp
.sph .nist .aif .aiff .au .caf .w64
"""
AUDIO_SUFFIXES = frozenset(_SUFFIXES.split())
"""Suffixes by which `find_audio` knows a recording."""

Source = str | os.PathLike[str] | NDArray[Any]

Channel = int | tuple[int, ...]
"""A channel, counted from 1, or several whose mean is taken."""


def load_audio(source: Source, *, rate: float | None = None, channel: Channel | None = None) -> Samples:
    """A whole recording, shape ``(n_samples,)``; parameters and errors are those of `stream_audio`."""
    return np.concatenate(list(stream_audio(source, rate=rate, channel=channel)))


def stream_audio(
    source: Source, *, rate: float | None = None, channel: Channel | None = None, block: float = 30.0
) -> Iterator[Samples]:
    """Blocks of a recording; joined they are bit by bit what `load_audio` gives.

    A file that ends or breaks early gives what it holds, with a warning in the log.

    Parameters
    ----------
    source : path or array
        A file, or samples ``(n_samples,)`` or ``(n_samples, n_channels)``; integers are divided by their
        full scale.
    rate : float, optional
        Hz; needed with an array and only there.
    channel : int or tuple of int, optional
        Counts from 1; of several the mean is taken, without it that of `mixed_channels`.
    block : float
        Seconds a block; the last one may be shorter.

    Raises
    ------
    AudioError
        When the file cannot be read, has no samples or not that channel, or a sample is not finite.
    ValueError
        When rate, channel, block or the array's shape or type is impossible.
    """
    block_samples = round(block * SAMPLE_RATE)
    if block_samples < 1:
        raise ValueError(f"a block needs at least one sample, got block={block!r} seconds")
    numbers = channel if channel is None or isinstance(channel, tuple) else (channel,)
    if numbers is not None and min(numbers, default=0) < 1:
        raise ValueError(f"channels count from 1, got channel={channel!r}")
    _check_source(source, rate)
    return regroup(_mono_pieces(source, rate, numbers), block_samples)


def mixed_channels(source: Source, *, rate: float | None = None) -> tuple[int, ...]:
    """The channels, from 1, whose mean is the recording: all but those by which the mean would lose sound.

    Parameters, errors and the rest are those of `stream_audio`, which asks this where no channel is given. A
    recording with one channel, or more than 32, is not read for it.
    """
    _check_source(source, rate)
    with _open_source(source, rate) as (name, own_rate, n_channels, pieces):
        if n_channels == 1 or n_channels > MOST_CHANNELS:
            return tuple(range(1, n_channels + 1))
        return choose_channels(regroup(pieces, group_samples(own_rate)), own_rate, name)


def count_channels(source: Source, *, rate: float | None = None) -> int:
    """How many channels a source has; parameters and errors are those of `stream_audio`."""
    _check_source(source, rate)
    with _open_source(source, rate) as (_, _, n_channels, _):
        return n_channels


def regroup(blocks: Iterable[Samples], n_samples: int) -> Iterator[Samples]:
    """The same samples in blocks of exactly ``n_samples``, but for the last, which is never empty.

    ::

        |--- a ---|- b -|------ c ------|   given
        |----|----|----|----|----|----|-|   n_samples each
    """
    held: list[Samples] = []
    n_held = 0
    for block in blocks:
        held.append(block)
        n_held += len(block)
        if n_held < n_samples:
            continue
        joined = np.concatenate(held)
        n_whole = n_held - n_held % n_samples
        for start in range(0, n_whole, n_samples):
            yield joined[start : start + n_samples]
        held, n_held = [joined[n_whole:]], n_held - n_whole
    if n_held:
        yield np.concatenate(held)


def recording_id(path: str | os.PathLike[str]) -> str:
    """The name of a recording in RTTM: the file's name without suffix, blanks turned to underscores."""
    return re.sub(r"\s", "_", Path(path).stem)


def source_id(source: Source) -> str:
    """The name of a source: `recording_id` of a file, "recording" for an array."""
    return "recording" if isinstance(source, np.ndarray) else recording_id(source)


def find_audio(folder: str | os.PathLike[str]) -> list[Path]:
    """The recordings in a folder and below, sorted; hidden files are left out.

    Raises
    ------
    AudioError
        When there is no such folder or no recording in it.
    """
    if not Path(folder).is_dir():
        raise AudioError(f"{os.fspath(folder)}: no such folder; check the path")
    found = sorted(
        path
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise AudioError(f"{os.fspath(folder)}: no audio files; looked for {' '.join(_SUFFIXES.split())}")
    return found


def audio_info(path: str | os.PathLike[str]) -> AudioInfo:
    """Decoder, rate, channels and duration of a file, from its header.

    Raises
    ------
    AudioError
        When the file cannot be opened as audio.
    """
    with open_audio(os.fspath(path)) as (info, _):
        return info


def _check_source(source: Source, rate: float | None) -> None:
    """Raise the ValueError of a rate, shape or type that is impossible before anything is read."""
    if not isinstance(source, np.ndarray):
        if rate is not None:
            raise ValueError(f"a file knows its own rate, got rate={rate!r}")
        return
    if rate is None or not 0 < rate < float("inf"):
        raise ValueError(f"an array needs its rate in Hz, got rate={rate!r}")
    _array_pieces(source)


@contextmanager
def _open_source(source: Source, rate: float | None) -> Iterator[tuple[str, float, int, Iterator[Samples]]]:
    """Name, rate, number of channels and samples ``(n, n_channels)`` of a source, open while read."""
    if isinstance(source, np.ndarray):
        assert rate is not None
        yield "array", rate, source.shape[1] if source.ndim == 2 else 1, _array_pieces(source)
    else:
        name = os.fspath(source)
        with open_audio(name) as (info, pieces):
            yield name, info.rate, info.n_channels, pieces


def _mono_pieces(source: Source, rate: float | None, channels: tuple[int, ...] | None) -> Iterator[Samples]:
    """A source's samples, mono at 16 kHz."""
    with _open_source(source, rate) as (name, own_rate, n_channels, pieces):
        if channels is None and n_channels > 1:
            channels = mixed_channels(source, rate=rate)
        yield from _convert(pieces, name, own_rate, channels)


def _convert(
    pieces: Iterator[Samples], name: str, rate: float, channels: tuple[int, ...] | None
) -> Iterator[Samples]:
    """Pieces ``(n, n_channels)`` as mono pieces at 16 kHz.

    Raises
    ------
    AudioError
        When not one sample comes out.
    """
    mono = _mix(pieces, name, rate, channels)
    n_samples = 0
    for piece in mono if rate == SAMPLE_RATE else _resample(mono, rate):
        n_samples += len(piece)
        yield piece
    if not n_samples:
        raise AudioError(f"{name}: 0 samples; record or export it again")


def _mix(
    pieces: Iterator[Samples], name: str, rate: float, channels: tuple[int, ...] | None
) -> Iterator[Samples]:
    """The mean of some channels, or of all, in pieces ``(n,)``; refuses samples that are not finite."""
    n_samples = 0
    for piece in pieces:
        if channels is not None and max(channels) > piece.shape[1]:
            raise AudioError(
                f"{name}: has {piece.shape[1]} channels, no channel {max(channels)}; choose another"
            )
        chosen = piece
        if channels is not None and channels != tuple(range(1, piece.shape[1] + 1)):
            chosen = piece[:, [number - 1 for number in channels]]
        with np.errstate(invalid="ignore", over="ignore"):
            mono = chosen[:, 0] if chosen.shape[1] == 1 else chosen.mean(axis=1)
        finite = np.isfinite(mono)
        if not finite.all():
            first = int(np.argmin(finite))
            seconds = (n_samples + first) / rate
            raise AudioError(f"{name}: the sample at {seconds:.3f} s is {mono[first]}; export it again")
        n_samples += len(mono)
        yield np.ascontiguousarray(mono)


def _resample(pieces: Iterator[Samples], rate: float) -> Iterator[Samples]:
    """Pieces at any rate as pieces at 16 kHz."""
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
    for piece in pieces:
        yield resampler.resample_chunk(piece)
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _array_pieces(samples: NDArray[Any]) -> Iterator[Samples]:
    """An array in pieces ``(n, n_channels)`` of float32 within -1..1 when it holds integers.

    Raises
    ------
    ValueError
        When its shape or type is not that of samples.
    """
    table = samples[:, None] if samples.ndim == 1 else samples
    if table.ndim != 2 or table.shape[1] == 0 or table.shape[1] > max(table.shape[0], 1):
        raise ValueError(f"samples have shape (n_samples,) or (n_samples, n_channels), got {samples.shape}")
    if samples.dtype.kind not in "fiu":
        raise ValueError(f"samples are floats or integers, got {samples.dtype}")

    def pieces() -> Iterator[Samples]:
        for start in range(0, len(table), PIECE):
            piece = table[start : start + PIECE]
            if piece.dtype.kind != "f":
                full_scale = 2.0 ** (8 * piece.dtype.itemsize - 1)
                piece = piece / full_scale - (piece.dtype.kind == "u")  # unsigned: half scale is silence
            with np.errstate(over="ignore"):  # beyond float32 is inf, and told as that
                yield piece.astype(np.float32)

    return pieces()
