"""Any recording as mono float32 samples at 16 kHz, in bounded memory.

::

    file --decoder--> (n, n_channels), own rate --channel or mean--> (n,) --resampler--> 16 kHz --> blocks

If the mean of all channels would lose sound, fewer are mixed (``mixing.py``). A recording with several
channels is read one more time to find out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path

import numpy as np
import soxr

from diarize.audio.arrays import AudioArray
from diarize.audio.channel_levels import group_samples
from diarize.audio.decoders import AudioInfo, Samples, open_audio
from diarize.audio.mixing import MOST_CHANNELS, choose_channels
from diarize.audio.sources import AudioFile, Source, resolve_source
from diarize.audio.tracks import check_track
from diarize.errors import AudioError
from diarize.files.folders import find_files
from diarize.segments import normal_name

SAMPLE_RATE = 16000
"""Rate in Hz of all samples that this module gives."""

LARGEST = 1e10
"""Largest sample, above the full scale of 32 bits (2e9); the square of a much larger one overflows."""

_SUFFIXES = """
.wav .wave .flac .ogg .oga .opus .mp3 .m4a .m4b .mp4 .mov .mkv .mka .webm .wma .aac .amr .3gp
.sph .nist .aif .aiff .aifc .au .snd .caf .w64 .rf64 .spx .ogx .mp2 .ac3 .eac3 .wv .avi .m4v .3g2 .wmv .asf
.ogv .flv .mpg .mpeg .ts .mts .m2ts
"""
AUDIO_SUFFIXES = frozenset(_SUFFIXES.split())
"""Suffixes by which `find_audio` recognises a recording."""


Channel = int | tuple[int, ...]
"""A channel, counted from 1, or several channels, whose mean is taken."""


def load_audio(
    source: Source, *, rate: float | None = None, channel: Channel | None = None, track: int | None = None
) -> Samples:
    """A whole recording, shape ``(n_samples,)``. Parameters and errors are those of `stream_audio`.

    Examples
    --------
    >>> load_audio(np.zeros((8000, 2), np.float32), rate=8000).shape  # one second in stereo
    (16000,)
    """
    return np.concatenate(list(stream_audio(source, rate=rate, channel=channel, track=track)))


def stream_audio(
    source: Source,
    *,
    rate: float | None = None,
    channel: Channel | None = None,
    track: int | None = None,
    block: float = 30.0,
) -> Iterator[Samples]:
    """The blocks of a recording, mono at 16 kHz. Joined, they equal the result of `load_audio` bit by bit.

    If a file ends or breaks off early, its remaining content is read, with a warning in the log.

    Parameters
    ----------
    source : path, file, bytes, array, tensor or mapping
        A file: its path, its content, or the open file. Or samples ``(n_samples,)`` or ``(n_samples,
        n_channels)``; a tensor may also be ``(n_channels, n_samples)``. docs/audio.md describes each type.
    rate : float, optional
        Hz; required for an array, not allowed for a file.
    channel : int or tuple of int, optional
        Counted from 1. The mean of several channels is taken; by default, of `mixed_channels`.
    track : int, optional
        Audio track, counted from 1; by default, the one that the file marks as default.
    block : float
        Length of a block in seconds; the last block may be shorter.

    Raises
    ------
    AudioError
        If the file cannot be read, has no samples, no such channel or track, or a sample is not finite or
        absurdly large.
    TypeError
        If the source is of a type that cannot hold a recording.
    ValueError
        If rate, channel, track, block or the array's shape or type is impossible.
    """
    block_samples = round(block * SAMPLE_RATE)
    if block_samples < 1:
        raise ValueError(f"a block needs at least one sample, got block={block!r} seconds")
    numbers = channel if channel is None or isinstance(channel, tuple) else (channel,)
    if any(isinstance(each, bool) or not isinstance(each, Integral) for each in numbers or ()):
        raise TypeError(f"a channel is a number, got channel={channel!r}")
    if numbers is not None and min(numbers, default=0) < 1:
        raise ValueError(f"channels count from 1, got channel={channel!r}")
    return regroup(_mono_pieces(_resolve(source, rate, track), numbers, track), block_samples)


def mixed_channels(source: Source, *, rate: float | None = None, track: int | None = None) -> tuple[int, ...]:
    """The channels, counted from 1, whose mean is the mono signal: all, unless their mean would lose sound.

    Parameters and errors are those of `stream_audio`, which calls this function if no channel is given. A
    recording with one channel, or more than 32, is not read: all its channels are mixed.
    """
    with _open_source(_resolve(source, rate, track), track) as (name, own_rate, n_channels, pieces):
        if n_channels == 1 or n_channels > MOST_CHANNELS:
            return tuple(range(1, n_channels + 1))
        return choose_channels(regroup(pieces, group_samples(own_rate)), own_rate, name)


def count_channels(source: Source, *, rate: float | None = None, track: int | None = None) -> int:
    """The number of channels of a source. Parameters and errors are those of `stream_audio`."""
    with _open_source(_resolve(source, rate, track), track) as (_, _, n_channels, _):
        return n_channels


def regroup(blocks: Iterable[Samples], n_samples: int) -> Iterator[Samples]:
    """The same samples in blocks of ``n_samples`` each; the last block may be shorter and is never empty.

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
    """The id of a recording: the file's name without suffix, with underscores for blanks.

    In Unicode's normal form C, whatever form the file system uses.
    """
    return normal_name(re.sub(r"\s", "_", Path(path).stem))


