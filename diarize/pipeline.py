"""The main job: a recording in, who spoke when out."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.activity import Speech, find_speech
from diarize.audio import Channel, Source, mixed_channels, source_id, stream_audio
from diarize.backend import Backend
from diarize.channel_options import check_channels, refuse_numbers
from diarize.channels import channel_turns, hear_channels
from diarize.clustering import build_clusterer
from diarize.clustering.bounds import speaker_bounds, too_few
from diarize.clustering.contract import Clusterer, Evidence, explain
from diarize.clustering.dominant_sets import WINDOWS
from diarize.clustering.evidence import cluster_by_evidence
from diarize.config import Config, validate
from diarize.diarization import Diarization
from diarize.embedder import Embedder, Progress, Voices, make_table, report_blocks
from diarize.errors import ConfigError
from diarize.models import Model
from diarize.networks.threads import one_blas_thread
from diarize.one_voice import merge_one_voice
from diarize.resegmentation import resegment
from diarize.segments import Segment, Turn, close_pauses, drop_short_turns
from diarize.sources import resolve_source
from diarize.windows import label_turns, other_labels, smooth_labels

logger = logging.getLogger(__name__)

WINDOW_SETTINGS: dict[str, dict[str, Any]] = {
    "agglomerative": {"linkage": "average", "criterion": "silhouette", "one_speaker": 0.2},
    "dominant-sets": WINDOWS,
    "spectral": {"min_neighbors": 12, "max_neighbors": 0.4},
    "density": {"min_cluster_size": 5, "min_samples": 5},
}
"""Where the windows of a recording need other values than a clusterer's own: docs/choices.md."""

EVIDENCE_SETTINGS: dict[str, dict[str, Any]] = {
    "agglomerative": {"linkage": "ward"},
    "dominant-sets": {"affinity": "gaussian"},
}
"""Over these, where the evidence of a back end chooses among a clusterer's partitions."""


