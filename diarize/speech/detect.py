"""Speech and overlapping speech in a recording: `hear`, for all detectors, and its two steps."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples, regroup
from diarize.audio.level import raise_level
from diarize.config import SpeechConfig
from diarize.machine.threads import own_threads
from diarize.segments import Segment, Turn, crop, join_segments
from diarize.speech.activity import OUTPUT_LENGTH, detect_activity
from diarize.speech.energy import energy_scores, log_energies
from diarize.speech.hysteresis import Hysteresis, Probabilities
from diarize.speech.local import Local, detect_local
from diarize.speech.segmenters import load_segmenter
from diarize.speech.silero import BLOCK_FRAMES, FRAME_LENGTH, FRAME_SAMPLES, cut_frames, silero_blocks

BEYOND = 1.0
"""Seconds after the end of a recording up to which given times cause no warning."""

logger = logging.getLogger(__name__)


class Heard(NamedTuple):
    """Speech in a recording: segments in seconds."""

    segments: list[Segment]
    """Segments of speech."""
    overlap: list[Segment]
    """Segments in which several speakers talk at once."""
    mixed: list[Segment]
    """Segments in which several speakers may talk at once; they are excluded from embeddings."""
    n_seconds: float
    """Length of the recording in seconds."""
    local: Local | None = None
    """The speakers of windows of some seconds; None with a detector that does not distinguish them."""

    @property
    def seconds(self) -> tuple[float, float]:
        """Seconds of speech, and seconds of mixed speech within it."""
        mixed = crop((Turn("", each, "") for each in self.mixed), self.segments)
        speech = join_segments(self.segments)
        return sum(each.duration for each in speech), sum(turn.segment.duration for turn in mixed)


class Signals(NamedTuple):
    """What the networks of a detector give for a recording, before any threshold."""

    n_seconds: float
    """Length of the recording in seconds."""
    speech: Probabilities | None = None
    """(n_frames,): probability of speech. With the detector "local" it is Silero's; None if nobody asked."""
    frame_length: float = FRAME_LENGTH
    """Seconds from one value of `speech` to the next."""
    overlap: Probabilities | None = None
    """(n_outputs,): probability of overlapping speech, every 20 ms; None if nobody asked."""
    local: Local | None = None
    """The local speakers; None with a detector that does not distinguish them."""


def hear(
    blocks: Iterable[Samples],
    config: SpeechConfig,
    given: list[Segment] | None = None,
    threads: int | None = None,
) -> Heard:
    """Speech and overlapping speech, by the detector in `config`: `listen`, then `interpret`.

    If speech is `given`, its part inside the recording is the speech, and only overlap is detected. The
    detector "energy" finds no overlap. The result does not depend on `threads`, by default torch's number.

    Raises
    ------
    ModelError
        If a network is missing.
    """
    return interpret(listen(blocks, config, given is None, threads), config, given)


def warn_beyond(recording: str, given: Iterable[Segment], n_seconds: float) -> None:
    """Warn of given times that reach beyond the end of the recording, because they may be of another one."""
    last = max((each.end for each in given), default=0.0)
    if last > n_seconds + BEYOND:
        logger.warning(
            "%s: ends at %.1f s, but the given times reach %.1f s; check that they are of this recording",
            recording,
            n_seconds,
            last,
        )


def listen(
    blocks: Iterable[Samples], config: SpeechConfig, speech: bool = True, threads: int | None = None
) -> Signals:
    """The output of the networks that `config` needs; those of speech only if `speech` is true.

    It does not depend on thresholds and durations, but that a network may not be needed.

    Raises
    ------
    ModelError
        If a network is missing.
    """
    if config.detector != "energy":
        blocks = raise_level(blocks)
    if config.detector == "local":
        silero: list[Probabilities] = []
        heard = _tap(blocks, silero) if speech and config.silero_weight > 0 else blocks
        local = detect_local(heard, load_segmenter(config.model), config.window, config.hop, threads)
        return Signals(local.n_seconds, np.concatenate(silero) if silero else None, local=local)
    overlap = min(config.overlap, config.mixed) < 1 and config.detector != "energy"
    if overlap or (speech and config.detector == "activity"):
        found = detect_activity(blocks, config.model, threads)
        if config.detector == "activity":
            return Signals(found.n_seconds, found.speech, OUTPUT_LENGTH, found.overlap)
        return Signals(found.n_seconds, found.silero, overlap=found.overlap)
    if speech:
        probabilities, n_seconds = speech_probabilities(blocks, config.detector, threads)
        return Signals(n_seconds, probabilities)
    return Signals(sum(map(len, blocks)) / SAMPLE_RATE)


def interpret(signals: Signals, config: SpeechConfig, given: list[Segment] | None = None) -> Heard:
    """Speech and overlapping speech, from the output of the networks that `config` needs.

    Parameters
    ----------
    signals : Signals
    config : SpeechConfig
        Thresholds and durations.
    given : list of Segment, optional
        Known speech.
    """
    n_seconds = signals.n_seconds
    if given is not None:
        given = _inside(given, n_seconds)
    if signals.local is not None:
        if given is None:
            return heard_of(signals.local, config, signals.speech)
        return heard_of(signals.local.within(given), config)._replace(segments=given)
    if given is not None:
        segments = given
    elif signals.speech is None:
        segments = []
    else:
        segments = Hysteresis.of(config).segments(signals.speech, signals.frame_length, n_seconds)
    if signals.overlap is None:
        return Heard(segments, [], [], n_seconds)
    several = overlap_segments(signals.overlap, n_seconds, config.overlap)
    overlap = [turn.segment for turn in crop((Turn("", each, "") for each in several), segments)]
    return Heard(segments, overlap, mixed_segments(signals.overlap, n_seconds, config.mixed), n_seconds)


