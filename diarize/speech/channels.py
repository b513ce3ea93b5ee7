"""Recordings in which each channel is one speaker: the speech of every channel, without cross-talk.

::

    channel 1   |==speech==|   . leak .        |==speech==|
    channel 2    . leak .      |==speech==|        |=speech=|
    turns       |=====1====|   |=====2====|    |=====1====|
                                                   |====2===|
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples, Source, count_channels, stream_audio
from diarize.audio.kept import KeptBlocks
from diarize.audio.progress import Hook, report_blocks
from diarize.config import ChannelsConfig, Config, EmbeddingConfig, SpeechConfig
from diarize.errors import AudioError
from diarize.segments import Segment, Turn, close_pauses, crop, drop_short_turns, join_segments
from diarize.speech.channel_options import name_channels
from diarize.speech.crosstalk import HOP, BandPowers, find_crosstalk, own_frames, to_decibels
from diarize.speech.detect import any_probabilities
from diarize.speech.hysteresis import Hysteresis, Probabilities
from diarize.speech.windows import sliding_windows

HOP_LENGTH = HOP / SAMPLE_RATE
"""Seconds from one frame of levels to the next."""

_REACH = 20  # frames by which levels may move the start and the end of speech
_SOUND = 9.0, 40.0  # dB above the noise, dB below the speech: sound above both belongs to adjacent speech
_STILL = 45.0  # dB below the speech: quieter frames are not speech

_FAINT = -60.0  # dB; weaker cross-talk is not mentioned

_logger = logging.getLogger(__name__)


class ChannelSpeech(NamedTuple):
    """The speech of a channel's speaker."""

    channel: int
    """Counted from 1."""
    speaker: str
    segments: list[Segment]
    mixed: list[Segment]
    """Segments in which the channel also holds another channel's speaker, or only that one."""
    n_seconds: float
    """Length of the recording in seconds."""


class ChannelsHeard(NamedTuple):
    """The speech of all channels, and the reason for the number of speakers."""

    speech: list[ChannelSpeech]
    reason: str


class _Heard(NamedTuple):
    """The probabilities and levels of one channel."""

    probabilities: Probabilities
    """(n,), of speech."""
    frame_length: float
    """Seconds from one probability to the next."""
    powers: NDArray[np.float32]
    """Powers of the bands, (n_frames, n_bands), every 10 ms."""
    n_seconds: float


def hear_channels(
    source: Source,
    track: int | None,
    names: Sequence[str] | None,
    recording: str,
    config: Config,
    given: list[Segment] | None,
    hook: Hook,
) -> ChannelsHeard:
    """`find_channel_speech` of a resolved source. `hook` gets the seconds heard.

    Raises
    ------
    AudioError
        If the recording cannot be read, has one channel, has not a name for each channel, or two channels
        carry the same signal.
    """
    names = name_channels(count_channels(source, track=track), names, recording)

    def open_channel(number: int) -> Iterator[Samples]:
        return report_blocks(stream_audio(source, channel=number, track=track), "hear", hook)

    return find_channel_speech(open_channel, names, recording, config.speech, config.channels, given)


