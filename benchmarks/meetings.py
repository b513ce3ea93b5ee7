"""Recordings with references, the vectors of their windows, and how well a setting diarizes them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, find_audio, load_audio, recording_id, stream_audio
from diarize.config import Config, EmbeddingConfig, SpeechConfig
from diarize.embedder import Embedder
from diarize.errors import DiarizeError
from diarize.formats.rttm import read_rttm
from diarize.formats.uem import read_uem
from diarize.metrics import DiarizationScore, score_diarization
from diarize.pipeline import cluster_windows, make_turns
from diarize.segments import Segment, Turn
from diarize.vad import speech_segments
from diarize.windows import sliding_windows

HELD_OUT = ("EN2006a", "EN2006b", "ES2003a", "ES2003b")
"""Meetings of AMI whose excerpts no setting is chosen on; an id that begins so is one of them."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording with its reference turns and the time to score."""

    name: str
    audio: Path
    turns: list[Turn]
    scored: list[Segment]

    @cached_property
    def n_speakers(self) -> int:
        """Speakers in the scored time of the reference."""
        return self.score([]).n_reference

    def score(self, turns: Sequence[Turn]) -> DiarizationScore:
        """Errors of turns: collar 0, overlap scored, within the UEM."""
        return score_diarization(self.turns, turns, scored=self.scored)

    def begins_with(self, starts: Iterable[str]) -> bool:
        """Whether its id begins with one of the starts."""
        return self.name.startswith(tuple(starts))


def read_set(folder: Path) -> list[Recording]:
    """The recordings of a folder with audio/, rttm/ and uem/, one file a recording.

    Raises
    ------
    DiarizeError
        When a file is missing or cannot be read.
    """
    recordings = []
    for audio in find_audio(folder / "audio"):
        name = recording_id(audio)
        turns = read_rttm(folder / "rttm" / f"{name}.rttm")
        uem = folder / "uem" / f"{name}.uem"
        regions = read_uem(uem)
        if name not in regions or {turn.recording for turn in turns} - {name}:
            raise DiarizeError(f"{uem}: this UEM and the RTTM beside it must be of the recording {name}")
        recordings.append(Recording(name, audio, turns, regions[name]))
    return recordings


class Encoder(Protocol):
    """What turns windows of a recording into vectors (n_windows, dim)."""

    description: str

    def __call__(self, audio: Path, windows: list[Segment]) -> Vectors:
        """The vectors."""
        ...


class Ours:
    """The embeddings of a model of this project, on one thread."""

    def __init__(self, model: str | None) -> None:
        self.embedder = Embedder(model, device="cpu", threads=1)
        self.description = f"{self.embedder.model.name} {self.embedder.model.fingerprint}"

    def __call__(self, audio: Path, windows: list[Segment]) -> Vectors:
        """The vectors (n_windows, dim)."""
        return self.embedder.windows(stream_audio(audio), windows)


class Resemblyzer:
    """The embeddings of Resemblyzer, for the 1.6 s around each window's middle.

    Its encoder takes 160 frames of 10 ms, whatever the window. Its own mel spectrogram is made once for the
    whole recording, at its own volume (raised to -30 dBFS), and the windows go through the network in
    batches, which is many times faster than ``embed_utterance`` a window. Near an end of the recording the
    1.6 s are moved inside. Its silence trimming is left out, as it would move the times.

    Raises
    ------
    DiarizeError
        When it is not installed.
    """

    description = "Resemblyzer"
    BATCH = 256
    FRAMES = 160
    FRAME_RATE = 100

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of its own imports
                from resemblyzer import VoiceEncoder, audio
        except ImportError as error:
            raise DiarizeError(
                f'Resemblyzer is missing ({error}); pip install "diarize-toolkit[resemblyzer]"'
            ) from error
        self.encoder, self.audio = VoiceEncoder("cpu", verbose=False), audio

    @torch.inference_mode()
    def __call__(self, audio: Path, windows: list[Segment]) -> Vectors:
        """The vectors (n_windows, 256)."""
        if not windows:
            return np.zeros((0, 256), np.float32)
        samples = self.audio.normalize_volume(load_audio(audio), -30, increase_only=True)
        samples = np.pad(samples, (0, max(0, self.FRAMES * SAMPLE_RATE // self.FRAME_RATE - len(samples))))
        mel = self.audio.wav_to_mel_spectrogram(samples)  # (n_frames, 40)
        middles = np.array([window.middle for window in windows])
        first = np.round(middles * self.FRAME_RATE).astype(int) - self.FRAMES // 2
        frames = first.clip(0, len(mel) - self.FRAMES)[:, None] + np.arange(self.FRAMES)
        batches = np.split(frames, range(self.BATCH, len(frames), self.BATCH))
        return np.concatenate([self.encoder(torch.from_numpy(mel[batch])).numpy() for batch in batches])


def known(config: Config, n_speakers: int | None) -> Config:
    """The config with this number of speakers; None: not known."""
    clustering = config.clustering.model_copy(update={"n_speakers": n_speakers})
    return config.model_copy(update={"clustering": clustering})


class Bench:
    """Scores of settings on recordings: speech is found and windows are embedded once for all settings."""

    def __init__(self, encode: Encoder) -> None:
        self.encode = encode
        self._speech: dict[tuple[Path, SpeechConfig], list[Segment]] = {}
        self._vectors: dict[tuple[Path, SpeechConfig, EmbeddingConfig], tuple[list[Segment], Vectors]] = {}
        self._scores: dict[tuple[object, ...], DiarizationScore] = {}

    def score(self, recording: Recording, config: Config) -> DiarizationScore:
        """Errors of the config on a recording, which is never asked for more speakers than it has windows."""
        speech, windows, vectors = self._embed(recording.audio, config)
        n_speakers = config.clustering.n_speakers
        if n_speakers is not None and windows:
            config = known(config, min(n_speakers, len(windows)))
        labels, second, _ = cluster_windows(vectors, config, recording.name)
        # Many settings give the same labels.
        key = (
            recording.audio,
            *(config.speech, config.embedding, config.turns),
            *(labels.tobytes(), second.tobytes()),
        )
        if key not in self._scores:
            turns, _ = make_turns(windows, labels, second, speech, recording.name, config.turns)
            self._scores[key] = recording.score(turns)
        return self._scores[key]

    def _embed(self, audio: Path, config: Config) -> tuple[list[Segment], list[Segment], Vectors]:
        """Speech, windows of it and their vectors."""
        heard = (audio, config.speech)
        if heard not in self._speech:
            self._speech[heard] = speech_segments(stream_audio(audio), config.speech)
        speech = self._speech[heard]
        key = (*heard, config.embedding)
        if key not in self._vectors:
            windows = sliding_windows(speech, config.embedding.window, config.embedding.hop)
            self._vectors[key] = windows, self.encode(audio, windows)
        return speech, *self._vectors[key]