def source_id(source: AudioFile | AudioArray) -> str:
    """The id of a resolved source: the given one, or `recording_id` of its file, otherwise "recording"."""
    if source.recording is not None:
        return normal_name(re.sub(r"\s", "_", source.recording))
    file = source.file if isinstance(source, AudioFile) else None
    return "recording" if file is None else recording_id(file)


def find_audio(folder: str | os.PathLike[str]) -> list[Path]:
    """The recordings in a folder and its subfolders, sorted. Folders are searched as by `find_files`.

    Raises
    ------
    AudioError
        If there is no such folder or no recording in it.
    DiarizeError
        If the folder cannot be read.
    """
    if not Path(folder).is_dir():
        what = "a file; give its folder" if Path(folder).exists() else "no such folder; check the path"
        raise AudioError(f"{os.fspath(folder)}: {what}")
    found = [path for path in find_files(folder) if path.suffix.lower() in AUDIO_SUFFIXES]
    if not found:
        raise AudioError(f"{os.fspath(folder)}: no audio files; looked for {' '.join(_SUFFIXES.split())}")
    return found


def recordings_by_id(folder: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """The recordings in a folder by their ids. Errors are those of `find_audio`."""
    found: dict[str, list[Path]] = {}
    for path in find_audio(folder):
        found.setdefault(recording_id(path), []).append(path)
    return found


def audio_info(source: Source, *, track: int | None = None) -> AudioInfo:
    """Decoder, rate, channels and duration of a file, from its header.

    Raises
    ------
    AudioError
        If the file cannot be opened as audio.
    """
    resolved = resolve_source(source)
    if not isinstance(resolved, AudioFile):
        raise TypeError("an array has no header; give a file")
    with open_audio(resolved, track) as (info, _):
        return info


def _resolve(source: Source, rate: float | None, track: int | None) -> AudioFile | AudioArray:
    """A source that can be opened. Raises an error if a rate, track, shape or type is impossible."""
    if track is not None and track < 1:
        raise ValueError(f"audio tracks count from 1, got track={track!r}")
    resolved = resolve_source(source, rate)
    if track is not None and isinstance(resolved, AudioArray):
        check_track("array", track, 1)
    return resolved


@contextmanager
def _open_source(
    source: AudioFile | AudioArray, track: int | None
) -> Iterator[tuple[str, float, int, Iterator[Samples]]]:
    """Name, rate, number of channels and pieces ``(n, n_channels)`` of a source, open inside the block."""
    if isinstance(source, AudioArray):
        yield "array", source.rate, source.samples.shape[1], source.pieces()
    else:
        with open_audio(source, track) as (info, pieces):
            yield source.name, info.rate, info.n_channels, pieces


def _mono_pieces(
    source: AudioFile | AudioArray, channels: tuple[int, ...] | None, track: int | None
) -> Iterator[Samples]:
    """The samples of a source, mono at 16 kHz."""
    with _open_source(source, track) as (name, own_rate, n_channels, pieces):
        if channels is None and n_channels > 1:
            channels = mixed_channels(source, track=track)
        yield from convert(pieces, name, own_rate, channels)


def convert(
    pieces: Iterator[Samples], name: str, rate: float, channels: tuple[int, ...] | None
) -> Iterator[Samples]:
    """Pieces ``(n, n_channels)`` as mono pieces at 16 kHz.

    Raises
    ------
    AudioError
        If there are no samples.
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
    """The mean of some or all channels, in pieces ``(n,)``; an impossible sample is an error."""
    n_samples = 0
    for piece in pieces:
        if channels is not None and max(channels) > piece.shape[1]:
            has = f"has {piece.shape[1]} channel{'s' * (piece.shape[1] > 1)}"
            raise AudioError(f"{name}: {has}, no channel {max(channels)}; choose another")
        chosen = piece
        if channels is not None and channels != tuple(range(1, piece.shape[1] + 1)):
            chosen = piece[:, [number - 1 for number in channels]]
        with np.errstate(invalid="ignore", over="ignore"):
            mono = chosen[:, 0] if chosen.shape[1] == 1 else chosen.mean(axis=1)
        possible = np.abs(mono) <= LARGEST  # False for nan
        if not possible.all():
            first = int(np.argmin(possible))
            seconds = (n_samples + first) / rate
            raise AudioError(f"{name}: the sample at {seconds:.3f} s is {mono[first]:g}; export it again")
        n_samples += len(mono)
        yield np.ascontiguousarray(mono)


def _resample(pieces: Iterator[Samples], rate: float) -> Iterator[Samples]:
    """Pieces at any rate as pieces at 16 kHz."""
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
    for piece in pieces:
        yield resampler.resample_chunk(piece)
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
