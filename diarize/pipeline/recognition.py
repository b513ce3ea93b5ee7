"""Known people among the speakers of a recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from diarize.clustering.reasons import Recognised, RecognisedSpeaker
from diarize.embedding.embedder import Embedder
from diarize.embedding.table import Embeddings
from diarize.errors import ModelError
from diarize.machine.threads import one_blas_thread
from diarize.pipeline.records import Certainty
from diarize.pipeline.result import Diarization
from diarize.segments import Turn
from diarize.speakers.enrolment import Verifier, assign
from diarize.speakers.voice_table import VoiceTable


def find_verifier(embedder: Embedder) -> Verifier:
    """The law of the scores of a model.

    Raises
    ------
    ModelError
        If the model has none.
    """
    if embedder.verifier is None:
        raise ModelError(
            f"model {embedder.model.name}: has no law of scores; recipes/train_verifier.py makes one"
        )
    return embedder.verifier


def open_known(
    known: VoiceTable | str | Path, embedder: Embedder, what: str = "the table of voices"
) -> VoiceTable:
    """A table of known voices, or that of a file, for the embeddings of this model. `what` is for messages.

    Raises
    ------
    FormatError
        If the file cannot be read or holds no table of voices.
    ModelError
        If another model made the table, or this one has no scores for known voices.
    """
    find_verifier(embedder)
    if not isinstance(known, VoiceTable):
        known, what = VoiceTable.load(known), str(known)
    known.check_model(embedder.made_by, what)
    return known


def recognise(voices: VoiceTable, known: VoiceTable, verifier: Verifier, false_alarms: float) -> Recognised:
    """Which speakers of one recording are which known people, at most one each.

    Parameters
    ----------
    voices : VoiceTable
        The speakers of a recording.
    known : VoiceTable
    verifier : Verifier
        That of the model that made both.
    false_alarms : float
        Share of unknown speakers who get a name.
    """
    needed = verifier.threshold(false_alarms, len(known.names))
    with one_blas_thread():
        scores = verifier.scores(verifier.sides(voices), verifier.sides(known))
    found = assign(scores, needed)
    speakers: list[RecognisedSpeaker] = []
    for row, speaker in enumerate(voices.names):
        column = found.get(row)
        nearest = int(scores[row].argmax()) if column is None and len(known.names) else column
        speakers.append(
            {
                "speaker": speaker,
                "name": None if column is None else known.names[column],
                "nearest": None if nearest is None else known.names[nearest],
                "score": None if nearest is None else round(float(scores[row, nearest]), 2),
                "seconds": round(float(voices.seconds[row]), 2),
            }
        )
    return {"false_alarms": false_alarms, "needed": round(needed, 2), "speakers": speakers}


def name_speakers(diarization: Diarization, known: VoiceTable, verifier: Verifier) -> Diarization:
    """The diarization with the names of known people in place of their numbers; others keep theirs."""
    found = recognise(diarization.voices, known, verifier, diarization.config.known.false_alarms)
    names = {each["speaker"]: each["name"] for each in found["speakers"] if each["name"] is not None}

    def name(turn: Turn) -> Turn:
        return replace(turn, speaker=names.get(turn.speaker, turn.speaker))

    def name_both(pairs: Iterable[tuple[Turn, Certainty]]) -> list[tuple[Turn, Certainty]]:
        named = [
            (name(turn), sure._replace(alternative=names.get(sure.alternative or "", sure.alternative)))
            for turn, sure in pairs
        ]
        return sorted(named, key=lambda pair: pair[0])

    certainty = diarization.certainty
    if certainty is not None:
        certainty = [sure for _, sure in name_both(zip(diarization.turns, certainty, strict=True))]
    return replace(
        diarization,
        turns=sorted(map(name, diarization.turns)),
        certainty=certainty,
        doubtful=name_both(diarization.doubtful),
        embeddings=rename(diarization.embeddings, names),
        evidence={**diarization.evidence, "known": found},
    )


def rename(table: Embeddings, names: Mapping[str, str]) -> Embeddings:
    """A table of embeddings with other names of speakers; those without another name keep theirs."""
    if table.speaker is None:
        return table
    speaker = np.array([names.get(each, each) for each in table.speaker.tolist()], np.str_)
    return replace(table, speaker=speaker)