class Diarizer:
    """Recordings to diarizations.

    Parameters
    ----------
    model : path, name or Model, optional
        The embedding model: a folder, the name of a bundled one, or nothing for the default one.
    config : Config, optional
        All settings; see ``config.py``.
    device : str
        "auto", "cpu", "cuda" or "mps".
    threads : int, optional
        Threads on the CPU; the result does not depend on them.

    Examples
    --------
    >>> diarization = Diarizer()("meeting.wav", max_speakers=4)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | Path | Model | None = None,
        *,
        config: Config | None = None,
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.config = (config or Config()).model_copy(deep=True)
        make_clusterer(self.config)  # what is wrong with it is told before any work
        self.embedder = Embedder(model, device=device, threads=threads)

    def __call__(
        self,
        source: Source,
        *,
        rate: float | None = None,
        channel: int | None = None,
        channels: str | None = None,
        channel_names: Sequence[str] | None = None,
        track: int | None = None,
        n_speakers: int | None = None,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        speech: list[Segment] | None = None,
        recording: str | None = None,
        on_progress: Progress | None = None,
    ) -> Diarization:
        """Who spoke when in a recording.

        Parameters
        ----------
        source : path, file, bytes, array, tensor or mapping
            A file by its path, its content or opened; samples (n_samples,) or (n_samples, n_channels) with
            their `rate` in Hz; or ``{"waveform": samples, "sample_rate": rate}``.
        channel : int, optional
            Counts from 1; without it the mean of `mixed_channels`.
        channels : {"speakers"}, optional
            Each channel is one speaker; nothing is clustered.
        channel_names : sequence of str, optional
            The speakers of the channels; without it CHANNEL_1, CHANNEL_2, ...
        track : int, optional
            Audio track of a file with several, from 1; without it the default track.
        n_speakers, min_speakers, max_speakers : int, optional
            Instead of the config's. A recording without any speech has no speakers, whatever is asked for.
        num_speakers : int, optional
            The same as `n_speakers`.
        speech : list of Segment, optional
            Where there is speech, instead of detecting it.
        recording : str, optional
            Its id, instead of the file's name.
        on_progress : callable, optional
            Called with stage, done and total (None while unknown).

        Raises
        ------
        AudioError
            When the recording cannot be read.
        ConfigError
            When there are fewer windows of speech than `n_speakers`, or the parameters contradict each other.
            Fewer than `min_speakers` are a warning.
        ValueError
            When `n_speakers` and `num_speakers` differ.
        """
        names = check_channels(channels, channel, channel_names)
        if n_speakers is None:
            n_speakers = num_speakers
        elif num_speakers not in (None, n_speakers):
            raise ValueError(f"n_speakers and num_speakers are one, got {n_speakers!r} and {num_speakers!r}")
        source = resolve_source(source, rate)
        if recording is None:
            recording = source_id(source)
        config = self._with_numbers(n_speakers, min_speakers, max_speakers)
        notify = on_progress or (lambda stage, done, total: None)
        if channels is not None:
            return self._label_channels(source, track, names, recording, config, speech, notify)
        seconds: dict[str, float] = {}

        with _clock(seconds, "detect speech"):
            mixed: Channel = mixed_channels(source, track=track) if channel is None else channel
            blocks = report_blocks(stream_audio(source, channel=mixed, track=track), notify)
            heard = find_speech(blocks, config.speech, speech)
        with _clock(seconds, "embed windows"):
            blocks = stream_audio(source, channel=mixed, track=track)
            voices = self.embedder.voices(
                blocks, heard, config, lambda done, n: notify("embed windows", done, n)
            )
        with _clock(seconds, "cluster"):
            notify("cluster", 0, 1)
            backend = self.embedder.backend
            labels, evidence = find_speakers(voices, config, recording, backend, heard)
            notify("cluster", 1, 1)
        with _clock(seconds, "make turns"):
            turns, found = make_turns(voices, labels, heard, recording, config, backend)

        # A speaker all of whose turns were too short has no name; his windows are nobody's.
        speakers = [found.get(int(label), "") for label in labels]
        table = make_table(recording, voices.windows, voices.vectors, speakers)
        return Diarization(recording, heard.n_seconds, turns, table, evidence, config, self._model, seconds)

    @property
    def _model(self) -> str:
        return f"{self.embedder.model.name} {self.embedder.model.fingerprint}"

    def _label_channels(
        self,
        source: Source,
        track: int | None,
        names: Sequence[str] | None,
        recording: str,
        config: Config,
        speech: list[Segment] | None,
        notify: Progress,
    ) -> Diarization:
        """Who spoke when in a recording whose channels are a speaker each."""
        refuse_numbers(config.clustering)
        seconds: dict[str, float] = {}
        with _clock(seconds, "detect speech"):
            heard = hear_channels(source, track, names, recording, config, speech, notify)
        with _clock(seconds, "embed windows"):
            table = self.embedder.channel_table(source, track, recording, heard.speech, config, notify)
        with _clock(seconds, "make turns"):
            turns = channel_turns(heard.speech, recording, config.turns.min_turn, config.turns.min_gap)
        evidence: Evidence = {
            "n_speakers": len({turn.speaker for turn in turns}),
            "reason": heard.reason,
            "candidates": [],
            "absorbed": [],
        }
        duration = max(each.n_seconds for each in heard.speech)
        return Diarization(recording, duration, turns, table, evidence, config, self._model, seconds)

    def _with_numbers(self, n_speakers: int | None, lowest: int | None, highest: int | None) -> Config:
        """The config with the numbers of speakers that a call gave."""
        given = {"n_speakers": n_speakers, "min_speakers": lowest, "max_speakers": highest}
        numbers = {name: value for name, value in given.items() if value is not None}
        if not numbers:
            return self.config
        values = self.config.model_dump()
        values["clustering"].update(numbers)
        return validate(Config, values, "settings")


def find_speakers(
    voices: Voices, config: Config, recording: str, backend: Backend | None, heard: Speech
) -> tuple[NDArray[np.int64], Evidence]:
    """Labels (n_windows,), and why there are so many: clustered, and one where they are one voice after all.

    Raises
    ------
    ConfigError
        As `cluster_windows` does.
    """
    labels, evidence = cluster_windows(voices.vectors, config, recording, backend)
    asked = config.clustering
    if backend is None or not _by_evidence(config) or asked.n_speakers is not None or asked.min_speakers > 1:
        return labels, evidence
    with one_blas_thread():
        return merge_one_voice(voices, labels, evidence, backend, config, heard)


def cluster_windows(
    vectors: NDArray[np.float32], config: Config, recording: str, backend: Backend | None = None
) -> tuple[NDArray[np.int64], Evidence]:
    """Labels (n_windows,), and why there are so many, for vectors (n_windows, dim).

    The evidence of the back end chooses the number of speakers.
    Without a back end, with a given threshold or criterion, or by the config, the clusterer chooses.

    Raises
    ------
    ConfigError
        When there are fewer vectors than `n_speakers` of the config.
    """
    if not len(vectors):
        logger.warning("%s: no speech was found", recording)
        none = np.zeros(0, dtype=np.int64)
        return none, explain(none, "0 speakers: no speech was found")
    asked = config.clustering
    if message := too_few(len(vectors), asked.n_speakers, asked.min_speakers):
        logger.warning("%s: %s", recording, message)
        asked = asked.model_copy(update={"min_speakers": len(vectors)})
        config = config.model_copy(update={"clustering": asked})
    if not _by_evidence(config):
        backend = None
    clusterer = make_clusterer(config, backend is not None)
    try:
        # Sums over several threads are added in another order: one thread gives the same bytes everywhere.
        with one_blas_thread():
            if backend is None:
                labels = clusterer.fit_predict(vectors)
                return labels, clusterer.evidence_
            hop, n = config.embedding.hop, len(vectors)
            return cluster_by_evidence(
                vectors,
                clusterer,
                backend,
                asked.weight(hop),
                asked.cost_of_speaker(hop, n),
                asked.number_weight(hop, n),
                asked.one_speaker_cost,
            )
    except ConfigError as error:
        raise ConfigError(f"{recording}: {error}") from error


def _by_evidence(config: Config) -> bool:
    """Whether a back end chooses the number, where there is one."""
    asked = config.clustering
    return asked.evidence and asked.threshold is None and "criterion" not in asked.options


def make_clusterer(config: Config, by_evidence: bool = False) -> Clusterer:
    """The clusterer of windows that the config asks for; `by_evidence`: to propose partitions to a back end.

    A given threshold of agglomerative clustering decides the number of speakers instead of the silhouette,
    for which windows that share audio do not count for each other.

    Raises
    ------
    ConfigError
        For an unknown method or parameter, or when the numbers of speakers contradict each other.
    """
    asked = config.clustering
    speaker_bounds(sys.maxsize, asked.n_speakers, asked.min_speakers, asked.max_speakers)
    settings = asked.model_dump(include={"threshold", "n_speakers", "min_speakers", "max_speakers"})
    if twice := sorted(settings.keys() & asked.options.keys()):
        raise ConfigError(f"setting 'clustering.options.{twice[0]}': it is called 'clustering.{twice[0]}'")
    options = dict(WINDOW_SETTINGS.get(asked.method, {}))
    if by_evidence:
        options |= EVIDENCE_SETTINGS.get(asked.method, {})
    if asked.method == "agglomerative":
        options["n_adjacent"] = math.ceil(config.embedding.window / config.embedding.hop) - 1
        if asked.threshold is not None:
            options["criterion"] = "threshold"
    return build_clusterer(asked.method, **settings, **options | asked.options)


def make_turns(
    voices: Voices,
    labels: NDArray[np.int64],
    heard: Speech,
    recording: str,
    config: Config,
    backend: Backend | None = None,
) -> tuple[list[Turn], dict[int, str]]:
    """Turns from labelled windows, and each label's name; SPEAKER_00 is who speaks first.

    With a back end the turns follow the pieces. In overlapping speech, whoever else speaks nearest in time
    has a turn as well::

        speech    |==========================|
        overlap        |=====|           |===|
        windows   [---A---][---B---][---B----]
        others    [---B---][---A---][---A----]
        turns     |====A=====|           |=A=|
                       |==========B==========|
    """
    windows = voices.windows
    if not windows:
        return [], {}
    if backend is not None and voices.pieces:
        with one_blas_thread():
            labels = resegment(voices, labels, backend, config)
        windows = voices.pieces
    labels = smooth_labels(labels, windows, config.turns.smoothing)
    names = {int(label): str(label) for label in {*labels}}
    turns = label_turns(windows, labels, heard.segments, recording, names)
    if len(names) > 1:
        turns += label_turns(windows, other_labels(labels, windows), heard.overlap, recording, names)
    turns = close_pauses(drop_short_turns(turns, config.turns.min_turn), config.turns.min_gap)
    order = dict.fromkeys(turn.speaker for turn in turns)
    speakers = {label: f"SPEAKER_{number:02d}" for number, label in enumerate(order)}
    renamed = sorted(replace(turn, speaker=speakers[turn.speaker]) for turn in turns)
    return renamed, {int(label): speaker for label, speaker in speakers.items()}


@contextmanager
def _clock(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - started
