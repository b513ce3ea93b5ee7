"""The result of the main job: turns, embeddings, and why there are this many speakers."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from diarize.clustering.reasons import Evidence
from diarize.config import Config
from diarize.embedding.table import Embeddings
from diarize.files.text import write_text
from diarize.formats.json_format import format_json, list_speakers, list_turns
from diarize.formats.rttm import render as render_rttm
from diarize.formats.svg import draw_timeline
from diarize.machine.quiet_imports import import_matplotlib
from diarize.segments import Turn, exclusive_turns

if TYPE_CHECKING:
    from pyannote.core import Annotation


@dataclass(frozen=True, eq=False)
class Diarization:
    """Who spoke when in one recording, and why the answer is what it is.

    Attributes
    ----------
    recording : str
        Its id: the file's name without suffix.
    duration : float
        Seconds.
    turns : list of Turn
        Sorted; turns of different speakers may overlap.
    embeddings : Embeddings
        One row a window, with the speaker it was given to.
    evidence : Evidence
        Why this number of speakers: a reason in words, the numbers considered and their scores.
    config : Config
        The settings it was made with.
    model : str
        Name and fingerprint of the embedding model.
    seconds : dict
        Wall-clock seconds of each stage.
    """

    recording: str
    duration: float
    turns: list[Turn]
    embeddings: Embeddings
    evidence: Evidence
    config: Config = field(repr=False)
    model: str
    seconds: Mapping[str, float] = field(repr=False)

    def __post_init__(self) -> None:
        # Copies: a caller may go on to change what was given.
        object.__setattr__(self, "turns", list(self.turns))
        object.__setattr__(self, "evidence", deepcopy(self.evidence))
        object.__setattr__(self, "config", self.config.model_copy(deep=True))
        object.__setattr__(self, "seconds", dict(self.seconds))

    @property
    def exclusive(self) -> list[Turn]:
        """The turns with one speaker at a time: who began first keeps the floor."""
        return exclusive_turns(self.turns)

    @property
    def speakers(self) -> list[str]:
        """The speakers in the order in which they first appear."""
        return list(dict.fromkeys(turn.speaker for turn in self.turns))

    def to_rttm(self, path: str | Path | None = None) -> str:
        """The turns as RTTM text, also written to `path` if given."""
        return _text(render_rttm(self.turns), path)

    def to_json(self, path: str | Path | None = None) -> str:
        """All but the vectors as a JSON document (docs/formats.md), also written to `path` if given."""
        document = {
            "recording": self.recording,
            "duration": self.duration,
            "speakers": list_speakers(self.turns),
            "turns": list_turns(self.turns),
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
        return _text(format_json(document), path)

    def to_pyannote(self) -> Annotation:
        """The turns as an Annotation of pyannote.core."""
        import_matplotlib()  # or pyannote.core does, which writes into the home folder
        from pyannote.core import Annotation
        from pyannote.core import Segment as PyannoteSegment

        annotation = Annotation(uri=self.recording)
        for track, turn in enumerate(self.turns):
            annotation[PyannoteSegment(turn.segment.start, turn.segment.end), track] = turn.speaker
        return annotation

    def _repr_html_(self) -> str:
        return draw_timeline(self.turns, self.duration)


def _text(text: str, path: str | Path | None) -> str:
    if path is not None:
        write_text(text, path)
    return text
