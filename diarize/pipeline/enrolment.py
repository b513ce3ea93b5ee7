"""Voices of people: from their recordings, from labelled recordings, and from the windows of a result."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from diarize.audio import SAMPLE_RATE, Source, find_audio, source_id
from diarize.audio.kept import mono_blocks
from diarize.audio.progress import Hook, ignore
from diarize.audio.sources import resolve_source
from diarize.config import Config
from diarize.embedding.embedder import Embedder
from diarize.embedding.record import Voices
from diarize.embedding.table import Embeddings, make_table
from diarize.embedding.voices import join_voices, voices_of
from diarize.errors import AudioError, DiarizeError
from diarize.machine.threads import one_blas_thread
from diarize.pipeline.labels import label
from diarize.segments import Segment, Turn, join_segments
from diarize.speakers.voice_table import VoiceTable, person_name
from diarize.speech.detect import Heard
from diarize.speech.windows import sliding_windows
from diarize.timelines import without

ENOUGH = 3.0
"""Seconds of speech; people with less cause a warning. Ten are better (docs/results.md)."""

SHORTEST = 0.4
"""Seconds; shorter speech alone is left out of a voice, unless there is no other."""

logger = logging.getLogger(__name__)


def enroll(
    people: Mapping[str, Source | list[Source]],
    embedder: Embedder | None = None,
    *,
    config: Config | None = None,
    **options: Any,
) -> VoiceTable:
    """The voices of people, from recordings in which each speaks alone.

    A recording in which several people seem to speak causes a warning.

    Parameters
    ----------
    people : mapping
        From names to one recording, or to a list of recordings: files, bytes or samples, as for `Embedder`.
    embedder : Embedder, optional
        By default, the bundled model.
    config : Config, optional
        Settings of the detection and of the windows.
    **options
        Further arguments of `Embedder.__call__`, such as `channel`.

    Raises
    ------
    AudioError
        If a recording cannot be read.
    DiarizeError
        If a name is impossible, or somebody does not speak at all.
    """
    embedder = embedder or Embedder()
    config = config or Config()
    tables = []
    for name, sources in people.items():
        name = person_name(name)
        for source in sources if isinstance(sources, list) else [sources]:
            windows, heard = _windows_of(source, embedder, config, **options)
            spoken = make_table("", windows.segments(), windows.vectors, [name] * len(windows))
            recording = str(windows.recording[0]) if len(windows) else source_id(resolve_source(source))
            tables.append(voices_of(spoken, embedder.made_by, recording))
            if not len(windows):
                raise DiarizeError(f"{recording}: no speech was found, so {name} cannot be enrolled")
            seconds = voices_in(windows, heard, embedder, config)
            if len(seconds) > 1:
                times = ", ".join(f"{each:.1f}" for each in seconds)
                logger.warning(
                    "%s: %d people seem to speak (%s s), and all count as %s; --turns, --speaker enroll one",
                    recording,
                    len(seconds),
                    times,
                    name,
                )
    return join_voices(tables)


def _windows_of(
    source: Source, embedder: Embedder, config: Config, *, hook: Hook = ignore, **options: Any
) -> tuple[Embeddings, Heard | None]:
    """The windows of a recording and what was heard; None if each channel is one speaker."""
    found: list[Heard] = []

    def listen(stage: str, record: Any) -> None:
        found.extend([record] if isinstance(record, Heard) else [])
        hook(stage, record)

    windows = embedder(source, config=config, hook=listen, **options)
    return windows, found[0] if found else None


def voices_in(windows: Embeddings, heard: Heard | None, embedder: Embedder, config: Config) -> list[float]:
    """The seconds of speech of each person in the windows of a recording, the longest first.

    The windows are labelled as in the pipeline, whatever the number of speakers in the config. A speaker
    counts as another person if this is likelier, by the model's verifier, than that it is the speaker who
    speaks longest. Without a verifier or without `heard`, everything counts as one person.
    """
    verifier, spans = embedder.verifier, windows.segments()
    if verifier is None or heard is None or not spans:
        return [sum(each.duration for each in join_segments(spans))]
    unknown = {"n_speakers": None, "min_speakers": 1, "max_speakers": None}
    config = config.model_copy(update={"clustering": config.clustering.model_copy(update=unknown)})
    labels = label(Voices(spans, windows.vectors), heard, embedder.backend, config, verifier=verifier).labels
    voices = voices_of(make_table("", spans, windows.vectors, [*map(str, labels)]), embedder.made_by)
    order = np.argsort(-voices.seconds, kind="stable")
    with one_blas_thread():
        sides = verifier.sides(voices)
        scores = verifier.scores(sides, sides)[order[0]]
    return [float(voices.seconds[k]) for k in order if k == order[0] or scores[k] < 0]


def embed_speakers(
    source: Source,
    turns: Iterable[Turn],
    embedder: Embedder,
    config: Config,
    *,
    channel: int | None = None,
    track: int | None = None,
) -> Embeddings:
    """The windows of the speakers of a labelled recording, by one pass over its samples.

    Only time in which one speaker speaks alone counts, except for a speaker who never does::

        A        |==========|       |=====|
        B              |========|
        windows  [-A--]      [-B]   [--A--]

    Raises
    ------
    AudioError
        If the recording cannot be read, or ends before a turn.
    """
    turns = list(turns)
    spoken: list[tuple[Segment, str]] = []
    for speaker in dict.fromkeys(turn.speaker for turn in turns):
        own = join_segments(turn.segment for turn in turns if turn.speaker == speaker)
        others = join_segments(turn.segment for turn in turns if turn.speaker != speaker)
        alone = [each for each in without(own, others) if each.duration >= SHORTEST] or own
        windows = sliding_windows(alone, config.embedding.window, config.embedding.hop)
        spoken += [(window, speaker) for window in windows]
    spoken.sort(key=lambda each: each[0])
    windows = [window for window, _ in spoken]
    recording = turns[0].recording if turns else ""
    blocks = mono_blocks(resolve_source(source), channel, track)
    try:
        vectors = embedder.windows(blocks, windows)
    except AudioError as error:
        n_seconds = sum(map(len, blocks)) / SAMPLE_RATE
        if windows[-1].start < n_seconds:
            raise
        raise AudioError(
            f"{source_id(resolve_source(source))}: ends at {n_seconds:.1f} s, but the turns reach "
            f"{windows[-1].end:.1f} s; check that they are of this recording"
        ) from error
    return make_table(recording, windows, vectors, [speaker for _, speaker in spoken])


def warn_of_little(table: VoiceTable) -> None:
    """Warn of people who have little speech in a table."""
    for name in table.names:
        seconds = float(table.seconds[table.name == name].sum())
        if seconds < ENOUGH:
            logger.warning("%s: only %.1f s of speech; 10 s or more are better", name, seconds)


def warn_of_alike_names(table: VoiceTable) -> None:
    """Warn of people whose names differ in upper and lower case alone, because they may be one person."""
    seen: dict[str, str] = {}
    for name in table.names:
        if (other := seen.setdefault(name.casefold(), name)) != name:
            logger.warning(
                "%s and %s are two people in the table; --name %s makes them one", other, name, other
            )


def person_of(path: Path) -> str:
    """The name of the person of a recording or of a folder of recordings: that of the file or folder."""
    path = path.absolute() if path.name else path.resolve()  # "." has no name
    return person_name(path.stem if path.suffix and not path.is_dir() else path.name)


def recordings_of(path: Path) -> list[Path]:
    """The recordings of a person: the file, or those of the folder, which has no subfolders with others.

    Raises
    ------
    DiarizeError
        If recordings lie in a subfolder, because they may be of other people.
    """
    if not path.is_dir():
        return [path]
    found = find_audio(path)
    deeper = [each for each in found if each.parent != path]
    if deeper:
        raise DiarizeError(
            f"{path}: a folder is one person, but {deeper[0].parent} is a folder as well; name each person's"
        )
    return found
