"""Any recording as mono float32 samples at 16 kHz, in bounded memory.

::

    file --decoder--> (n, n_channels), own rate --channel or mean--> (n,) --resampler--> 16 kHz --> blocks
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from diarize.decoders import PIECE, AudioInfo, Samples, open_audio
from diarize.errors import AudioError
from diarize.folders import find_files
from diarize.segments import normal_name

__all__ = [
    "AUDIO_SUFFIXES",
    "SAMPLE_RATE",
    "AudioInfo",
    "Samples",
    "Source",
    "audio_info",
    "find_audio",
    "load_audio",
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


def load_audio(source: Source, *, rate: float | None = None, channel: int | None = None) -> Samples:
    """A whole recording, shape ``(n_samples,)``; parameters and errors are those of `stream_audio`."""
    return np.concatenate(list(stream_audio(source, rate=rate, channel=channel)))


def stream_audio(
    source: Source, *, rate: float | None = None, channel: int | None = None, block: float = 30.0
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
    channel : int, optional
        Counts from 1; without it the channels' mean.
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
    if channel is not None and channel < 1:
        raise ValueError(f"channels count from 1, got channel={channel!r}")
    if isinstance(source, np.ndarray):
        if rate is None or not 0 < rate < float("inf"):
            raise ValueError(f"an array needs its rate in Hz, got rate={rate!r}")
        pieces = _convert(_array_pieces(source), "array", rate, channel)
    else:
        if rate is not None:
            raise ValueError(f"a file knows its own rate, got rate={rate!r}")
        pieces = _file_pieces(source, channel)
    return regroup(pieces, block_samples)


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
    """The name of a recording in RTTM: the file's name without suffix, blanks turned to underscores.

    In Unicode's normal form C, whatever the file system has.
    """
    return normal_name(re.sub(r"\s", "_", Path(path).stem))


def source_id(source: Source) -> str:
    """The name of a source: `recording_id` of a file, "recording" for an array."""
    return "recording" if isinstance(source, np.ndarray) else recording_id(source)


def find_audio(folder: str | os.PathLike[str]) -> list[Path]:
    """The recordings in a folder and below, sorted; which files are looked at: `find_files`.

    Raises
    ------
    AudioError
        When there is no such folder or no recording in it.
    DiarizeError
        When the folder cannot be read.
    """
    if not Path(folder).is_dir():
        raise AudioError(f"{os.fspath(folder)}: no such folder; check the path")
    found = [path for path in find_files(folder) if path.suffix.lower() in AUDIO_SUFFIXES]
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


def _file_pieces(source: str | os.PathLike[str], channel: int | None) -> Iterator[Samples]:
    """A file's samples, mono at 16 kHz; the file is open while they are read."""
    name = os.fspath(source)
    with open_audio(name) as (info, pieces):
        yield from _convert(pieces, name, info.rate, channel)


def _convert(pieces: Iterator[Samples], name: str, rate: float, channel: int | None) -> Iterator[Samples]:
    """Pieces ``(n, n_channels)`` as mono pieces at 16 kHz.

    Raises
    ------
    AudioError
        When not one sample comes out.
    """
    mono = _mix(pieces, name, rate, channel)
    n_samples = 0
    for piece in mono if rate == SAMPLE_RATE else _resample(mono, rate):
        n_samples += len(piece)
        yield piece
    if not n_samples:
        raise AudioError(f"{name}: 0 samples; record or export it again")


def _mix(pieces: Iterator[Samples], name: str, rate: float, channel: int | None) -> Iterator[Samples]:
    """One channel, or the mean of all, in pieces ``(n,)``; refuses samples that are not finite."""
    n_samples = 0
    for piece in pieces:
        if channel is not None and channel > piece.shape[1]:
            raise AudioError(f"{name}: has {piece.shape[1]} channels, no channel {channel}; choose another")
        with np.errstate(invalid="ignore", over="ignore"):
            mono = piece.mean(axis=1) if channel is None else piece[:, channel - 1]
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
                narrow = piece.astype(np.float32)
            yield narrow

    return pieces()
