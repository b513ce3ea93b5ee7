"""Where there is speech: the Silero network over a stream of samples, or energy alone.

A detector gives every frame of 32 ms a probability of speech; a hysteresis turns those into segments.

References
----------
Silero Team, "Silero VAD: pre-trained enterprise-grade voice activity detector", 2024,
https://github.com/snakers4/silero-vad.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples, regroup
from diarize.config import SpeechConfig
from diarize.errors import ModelError
from diarize.machine.sessions import open_session
from diarize.segments import Segment

FRAME_SAMPLES = 512
FRAME_LENGTH = FRAME_SAMPLES / SAMPLE_RATE
"""Seconds a frame: 0.032."""

_CONTEXT_SAMPLES = 64  # of the frame before, which the network sees in front of each frame
BLOCK_FRAMES = 512  # frames a call of a detector: 16.4 s
_ROUNDING = 1e-9  # seconds; sums of frames are not exact

Probabilities = NDArray[np.float32]


def speech_segments(blocks: Iterable[Samples], config: SpeechConfig | None = None) -> list[Segment]:
    """Speech in a recording that comes block by block, in seconds; empty when there is none.

    Parameters
    ----------
    blocks : iterable of arrays
        Mono samples ``(n,)`` at 16 kHz, in blocks of any size.
    config : SpeechConfig, optional
        Of the detector "silero" (the default here) or "energy"; "activity" is for ``activity.find_speech``.

    Raises
    ------
    ModelError
        When the network of silero-vad is not installed.
    """
    config = config or SpeechConfig(detector="silero")
    probabilities, n_seconds = speech_probabilities(blocks, config.detector)
    return segments_from_probabilities(probabilities, FRAME_LENGTH, n_seconds, config)


def speech_probabilities(blocks: Iterable[Samples], detector: str = "silero") -> tuple[Probabilities, float]:
    """Probability of speech in each frame of 32 ms, ``(n_frames,)``, and the seconds heard.

    The last frame is filled up with zeros. How the recording is cut into blocks changes nothing.

    Raises
    ------
    ModelError
        When the network of silero-vad is not installed.
    """
    n_samples = 0

    def frames() -> Iterator[Samples]:
        nonlocal n_samples
        for block in regroup(blocks, BLOCK_FRAMES * FRAME_SAMPLES):
            n_samples += len(block)
            yield cut_frames(block)

    if detector == "silero":
        probabilities = np.concatenate([np.zeros(0, np.float32), *map(Silero(), frames())])
    elif detector == "energy":
        probabilities = energy_scores(_log_energies(frames()))
    else:
        raise ValueError(f"detector is 'silero' or 'energy', got {detector!r}")
    return probabilities, n_samples / SAMPLE_RATE


def segments_from_probabilities(
    probabilities: NDArray[Any], frame_length: float, n_seconds: float, config: SpeechConfig
) -> list[Segment]:
    """Segments of speech from the probabilities of frames, by hysteresis.

    ::

        p >= threshold                 ####     ###                           ##
        p >= threshold - release      ######  ######          ###            ####
                                            ^^ short dip      ^^^ no speech: never reaches threshold
        speech                         #############                          ###
        with padding                 ++#############++                      ++###++

    Speech begins where the probability reaches ``threshold`` (where none is given, the detector's own). It
    ends where the probability falls below ``threshold - release`` (at least 0.01) and stays there for
    ``min_silence``. Speech shorter than ``min_speech`` is dropped; the rest grows by ``padding`` on both
    sides, joins where it meets and is clipped to the recording.

    Parameters
    ----------
    probabilities : array, shape (n_frames,)
    frame_length : float
        Seconds from one frame to the next.
    n_seconds : float
        Duration of the recording.
    """
    low = max(config.onset - config.release, 0.01)
    runs = _runs(np.asarray(probabilities) >= low)
    silences = (runs[1:, 0] - runs[:-1, 1]) * frame_length
    breaks = np.flatnonzero(silences >= config.min_silence - _ROUNDING) + 1
    segments: list[Segment] = []
    for group in np.split(runs, breaks) if len(runs) else []:
        first, last = int(group[0, 0]), int(group[-1, 1])
        reached = np.flatnonzero(probabilities[first:last] >= config.onset)
        if not len(reached):
            continue
        start = (first + int(reached[0])) * frame_length
        end = min(last * frame_length, n_seconds)
        if end - start < config.min_speech - _ROUNDING:
            continue
        start, end = max(start - config.padding, 0.0), min(end + config.padding, n_seconds)
        if segments and start <= segments[-1].end + _ROUNDING:
            start = segments.pop().start
        segments.append(Segment(start, end))
    return segments


def energy_scores(log_energies: NDArray[Any]) -> Probabilities:
    """Scores within 0..1 that frames hold speech, from their energies alone.

    With the floor n and the peak s, the 10th and 95th percentile of the energies above digital silence
    (-90 dB), and m halfway between them but at least 9 dB over the floor::

        m = n + max(9 dB, (s - n) / 2)
        score(e) = 1 / (1 + exp(-(e - m) / 2 dB))

    so that steady noise, which stays within 1 dB of its floor, scores below 0.02. It hears loud sound, not
    speech: meant for quiet rooms and for tests without a network.

    Parameters
    ----------
    log_energies : array, shape (n_frames,)
        dB.
    """
    heard = log_energies[log_energies > -90.0]
    if not len(heard):
        return np.zeros(len(log_energies), np.float32)
    floor, peak = np.percentile(heard, [10, 95])
    middle = floor + max(9.0, (peak - floor) / 2)
    exponent = np.clip((log_energies - middle) / 2.0, -50, 50)
    return np.asarray(1 / (1 + np.exp(-exponent)), np.float32)


def _log_energies(blocks: Iterable[Samples]) -> NDArray[np.float64]:
    """Energy of each frame in dB of full scale, its DC removed: 10 log10(var + 1e-12)."""
    energies = [10 * np.log10(frames.var(axis=1, dtype=np.float64) + 1e-12) for frames in blocks]
    return np.concatenate([np.zeros(0), *energies])


def cut_frames(block: Samples) -> NDArray[np.float32]:
    """Samples (n,) as frames (n_frames, 512), the last one filled up with zeros."""
    return np.pad(block, (0, -len(block) % FRAME_SAMPLES)).reshape(-1, FRAME_SAMPLES)


class Silero:
    """Silero's network; its memory (h, c) and the context pass from call to call."""

    def __init__(self) -> None:
        self._hidden = np.zeros((1, 1, 128), np.float32)
        self._cell = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros((1, _CONTEXT_SAMPLES), np.float32)

    def __call__(self, frames: NDArray[np.float32]) -> Probabilities:
        """Probabilities (n,) of speech in the frames (n, 512) that follow those of the call before."""
        before = np.concatenate([self._context, frames[:-1, -_CONTEXT_SAMPLES:]])
        inputs = {"input": np.concatenate([before, frames], axis=1), "h": self._hidden, "c": self._cell}
        values, self._hidden, self._cell = _silero_session().run(["speech_probs", "hn", "cn"], inputs)
        self._context = frames[-1:, -_CONTEXT_SAMPLES:]
        return np.asarray(values, np.float32).reshape(-1)


@cache
def _silero_session() -> Any:
    """The network, on one thread. Its file is found without importing silero_vad, which would load torch."""
    package = find_spec("silero_vad")
    folder = Path(package.origin).parent if package and package.origin else Path()
    path = folder / "data" / "silero_vad_16k_sequence.onnx"
    if not package or not path.is_file():
        raise ModelError(
            "the speech network is missing; pip install 'silero-vad>=6.2.3', or use detector energy"
        )
    return open_session(path)


def _runs(active: NDArray[np.bool_]) -> NDArray[np.intp]:
    """First frame, and frame behind the last, of each run of true frames, shape ``(n_runs, 2)``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]])))
    return edges.reshape(-1, 2)
