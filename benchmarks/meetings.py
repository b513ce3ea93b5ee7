"""Recordings with references, and scores of settings on them."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from diarize.audio import find_audio, recording_id, stream_audio
from diarize.config import Config, SpeechConfig
from diarize.embedding.embedder import Embedder
from diarize.errors import ConfigError, DiarizeError
from diarize.formats import read_rttm, read_uem
from diarize.pipeline.stages import Heard, Labelled, Voices, embed, hear, label, resegment, turns
from diarize.scoring.der import DiarizationScore, score_diarization
from diarize.segments import Segment, Turn

HELD_OUT = ("EN2006a", "EN2006b", "ES2003a", "ES2003b")
"""AMI meetings on whose excerpts no setting is chosen; the ids of the excerpts begin with these."""


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
    """The recordings of a folder with audio/, rttm/ and uem/, each with one file for each recording.

    Raises
    ------
    DiarizeError
        If a file is missing or cannot be read.
    """
    recordings = []
    for audio in find_audio(folder / "audio"):
        name = recording_id(audio)
        turns = read_rttm(folder / "rttm" / f"{name}.rttm")
        uem = folder / "uem" / f"{name}.uem"
        regions = read_uem(uem)
        if name not in regions or {turn.recording for turn in turns} - {name}:
            raise DiarizeError(f"{uem}: this UEM and its RTTM must be of the recording {name}")
        recordings.append(Recording(name, audio, turns, regions[name]))
    return recordings


def read_sets(folders: Iterable[Path], held_out: Iterable[str]) -> dict[str, list[Recording]]:
    """The recordings of several folders by folder name, without those whose ids begin with a `held_out` one.

    Raises
    ------
    DiarizeError
        If two folders have the same name, or a file is missing or cannot be read.
    """
    folders, held_out = list(folders), tuple(held_out)
    names = [folder.name for folder in folders]
    if twice := next((folder for folder in folders if names.count(folder.name) > 1), None):
        raise DiarizeError(f"{twice}: another set is also called {twice.name}; rename one")
    return {
        folder.name: [each for each in read_set(folder) if not each.begins_with(held_out)]
        for folder in folders
    }


def known(config: Config, n_speakers: int | None) -> Config:
    """The config with this number of speakers; None if it is unknown."""
    clustering = config.clustering.model_copy(update={"n_speakers": n_speakers})
    return config.model_copy(update={"clustering": clustering})


def combinations(vary: list[str]) -> dict[str, dict[str, Any]]:
    """Every combination of the values of settings, by its name, as overrides of the defaults."""
    settings = []
    for text in vary:
        name, equals, values = text.partition("=")
        try:
            settings.append([(name, value) for value in tomllib.loads(f"values = [{values}]")["values"]])
        except ValueError:  # not TOML, or a number of thousands of digits
            equals = ""
        if not equals or not values:
            raise ConfigError(f"--vary {text}: write SETTING=VALUE,VALUE with values in TOML")
    return {
        ", ".join(f"{name} {value}" for name, value in chosen): dict(chosen)
        for chosen in itertools.product(*settings)
    }


class Bench:
    """Scores of settings on recordings. Speech is detected and windows are embedded once for all settings.

    The embeddings are those of a model folder or name (None: the default one), on one thread.
    """

    def __init__(self, model: str | None) -> None:
        self.embedder = Embedder(model, device="cpu", threads=1)
        self.description = f"{self.embedder.model.name} {self.embedder.model.fingerprint}"
        self._heard: dict[tuple[Path, SpeechConfig], Heard] = {}
        self._voices: dict[tuple[object, ...], Voices] = {}
        self._labelled: dict[tuple[object, ...], Labelled] = {}
        self._scores: dict[tuple[object, ...], DiarizationScore] = {}

    def score(self, recording: Recording, config: Config) -> DiarizationScore:
        """Errors of the config on a recording; a known number of speakers is at most that of its windows."""
        labelled = self._label(recording, config)
        # Many settings give the same labels.
        how = (config.speech, config.embedding, config.resegmentation, config.turns)
        key = (recording.audio, how, config.clustering.seconds_a_sample, labelled.labels.tobytes())
        if key not in self._scores:
            self._scores[key] = recording.score(self.turns(recording, config))
        return self._scores[key]

    def turns(self, recording: Recording, config: Config) -> list[Turn]:
        """The turns of the config for a recording."""
        labelled = self._label(recording, config)
        heard, voices = self._embed(recording.audio, config)
        finer = resegment(labelled, voices, heard, self.embedder.backend, config)
        return turns(finer, heard, config.turns, recording.name).turns

    def _label(self, recording: Recording, config: Config) -> Labelled:
        """The labels of the windows of a recording."""
        heard, voices = self._embed(recording.audio, config)
        n_speakers = config.clustering.n_speakers
        if n_speakers is not None and voices.windows:
            config = known(config, min(n_speakers, len(voices.windows)))
        settings = (config.speech, config.embedding, config.resegmentation)
        clustered = (recording.audio, *settings, config.clustering.model_dump_json())
        if clustered not in self._labelled:  # settings of turns share the labels
            backend = self.embedder.backend
            self._labelled[clustered] = label(voices, heard, backend, config, recording.name)
        return self._labelled[clustered]

    def hear(self, audio: Path, config: SpeechConfig) -> Heard:
        """Speech and overlap of a recording."""
        if (audio, config) not in self._heard:
            self._heard[audio, config] = hear(stream_audio(audio), config)
        return self._heard[audio, config]

    def _embed(self, audio: Path, config: Config) -> tuple[Heard, Voices]:
        """Speech and overlap, and the embeddings of the speech."""
        heard = self.hear(audio, config.speech)
        again = config.resegmentation
        times = tuple(heard.segments), tuple(heard.mixed)
        by = config.speech if heard.local is not None else None
        key = (audio, by, times, config.embedding, again.enabled, again.window, again.hop)
        if key not in self._voices:
            self._voices[key] = embed(heard, stream_audio(audio), self.embedder, config)
        return heard, self._voices[key]
