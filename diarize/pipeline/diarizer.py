"""The main job: a recording in, who spoke when out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diarize.audio import Channel, Source, mixed_channels, source_id, stream_audio
from diarize.audio.sources import resolve_source
from diarize.clustering.reasons import Evidence
from diarize.config import Config, validate
from diarize.embedding.embedder import Embedder, Progress, Voices, make_table, report_blocks
from diarize.embedding.models import Model
from diarize.machine.threads import one_blas_thread
from diarize.pipeline.labels import find_speakers, make_clusterer
from diarize.pipeline.resegmentation import resegment
from diarize.pipeline.result import Diarization
from diarize.segments import Segment, Turn, close_pauses, drop_short_turns
from diarize.speakers.plda import Backend
from diarize.speech.channel_options import check_channels, refuse_numbers
from diarize.speech.channels import channel_turns, hear_channels
from diarize.speech.detect import Heard, hear
from diarize.speech.windows import label_turns, other_labels, smooth_labels


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
            heard = hear(blocks, config.speech, speech)
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


def make_turns(
    voices: Voices,
    labels: NDArray[np.int64],
    heard: Heard,
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