def _tap(blocks: Iterable[Samples], probabilities: list[Probabilities]) -> Iterator[Samples]:
    """The samples, in blocks of one size; Silero's probabilities of their frames go to the list."""
    with silero_blocks(blocks, threads=1) as pairs:  # the network of local speakers has the other threads
        for block, heard in pairs:
            probabilities.append(heard)
            yield block


def _inside(segments: Iterable[Segment], n_seconds: float) -> list[Segment]:
    """The parts of the segments that lie inside a recording."""
    recording = Segment(0.0, n_seconds)
    return [part for segment in segments if (part := segment.intersection(recording))]


MIXED = 1.3
"""Mean number of voices in the windows that hear a frame, from which on it is excluded from embeddings."""


def heard_of(local: Local, config: SpeechConfig, silero: Probabilities | None = None) -> Heard:
    """Speech and overlap by the local speakers; overlap lies in the speech.

    Silero's probabilities (n_frames of 32 ms,) count as much as the config says, if they are given.
    """
    speech = local.mean(local.speech)
    if silero is not None and len(silero):
        middles = ((np.arange(len(speech)) + 0.5) * OUTPUT_LENGTH / FRAME_LENGTH).astype(int)
        nearest = silero[np.minimum(middles, len(silero) - 1)]
        speech = (1 - config.silero_weight) * speech + config.silero_weight * nearest
    n_voices = local.mean(local.active.sum(axis=2))

    def of(frames: NDArray[np.bool_]) -> list[Segment]:
        return Hysteresis(0.5, 0.5).segments(frames, OUTPUT_LENGTH, local.n_seconds)

    segments = Hysteresis.of(config).segments(speech, OUTPUT_LENGTH, local.n_seconds)
    overlap = [turn.segment for turn in crop((Turn("", each, "") for each in of(n_voices >= 1.5)), segments)]
    return Heard(segments, overlap, of(n_voices >= MIXED), local.n_seconds, local)


def overlap_segments(probabilities: Probabilities, n_seconds: float, threshold: float) -> list[Segment]:
    """Segments of overlap from its probabilities (n_outputs,); none with a threshold of 1."""
    shape = Hysteresis(threshold, max(threshold - 0.1, 0.01), min_speech=0.1, min_silence=0.1)
    return shape.segments(probabilities, OUTPUT_LENGTH, n_seconds) if threshold < 1 else []


def mixed_segments(probabilities: Probabilities, n_seconds: float, threshold: float) -> list[Segment]:
    """Segments of possible overlap from its probabilities, pauses not bridged; none with a threshold of 1."""
    shape = Hysteresis(threshold, max(threshold, 0.01))
    return shape.segments(probabilities, OUTPUT_LENGTH, n_seconds) if threshold < 1 else []


def speech_segments(blocks: Iterable[Samples], config: SpeechConfig | None = None) -> list[Segment]:
    """The segments of speech in a recording, in seconds; empty if there are none.

    Parameters
    ----------
    blocks : iterable of arrays
        Mono samples ``(n,)`` at 16 kHz, in blocks of any size.
    config : SpeechConfig, optional
        By default, those of Silero.

    Raises
    ------
    ModelError
        If the network of silero-vad is not installed.
    """
    config = config or SpeechConfig(detector="silero")
    return Hysteresis.of(config).segments(*any_probabilities(blocks, config))


def any_probabilities(blocks: Iterable[Samples], config: SpeechConfig) -> tuple[Probabilities, float, float]:
    """Probabilities (n_frames,) of speech, seconds of a frame and of the recording, by the config's detector.

    With the detector "local" they are Silero's.

    Raises
    ------
    ModelError
        If a network is missing.
    """
    detector = "silero" if config.detector == "local" else config.detector
    alone = config.model_copy(update={"detector": detector, "overlap": 1.0, "mixed": 1.0})
    signals = listen(blocks, alone)
    assert signals.speech is not None
    return signals.speech, signals.frame_length, signals.n_seconds


def speech_probabilities(
    blocks: Iterable[Samples], detector: str = "silero", threads: int | None = None
) -> tuple[Probabilities, float]:
    """The probability of speech in each frame of 32 ms, ``(n_frames,)``, and the seconds of the recording.

    The last frame is filled up with zeros. The result depends neither on the size of the blocks nor on
    `threads`, by default torch's number.

    Raises
    ------
    ModelError
        If the network of silero-vad is not installed.
    """
    n_samples = 0

    def counted() -> Iterator[Samples]:
        nonlocal n_samples
        for block in blocks:
            n_samples += len(block)
            yield block

    if detector == "silero":
        with silero_blocks(counted(), threads or own_threads()) as pairs:
            heard = [probabilities for _, probabilities in pairs]
        probabilities = np.concatenate([np.zeros(0, np.float32), *heard])
    elif detector == "energy":
        regrouped = regroup(counted(), BLOCK_FRAMES * FRAME_SAMPLES)
        probabilities = energy_scores(log_energies(map(cut_frames, regrouped)))
    else:
        raise ValueError(f"detector is 'silero' or 'energy', got {detector!r}")
    return probabilities, n_samples / SAMPLE_RATE
