"""`Diarization`, the result: turns, embeddings, and the reason for the number of speakers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diarize.clustering.reasons import Evidence
from diarize.config import Config
from diarize.embedding.table import Embeddings
from diarize.embedding.voices import voices_of
from diarize.files.text import write_text
from diarize.formats.json_format import format_json, list_speakers, list_turns
from diarize.formats.objects import to_annotation, to_dataframe
from diarize.formats.rttm import render as render_rttm
from diarize.formats.svg import draw_timeline
from diarize.pipeline.records import Certainty
from diarize.segments import Turn, exclusive_turns
from diarize.speakers.voice_table import VoiceTable

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyannote.core import Annotation


@dataclass(frozen=True, eq=False)
class Diarization:
    """Who spoke when in one recording, and why there are this many speakers.

    Attributes
    ----------
    recording : str
        Id of the recording.
    duration : float
        Length of the recording in seconds.
    turns : list of Turn
        Sorted; turns of different speakers may overlap.
    embeddings : Embeddings
        One row for each window, with its speaker.
    evidence : Evidence
        The reason for the number of speakers: a sentence, the numbers considered and their scores.
    config : Config
        The settings of the run.
    model : str
        Name and fingerprint of the embedding model.
    seconds : dict
        Wall-clock seconds of each stage.
    certainty : sequence of Certainty, optional
        Of each turn, the `confidence` that it is its speaker's, and the `alternative`, the speaker who is
        next in likelihood; None if it is unknown, as without a back end.
    doubtful : sequence of (Turn, Certainty)
        Turns that were left out because their confidence is below ``turns.min_confidence``.
    """

    recording: str
    duration: float
    turns: list[Turn]
    embeddings: Embeddings
    evidence: Evidence
    config: Config = field(repr=False)
    model: str
    seconds: Mapping[str, float] = field(repr=False)
    certainty: Sequence[Certainty] | None = field(default=None, repr=False)
    doubtful: Sequence[tuple[Turn, Certainty]] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        # Copies, because the caller may change the arguments later.
        object.__setattr__(self, "turns", list(self.turns))
        object.__setattr__(self, "evidence", deepcopy(self.evidence))
        object.__setattr__(self, "config", self.config.model_copy(deep=True))
        object.__setattr__(self, "seconds", dict(self.seconds))

    @property
    def exclusive(self) -> list[Turn]:
        """The turns with one speaker at any time: the speaker who began first keeps speaking."""
        return exclusive_turns(self.turns)

    @property
    def confidence(self) -> list[float] | None:
        """The share of each turn, 0 to 1, in which its speaker is expected to talk; None if it is unknown."""
        return None if self.certainty is None else [each.confidence for each in self.certainty]

    @property
    def speakers(self) -> list[str]:
        """The speakers in order of first appearance."""
        return list(dict.fromkeys(turn.speaker for turn in self.turns))

    @property
    def voices(self) -> VoiceTable:
        """The voice of each speaker: the mean of its embeddings. It can be saved, and is biometric data."""
        return voices_of(self.embeddings, self.model, self.recording)

    def to_rttm(self, path: str | Path | None = None) -> str:
        """The turns as RTTM; also written to `path`, if given."""
        return _text(render_rttm(self.turns), path)

    def to_json(self, path: str | Path | None = None) -> str:
        """Everything except the embeddings as JSON (docs/formats.md); also written to `path`, if given."""
        document = {
            "recording": self.recording,
            "duration": self.duration,
            "speakers": list_speakers(self.turns),
            "turns": _entries(self.turns, self.certainty),
            "exclusive": list_turns(self.exclusive),
            "evidence": {
                **self.evidence,
                "candidates": [
                    {**candidate, "score": round(candidate["score"], 4)}
                    for candidate in self.evidence["candidates"]
                ],
            },
            "settings": self.config.model_dump(),
            "model": self.model,
        }
        if self.doubtful:
            document["doubtful"] = _entries(*zip(*self.doubtful, strict=True))
        return _text(format_json(document), path)

    def to_pyannote(self) -> Annotation:
        """The turns as an Annotation of pyannote.core. Errors: see `diarize.formats.to_annotation`."""
        return to_annotation(self.turns, self.recording)

    def to_dataframe(self) -> DataFrame:
        """The turns as a table of pandas: recording, start, end, speaker and, if it is known, confidence.

        Errors are those of `diarize.formats.to_dataframe`.
        """
        return to_dataframe(self.turns, self.confidence)

    def _repr_html_(self) -> str:
        return draw_timeline(self.turns, self.duration)


def _entries(turns: Sequence[Turn], certainty: Sequence[Certainty] | None) -> list[dict[str, Any]]:
    """Sorted turns as entries of the document."""
    entries = list_turns(turns)
    for entry, sure in zip(entries, certainty or [], strict=False):
        entry |= {name: value for name, value in sure._asdict().items() if value is not None}
    return entries


def _text(text: str, path: str | Path | None) -> str:
    if path is not None:
        write_text(text, path)
    return text
