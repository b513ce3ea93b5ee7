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
from numbers import Integral
from pathlib import Path

import numpy as np
import soxr

from diarize.audio.arrays import AudioArray
from diarize.audio.containers import check_track
from diarize.audio.decoders import AudioInfo, Samples, open_audio
from diarize.audio.mixing import MOST_CHANNELS, choose_channels, group_samples
from diarize.audio.sources import AudioFile, Source, resolve_source
from diarize.errors import AudioError
from diarize.files.folders import find_files
from diarize.segments import normal_name

SAMPLE_RATE = 16000
"""Samples a second that everything behind this module sees."""

_SUFFIXES = """
.wav .wave .flac .ogg .oga .opus .mp3 .m4a .m4b .mp4 .mov .mkv .mka .webm .wma .aac .amr .3gp
.sph .nist .aif .aiff .aifc .au .snd .caf .w64 .rf64 .spx .ogx .mp2 .ac3 .eac3 .wv .avi .m4v .3g2 .wmv .asf
.ogv .flv .mpg .mpeg .ts .mts .m2ts
"""
AUDIO_SUFFIXES = frozenset(_SUFFIXES.split())
"""Suffixes by which `find_audio` knows a recording."""


Channel = int | tuple[int, ...]
"""A channel, counted from 1, or several whose mean is taken."""


def load_audio(
    source: Source, *, rate: float | None = None, channel: Channel | None = None, track: int | None = None
) -> Samples:
    """A whole recording, shape ``(n_samples,)``; parameters and errors are those of `stream_audio`.

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
    """Blocks of a recording; joined they are bit by bit what `load_audio` gives.

    A file that ends or breaks early gives what it holds, with a warning in the log.

    Parameters
    ----------
    source : path, file, bytes, array, tensor or mapping
        A file by its path, its content or opened; or samples ``(n_samples,)`` or ``(n_samples, n_channels)``,
        of a tensor also ``(n_channels, n_samples)``. docs/audio.md says what becomes of each.
    rate : float, optional
        Hz; needed with an array and only there.
    channel : int or tuple of int, optional
        Counts from 1; of several the mean is taken, without it that of `mixed_channels`.
    track : int, optional
        Audio track of a file with several, from 1; without it the one that the file marks as default.
    block : float
        Seconds a block; the last one may be shorter.

    Raises
    ------
    AudioError
        When the file cannot be read, has no samples, not that channel or track, or a sample is not finite.
    TypeError
        When the source is nothing that holds a recording.
    ValueError
        When rate, channel, track, block or the array's shape or type is impossible.
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
    """The channels, from 1, whose mean is the recording: all but those by which the mean would lose sound.

    Parameters, errors and the rest are those of `stream_audio`, which asks this where no channel is given. A
    recording with one channel, or more than 32, is not read for it.
    """
    with _open_source(_resolve(source, rate, track), track) as (name, own_rate, n_channels, pieces):
        if n_channels == 1 or n_channels > MOST_CHANNELS:
            return tuple(range(1, n_channels + 1))
        return choose_channels(regroup(pieces, group_samples(own_rate)), own_rate, name)


def count_channels(source: Source, *, rate: float | None = None, track: int | None = None) -> int:
    """How many channels a source has; parameters and errors are those of `stream_audio`."""
    with _open_source(_resolve(source, rate, track), track) as (_, _, n_channels, _):
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
    """The name of a recording in RTTM: the file's name without suffix, blanks turned to underscores.

    In Unicode's normal form C, whatever the file system has.
    """
    return normal_name(re.sub(r"\s", "_", Path(path).stem))


def source_id(source: AudioFile | AudioArray) -> str:
    """The id of a resolved source: the given one, or `recording_id` of its file, otherwise "recording"."""
    if source.recording is not None:
        return normal_name(re.sub(r"\s", "_", source.recording))
    file = source.file if isinstance(source, AudioFile) else None
    return "recording" if file is None else recording_id(file)


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


def audio_info(source: Source, *, track: int | None = None) -> AudioInfo:
    """Decoder, rate, channels and duration of a file, from its header.

    Raises
    ------
    AudioError
        When the file cannot be opened as audio.
    """
    resolved = resolve_source(source)
    if not isinstance(resolved, AudioFile):
        raise TypeError("an array has no header; give a file")
    with open_audio(resolved, track) as (info, _):
        return info


def _resolve(source: Source, rate: float | None, track: int | None) -> AudioFile | AudioArray:
    """A source that can be opened; raises the errors of a rate, track, shape or type that is impossible."""
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
    """Name, rate, number of channels and samples ``(n, n_channels)`` of a source, open while read."""
    if isinstance(source, AudioArray):
        yield "array", source.rate, source.samples.shape[1], source.pieces()
    else:
        with open_audio(source, track) as (info, pieces):
            yield source.name, info.rate, info.n_channels, pieces


def _mono_pieces(
    source: AudioFile | AudioArray, channels: tuple[int, ...] | None, track: int | None
) -> Iterator[Samples]:
    """A source's samples, mono at 16 kHz."""
    with _open_source(source, track) as (name, own_rate, n_channels, pieces):
        if channels is None and n_channels > 1:
            channels = mixed_channels(source, track=track)
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