def find_channel_speech(
    open_channel: Callable[[int], Iterator[Samples]],
    names: Sequence[str],
    recording: str,
    speech: SpeechConfig,
    channels: ChannelsConfig,
    given: list[Segment] | None = None,
) -> ChannelsHeard:
    """The speech of each channel's own speaker.

    Parameters
    ----------
    open_channel : callable
        Returns the blocks of samples at 16 kHz of a channel, counted from 1.
    names : sequence of str
        The speaker of each channel.
    recording : str
        Id for messages.
    speech, channels : SpeechConfig, ChannelsConfig
    given : list of Segment, optional
        Known speech of the recording; no speaker speaks outside it.

    Raises
    ------
    AudioError
        If a channel cannot be read, or two carry the same signal.
    """
    heard = [_hear(open_channel(number), speech) for number in range(1, len(names) + 1)]
    n_frames = min(len(each.powers) for each in heard)
    powers = np.stack([each.powers[:n_frames] for each in heard], axis=1)  # (n_frames, n_channels, n_bands)
    whole = np.asarray(10 * np.log10(np.maximum(powers.sum(axis=2), 1e-12)), np.float32)
    levels = to_decibels(powers)
    del powers
    found = find_crosstalk(levels)
    for i, j, decibels in found.copies:
        raise AudioError(
            f"{recording}: channels {i + 1} and {j + 1} carry one signal ({abs(decibels):.1f} dB apart), "
            "not a speaker each; leave --channels out"
        )
    for i, j, decibels in found.close:
        _logger.warning(
            "%s: channels %d and %d are %.1f dB apart, too little to distinguish their speakers; "
            "without --channels they are distinguished by their voices",
            *(recording, i + 1, j + 1, decibels),
        )
    if channels.crosstalk:
        own, mixed = own_frames(levels, found, channels.margin)
    else:
        own, mixed = np.ones(whole.shape, bool), np.zeros(whole.shape, bool)
    result = []
    for i, each in enumerate(heard):
        segments = _segments(each, whole[:, i], own[:, i], speech)
        if given is not None:
            segments = [turn.segment for turn in crop((Turn("", s, "") for s in segments), given)]
        result.append(ChannelSpeech(i + 1, names[i], segments, _runs(mixed[:, i]), each.n_seconds))
    _warn_of_silence(result, recording)
    leaks = {
        (i, j): found.leak(i, j)
        for i, j in np.ndindex(len(names), len(names))
        if i != j and result[j].segments and found.leak(i, j) > _FAINT
    }
    return ChannelsHeard(result, _explain(result, leaks if channels.crosstalk else {}))


def embed_channels(
    embed: Callable[[Iterable[Samples], list[Segment], list[Segment]], NDArray[np.float32]],
    source: Source,
    track: int | None,
    speech: Sequence[ChannelSpeech],
    config: EmbeddingConfig,
    whole: bool = False,
) -> tuple[list[Segment], NDArray[np.float32], list[str]]:
    """Windows of each channel's speech, sorted by start, with embeddings (n, dim) and speakers.

    Or one row for each channel. `embed` gives the embeddings of windows over a channel's blocks, without
    mixed segments.
    """
    rows: list[tuple[Segment, str, NDArray[np.float32]]] = []
    width = 0
    for each in speech:
        windows = sorted(sliding_windows(each.segments, config.window, config.hop))
        blocks = KeptBlocks(partial(stream_audio, source, channel=each.channel, track=track))
        vectors = embed(blocks, windows, each.mixed)
        width = vectors.shape[1]
        if whole and windows:
            mean = vectors.mean(axis=0, keepdims=True)
            windows, vectors = [Segment(0.0, each.n_seconds)], mean / np.linalg.norm(mean)
        rows += [(window, each.speaker, row) for window, row in zip(windows, vectors, strict=True)]
    rows.sort(key=lambda row: row[0])
    table = np.array([row for *_, row in rows], np.float32).reshape(-1, width)
    return [window for window, *_ in rows], table, [speaker for _, speaker, _ in rows]


def channel_turns(
    speech: Sequence[ChannelSpeech], recording: str, min_turn: float, min_gap: float
) -> list[Turn]:
    """The turns of the channels' speakers, after the settings for short turns and pauses are applied."""
    turns = [Turn(recording, segment, each.speaker) for each in speech for segment in each.segments]
    return sorted(close_pauses(drop_short_turns(turns, min_turn), min_gap))


def _warn_of_silence(speech: Sequence[ChannelSpeech], recording: str) -> None:
    silent = [each.channel for each in speech if not each.segments]
    if len(silent) == len(speech):
        _logger.warning("%s: no speech was found", recording)
        return
    for channel in silent:
        _logger.warning("%s: channel %d holds no speech of its own; it is not a speaker", recording, channel)


