"""Results of settings on recordings. What stages cost is kept between settings.

::

    network output  --hear-->  windows, embeddings  --label-->  labels  --turns-->  score
    kept for good              kept while they fit              kept

Networks run once for each recording; embeddings once for each change of what is speech.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Protocol

from diarize.audio import Samples
from diarize.config import Config, SpeechConfig
from diarize.config.changes import with_settings
from diarize.embedding.configured import configured_embedder
from diarize.embedding.embedder import Embedder
from diarize.pipeline.stages import Heard, Labelled, NamedTurns, Voices, embed, label, resegment, turns
from diarize.scoring.der import DiarizationScore
from diarize.segments import Turn
from diarize.speech.detect import Signals, interpret, listen
from diarize.tuning.recordings import Recording

KEPT_BYTES = 2**29
"""Most bytes of embeddings that stay in memory: 35 versions of an hour of speech."""
KEPT_LABELS = 5000
"""Labels of recordings that stay in memory."""


class Audio(Protocol):
    """What a bench needs of a recording to label it; two of them are equal only if they are the same."""

    @property
    def name(self) -> str:
        """Its id."""
        ...

    def blocks(self) -> Iterable[Samples]:
        """The samples from the beginning."""
        ...


class Bench:
    """Turns and scores of settings on recordings.

    Parameters
    ----------
    model : str, optional
        Embedding model, whatever a config says.
    device : str
        "auto", "cpu", "cuda" or "mps".
    threads : int, optional
        Threads on the CPU; by default, torch's number.
    """

    def __init__(self, model: str | None = None, *, device: str = "cpu", threads: int | None = 1) -> None:
        self.model, self.device, self.threads = model, device, threads
        self._embedders: dict[Hashable, Embedder] = {}
        self._signals: dict[Hashable, Signals] = {}
        self._voices: OrderedDict[Hashable, Voices] = OrderedDict()
        self._labelled: OrderedDict[Hashable, Labelled] = OrderedDict()
        self._scores: dict[Hashable, DiarizationScore] = {}

    @property
    def description(self) -> str:
        """Name and fingerprint of the embedding model of the default settings."""
        return self.embedder(Config()).made_by

    def embedder(self, config: Config) -> Embedder:
        """The embedder of a config."""
        key = self.model or config.embedding.model, config.embedding.precision
        if key not in self._embedders:
            self._embedders[key] = configured_embedder(
                config, self.model, device=self.device, threads=self.threads
            )
        return self._embedders[key]

    def forget(self) -> None:
        """Leave out all that is kept of recordings. The models stay loaded."""
        for kept in (self._signals, self._voices, self._labelled, self._scores):
            kept.clear()

    def score(self, recording: Recording, config: Config) -> DiarizationScore:
        """Errors of the config on a recording; a known number of speakers is at most that of its windows."""
        labelled = self._label(recording, config)
        # Many settings give the same labels.
        labels = hashlib.sha256(labelled.labels.tobytes()).digest()
        how = (config.speech, config.embedding, config.resegmentation, config.turns)
        key = (recording, how, config.clustering.seconds_a_sample, labels)
        if key not in self._scores:
            self._scores[key] = recording.score(self.turns(recording, config))
        return self._scores[key]

    def turns(self, recording: Audio, config: Config) -> list[Turn]:
        """The turns of the config for a recording."""
        return self.name_turns(recording, config).turns

    def name_turns(self, recording: Audio, config: Config) -> NamedTurns:
        """The same, with their confidence."""
        labelled = self._label(recording, config)
        heard, voices = self._embed(recording, config)
        finer = resegment(labelled, voices, heard, self.embedder(config).backend, config)
        return turns(finer, heard, config.turns, recording.name)

    def hear(self, recording: Audio, config: SpeechConfig) -> Heard:
        """Speech and overlap of a recording."""
        windows = (config.window, config.hop) if config.detector == "local" else None
        key = (recording, config.detector, config.model, windows)
        if key not in self._signals:
            # All that any threshold may need.
            widest = config.model_copy(update={"overlap": 0.5, "silero_weight": 0.5})
            self._signals[key] = listen(recording.blocks(), widest, threads=self.threads)
        return interpret(self._signals[key], config)

    def _label(self, recording: Audio, config: Config) -> Labelled:
        """The labels of the windows of a recording."""
        heard, voices = self._embed(recording, config)
        n_speakers = config.clustering.n_speakers
        if n_speakers is not None and voices.windows:
            config = known(config, min(n_speakers, len(voices.windows)))
        # Settings of turns share the labels.
        how = (config.speech, config.embedding, config.resegmentation)
        key = (recording, how, config.clustering.model_dump_json())
        if key not in self._labelled:
            embedder = self.embedder(config)
            self._labelled[key] = label(
                voices, heard, embedder.backend, config, recording.name, embedder.verifier
            )
        self._labelled.move_to_end(key)
        if len(self._labelled) > KEPT_LABELS:
            self._labelled.popitem(last=False)
        return self._labelled[key]

    def _embed(self, recording: Audio, config: Config) -> tuple[Heard, Voices]:
        """Speech and overlap, and the embeddings of the speech."""
        heard = self.hear(recording, config.speech)
        again = config.resegmentation
        times = tuple(heard.segments), tuple(heard.mixed)
        by = config.speech if heard.local is not None else None
        key = (recording, by, times, config.embedding, again.enabled, again.window, again.hop)
        if key not in self._voices:
            self._voices[key] = embed(heard, recording.blocks(), self.embedder(config), config)
        self._voices.move_to_end(key)
        while len(self._voices) > 1 and sum(map(_n_bytes, self._voices.values())) > KEPT_BYTES:
            self._voices.popitem(last=False)
        return heard, self._voices[key]


def known(config: Config, n_speakers: int | None) -> Config:
    """The config with this number of speakers; None if it is unknown."""
    return with_settings(config, {"clustering.n_speakers": n_speakers})


def _n_bytes(voices: Voices) -> int:
    return voices.vectors.nbytes + voices.piece_vectors.nbytes + voices.local_vectors.nbytes
