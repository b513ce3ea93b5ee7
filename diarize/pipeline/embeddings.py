"""The embeddings of a recording, a row for each window, turn, utterance, speaker or for the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np

from diarize.audio import Source
from diarize.audio.kept import mono_blocks
from diarize.audio.progress import Hook, ignore
from diarize.embedding.embedder import Embedder
from diarize.embedding.table import Embeddings, make_table
from diarize.embedding.turns import embed_turns, speaker_means
from diarize.pipeline.diarizer import Diarizer
from diarize.segments import Segment, Turn, exclusive_turns, speech_of
from diarize.speech.detect import Heard, hear, warn_beyond

Per = Literal["windows", "turns", "utterances", "speakers", "recordings"]
PER: tuple[Per, ...] = get_args(Per)


def embed_per(
    source: Source,
    per: Per,
    diarizer: Diarizer,
    *,
    turns: Sequence[Turn] | None = None,
    utterances: Sequence[str] | None = None,
    embedder: Embedder | None = None,
    channel: int | None = None,
    track: int | None = None,
    speech: list[Segment] | None = None,
    n_speakers: int | None = None,
    recording: str,
    hook: Hook = ignore,
) -> Embeddings:
    """The embeddings of a recording.

    Parameters
    ----------
    source : path, file, bytes, array, tensor or mapping
    per : str
        What has a row: "windows" of speech, "turns", "utterances", "speakers" or "recordings". A row of
        turns, utterances and speakers also has its seconds of clean speech, one of turns their confidence
        where the diarization gives it.
    diarizer : Diarizer
        Finds the turns, if they are not given, by its settings.
    turns : sequence of Turn, optional
        Who speaks when. Windows then have the speaker at their middle.
    utterances : sequence of str, optional
        The ids of the turns.
    embedder : Embedder, optional
        Embeds, instead of that of the diarizer.
    n_speakers : int, optional
        Speakers, unless the settings say it; fewer in a recording too short for them.
    channel, track, speech, recording, hook
        As for `Diarizer`.

    Raises
    ------
    AudioError
        If the recording cannot be read.
    """
    embedder = embedder or diarizer.embedder
    options: dict[str, Any] = {"channel": channel, "track": track}
    if per in ("windows", "recordings"):
        given = speech_of(turns) if turns is not None else speech
        table = embedder(
            source,
            **options,
            speech=given,
            config=diarizer.config,
            recording=recording,
            whole=per == "recordings",
            hook=hook,
        )
        return table if turns is None or per == "recordings" else _with_speakers(table, turns)
    confidence = None
    blocks = mono_blocks(source, channel, track)
    if turns is None:
        found: list[Heard] = []

        def listen(stage: str, record: Any) -> None:
            found.extend([record] if isinstance(record, Heard) else [])
            hook(stage, record)

        if n_speakers is not None and diarizer.config.clustering.n_speakers is None:
            options |= {"min_speakers": n_speakers, "max_speakers": n_speakers}
        result = diarizer(source, **options, speech=speech, recording=recording, hook=listen)
        turns, confidence, (heard,) = result.turns, result.confidence, found
        chain = embedder.backend is not None and diarizer.config.resegmentation.enabled
        if confidence is None and (chain or heard.local is not None):  # the column is in every recording
            confidence = [np.nan] * len(turns)
    else:
        order = sorted(range(len(turns)), key=turns.__getitem__)
        turns = [turns[i] for i in order]
        utterances = None if utterances is None else [utterances[i] for i in order]
        heard = hear(blocks, diarizer.config.speech, speech_of(turns), embedder.threads)
        warn_beyond(recording, [turn.segment for turn in turns], heard.n_seconds)
        turns, utterances = _inside(turns, utterances, heard.n_seconds)
    vectors, seconds = embed_turns(blocks, turns, heard.mixed, embedder, hook)
    speakers = [turn.speaker for turn in turns]
    if per == "speakers":
        names, means, seconds = speaker_means(turns, vectors, seconds)
        spans = []
        for name in names:
            own = [turn.segment for turn in turns if turn.speaker == name]
            spans.append(Segment(min(each.start for each in own), max(each.end for each in own)))
        return make_table(recording, spans, means, speaker=names, seconds=seconds)
    extra: dict[str, Any] = {"speaker": speakers, "seconds": seconds}
    if utterances is not None:
        extra["utterance"] = utterances
    if confidence is not None:
        extra["confidence"] = confidence
    return make_table(recording, [turn.segment for turn in turns], vectors, **extra)


def _inside(
    turns: Sequence[Turn], ids: Sequence[str] | None, n_seconds: float
) -> tuple[list[Turn], list[str] | None]:
    """The turns, and their ids, that begin inside the recording, cut at its end."""
    kept = [i for i, turn in enumerate(turns) if turn.segment.start < n_seconds]
    ends = [min(turns[i].segment.end, n_seconds) for i in kept]
    cut = [
        replace(turns[i], segment=Segment(turns[i].segment.start, end))
        for i, end in zip(kept, ends, strict=True)
    ]
    return cut, None if ids is None else [ids[i] for i in kept]


def _with_speakers(table: Embeddings, turns: Sequence[Turn]) -> Embeddings:
    """The table, with the speaker at the middle of each window; of several, the one who began first."""
    own = exclusive_turns(turns)
    starts = np.array([turn.segment.start for turn in own])
    middles = (table.start + table.end) / 2
    at = np.searchsorted(starts, middles, side="right") - 1
    names = [
        own[i].speaker if i >= 0 and middle < own[i].segment.end else ""
        for i, middle in zip(at.tolist(), middles.tolist(), strict=True)
    ]
    return Embeddings(**{**table.columns(), "speaker": np.array(names, np.str_)})