def _hear(blocks: Iterator[Samples], config: SpeechConfig) -> _Heard:
    """The probabilities and levels of a channel, by one pass over its samples."""
    bands = BandPowers()
    probabilities, frame_length, n_seconds = any_probabilities(bands.listen(blocks), config)
    return _Heard(probabilities, frame_length, bands.powers, n_seconds)


def _segments(
    heard: _Heard, level: NDArray[np.float32], own: NDArray[np.bool_], config: SpeechConfig
) -> list[Segment]:
    """The speech in a channel's own frames (n_frames,); the levels (n_frames,) in dB give its edges."""
    if not len(level):
        return []
    index = (np.arange(len(heard.probabilities) + 1) * heard.frame_length / HOP_LENGTH).round().astype(int)
    counts = np.concatenate([[0], np.cumsum(own)])
    first, last = np.minimum(index[:-1], len(own) - 1), np.clip(index[1:], 1, len(own))
    share = (counts[last] - counts[first]) / np.maximum(last - first, 1)
    probabilities = np.where(share >= 0.5, heard.probabilities, 0)
    unpadded = config.model_copy(update={"padding": 0.0})
    found = Hysteresis.of(unpadded).segments(probabilities, heard.frame_length, heard.n_seconds)
    inside = np.zeros(len(level), bool)
    for segment in found:
        inside[round(segment.start / HOP_LENGTH) : round(segment.end / HOP_LENGTH)] = True
    if not inside.any():
        return found
    noise, loud = np.percentile(level, 5), np.percentile(level[inside], 95)
    sound = own & (level > max(noise + _SOUND[0], loud - _SOUND[1]))
    still = level < loud - _STILL
    moved = [_move_edges(segment, sound, still, heard.n_seconds) for segment in found]
    return join_segments(moved, 0.0)


def _move_edges(
    segment: Segment, sound: NDArray[np.bool_], still: NDArray[np.bool_], n_seconds: float
) -> Segment:
    """The segment with its edges moved to the start and end of its sound, if these are near.

    ::

        sound           ####################      ###
        segment           |===================|            the detector begins late and ends late
        moved           |===================|
    """
    start = min(round(segment.start / HOP_LENGTH), len(sound) - 1)
    end = min(max(round(segment.end / HOP_LENGTH), start + 1), len(sound))
    middle = (start + end) // 2
    earlier = sound[max(0, start - _REACH) : start][::-1]
    later = still[start : min(start + _REACH, middle)]
    new_start = start - (_run_length(earlier) or -_run_length(later))
    earlier = still[max(end - _REACH, middle) : end][::-1]
    later = sound[end : end + _REACH]
    new_end = end + (_run_length(later) or -_run_length(earlier))
    if new_start >= new_end:
        return segment
    return Segment(new_start * HOP_LENGTH, min(new_end * HOP_LENGTH, n_seconds))


def _run_length(active: NDArray[np.bool_]) -> int:
    """The number of active frames before the first inactive one."""
    return len(active) if active.all() else int(np.argmin(active))


def _runs(active: NDArray[np.bool_]) -> list[Segment]:
    """The runs of active frames of levels, as segments."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]))).reshape(-1, 2)
    return [Segment(first * HOP_LENGTH, last * HOP_LENGTH) for first, last in edges.tolist()]


def _explain(speech: Sequence[ChannelSpeech], leaks: dict[tuple[int, int], float]) -> str:
    """The reason for the number of speakers: one sentence with figures."""
    speaking = [each for each in speech if each.segments]
    if not speaking:
        return "0 speakers: no speech was found"
    silent = [str(each.channel) for each in speech if not each.segments]
    reason = f"{len(speaking)} speaker{'s' * (len(speaking) != 1)}: each channel is one speaker"
    if silent:
        reason += (
            f", and channel {', '.join(silent)} {'hold' if silent[1:] else 'holds'} no speech of its own"
        )
    if leaks:
        (i, j), decibels = max(leaks.items(), key=lambda leak: leak[1])
        reason += f"; cross-talk is at most {decibels:.0f} dB, of channel {j + 1} in channel {i + 1}"
    return reason
