"""`Diarizer`: a recording in, the turns of its speakers out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

from diarize.audio import Source, source_id
from diarize.audio.kept import mono_blocks
from diarize.audio.progress import Hook, Progress, ignore, report_blocks
from diarize.audio.sources import resolve_source
from diarize.clustering.reasons import Evidence
from diarize.config import Config, validate
from diarize.embedding.configured import configured_embedder
from diarize.embedding.models import Model
from diarize.embedding.table import make_table
from diarize.errors import ConfigError
from diarize.machine.memory import release_memory
from diarize.pipeline.labels import make_clusterer
from diarize.pipeline.recognition import find_verifier, name_speakers, open_known
from diarize.pipeline.result import Diarization
from diarize.pipeline.stages import embed, hear, label, resegment, turns
from diarize.segments import Segment
from diarize.speakers.voice_table import VoiceTable
from diarize.speech.channel_options import check_channels, refuse_numbers
from diarize.speech.channels import channel_turns, hear_channels
from diarize.speech.detect import warn_beyond

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

LONG_STAGE = 5.0
"""Seconds; a stage that takes longer may have freed much memory, which then goes back to the system."""


class Diarizer:
    """Labels recordings: who spoke when.

    Parameters
    ----------
    model : path, name or Model, optional
        The embedding model: a folder, FILE.onnx with settings beside it, the name of a bundled model, or
        "resemblyzer"; by default, the one of the config.
    config : Config, optional
        All settings (docs/settings.md).
    device : str
        "auto", "cpu", "cuda" or "mps".
    threads : int, optional
        Threads on the CPU; by default, torch's number, usually that of the cores. The result does not depend
        on it.

    Examples
    --------
    >>> diarization = Diarizer()("egs/demo/meeting.flac", max_speakers=6)
    >>> diarization.speakers
    ['SPEAKER_00', 'SPEAKER_01', 'SPEAKER_02', 'SPEAKER_03']
    >>> print(diarization.to_rttm().splitlines()[0])
    SPEAKER meeting 1 0.782 4.260 <NA> <NA> SPEAKER_00 <NA> <NA>
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
        make_clusterer(self.config)  # raises errors in its settings before any work
        self.embedder = configured_embedder(self.config, model, device=device, threads=threads)

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
        known: VoiceTable | str | Path | None = None,
        recording: str | None = None,
        hook: Hook = ignore,
    ) -> Diarization:
        """The diarization of a recording.

        Parameters
        ----------
        source : path, file, bytes, array, tensor or mapping
            A file: its path, its content, or the open file. Or samples (n_samples,) or (n_samples,
            n_channels) with their `rate` in Hz, or ``{"waveform": samples, "sample_rate": rate}``.
        channel : int, optional
            Counted from 1; by default, the mean of `mixed_channels`.
        channels : "speakers", optional
            Each channel is one speaker; nothing is clustered.
        channel_names : sequence of str, optional
            The speakers of the channels; by default, CHANNEL_1, CHANNEL_2, ...
        track : int, optional
            Audio track, counted from 1; by default, the default track of the file.
        n_speakers, min_speakers, max_speakers : int, optional
            Exact, least and largest number of speakers; they override the config. A recording without speech
            has no speakers, whatever the numbers.
        num_speakers : int, optional
            The same as `n_speakers`.
        speech : list of Segment, optional
            Known speech; by default, speech is detected.
        known : VoiceTable or path, optional
            Known voices, as `enroll` makes them. A speaker who is one of these people gets their name in
            place of a number; the scores are in ``evidence["known"]``.
        recording : str, optional
            Id of the recording; by default, the file's name without suffix.
        hook : callable, optional
            Called with the name of a stage (``pipeline/stages.py``) and a record: `Progress` while the stage
            runs, its result when it ends.

        Raises
        ------
        AudioError
            If the recording cannot be read.
        ConfigError
            If there are fewer windows of speech than `n_speakers`, or the parameters contradict each other.
            Fewer windows than `min_speakers` cause a warning.
        ModelError
            If another model made the known voices, or this one has no scores for known voices.
        ValueError
            If `n_speakers` and `num_speakers` differ.
        """
        names = check_channels(channels, channel, channel_names)
        if n_speakers is None:
            n_speakers = num_speakers
        elif num_speakers not in (None, n_speakers):
            raise ValueError(f"n_speakers and num_speakers differ, got {n_speakers!r} and {num_speakers!r}")
        if known is not None and names is not None:
            raise ConfigError("channel names and known voices contradict each other; leave one out")
        voices = None if known is None else open_known(known, self.embedder)
        source = resolve_source(source, rate)
        if recording is None:
            recording = source_id(source)
        config = self._with_numbers(n_speakers, min_speakers, max_speakers)
        if channels is not None:
            found = self._label_channels(source, track, names, recording, config, speech, hook)
        else:
            found = self._label_voices(source, channel, track, recording, config, speech, hook)
        release_memory()
        if config.turns.min_confidence and found.turns and found.certainty is None:
            logger.warning("%s: its turns have no confidence; turns.min_confidence has no effect", recording)
        return found if voices is None else name_speakers(found, voices, find_verifier(self.embedder))

    def _label_voices(
        self,
        source: Source,
        channel: int | None,
        track: int | None,
        recording: str,
        config: Config,
        speech: list[Segment] | None,
        hook: Hook,
    ) -> Diarization:
        """The diarization of a recording whose speakers are distinguished by their voices."""
        backend, threads, run = self.embedder.backend, self.embedder.threads, _Clock(hook)

        blocks = mono_blocks(source, channel, track)
        heard = run("hear", hear, report_blocks(blocks, "hear", hook), config.speech, speech, threads)
        warn_beyond(recording, speech or [], heard.n_seconds)
        voices = run("embed", embed, heard, blocks, self.embedder, config, hook)
        labelled = run("label", label, voices, heard, backend, config, recording, self.embedder.verifier)
        finer = run("resegment", resegment, labelled, voices, heard, backend, config)
        found = run("turns", turns, finer, heard, config.turns, recording)

        # A label whose turns were all too short has no name; its windows have no speaker.
        speakers = [found.names.get(int(each), "") for each in labelled.labels]
        table = make_table(recording, voices.windows, voices.vectors, speakers)
        assert labelled.evidence is not None
        _warn_of_novelty(recording, labelled.evidence)
        return Diarization(
            recording,
            heard.n_seconds,
            found.turns,
            table,
            labelled.evidence,
            config,
            self.embedder.made_by,
            run.seconds,
            found.certainty,
            found.doubtful,
        )

    def _label_channels(
        self,
        source: Source,
        track: int | None,
        names: Sequence[str] | None,
        recording: str,
        config: Config,
        speech: list[Segment] | None,
        hook: Hook,
    ) -> Diarization:
        """The diarization of a recording in which each channel is one speaker."""
        refuse_numbers(config.clustering)
        run, model = _Clock(hook), self.embedder
        heard = run("hear", hear_channels, source, track, names, recording, config, speech, hook)
        table = run("embed", model.channel_table, source, track, recording, heard.speech, config, hook)
        shortest, gap = config.turns.min_turn, config.turns.min_gap
        found = run("turns", channel_turns, heard.speech, recording, shortest, gap)
        evidence: Evidence = {
            "n_speakers": len({turn.speaker for turn in found}),
            "reason": heard.reason,
            "candidates": [],
            "absorbed": [],
        }
        duration = max(each.n_seconds for each in heard.speech)
        return Diarization(
            recording, duration, found, table, evidence, config, self.embedder.made_by, run.seconds
        )

    def _with_numbers(self, n_speakers: int | None, lowest: int | None, highest: int | None) -> Config:
        """The config with the numbers of speakers of a call."""
        given = {"n_speakers": n_speakers, "min_speakers": lowest, "max_speakers": highest}
        numbers = {name: value for name, value in given.items() if value is not None}
        if not numbers:
            return self.config
        values = self.config.model_dump()
        values["clustering"].update(numbers)
        return validate(Config, values, "settings")


def _warn_of_novelty(recording: str, evidence: Evidence) -> None:
    """Warn of a recording that is unlike the speech that the model was trained on."""
    found = evidence.get("novelty")
    if found is not None and found["score"] > found["limit"]:
        logger.warning(
            "%s: sounds unlike the training speech (novelty %.2f, limit %.2f); check the turns: it may be "
            "music or noise, or have another speed or bandwidth",
            recording,
            found["score"],
            found["limit"],
        )


class _Clock:
    """Runs stages, measures the wall-clock seconds of each, and passes their records to the hook."""

    def __init__(self, hook: Hook) -> None:
        self.hook = hook
        self.seconds: dict[str, float] = {}

    def __call__(self, stage: str, work: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
        self.hook(stage, Progress(0))
        started = time.perf_counter()
        record = work(*args, **named)
        self.seconds[stage] = time.perf_counter() - started
        if self.seconds[stage] > LONG_STAGE:
            release_memory()  # otherwise the peak of a later stage comes on top of it
        self.hook(stage, record)
        return record
