"""The turns that are worth a second look: those in which the most seconds are expected to be wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from diarize.audio import SAMPLE_RATE, Samples, stream_audio
from diarize.errors import DiarizeError
from diarize.files.atomic import atomic_path
from diarize.pipeline.records import Certainty
from diarize.report.page_sources import PageSource
from diarize.segments import Segment, Turn

CONTEXT = 0.5
"""Seconds of a clip on each side of its turn."""


@dataclass(frozen=True)
class DoubtfulTurn:
    """A turn of a result whose confidence is known.

    Attributes
    ----------
    source : PageSource
        The result, and its audio if that is known.
    turn : Turn
    certainty : Certainty
    left_out : bool
        Whether the result leaves it out, because its confidence is below ``turns.min_confidence``.
    """

    source: PageSource
    turn: Turn
    certainty: Certainty
    left_out: bool = False

    @property
    def wrong(self) -> float:
        """Seconds that are expected to be wrong: the duration times one less the confidence."""
        return self.turn.segment.duration * (1 - self.certainty.confidence)


def list_doubtful(sources: Iterable[PageSource]) -> list[DoubtfulTurn]:
    """The turns of results, and those that were left out, by the seconds expected to be wrong, most first.

    Turns without a confidence, which somebody has decided or another tool has found, are no part of it.

    Raises
    ------
    DiarizeError
        If a result cannot be read, or none has a turn with a confidence.
    """
    found: list[DoubtfulTurn] = []
    paths: list[Path] = []
    for source in sources:
        result = source.read()
        paths.append(source.path)
        alternatives = result.alternatives or [None] * len(result.turns)
        for turn, sure, other in zip(result.turns, result.confidence, alternatives, strict=True):
            if sure is not None:
                found.append(DoubtfulTurn(source, turn, Certainty(sure, other)))
        found += [DoubtfulTurn(source, *each, left_out=True) for each in result.doubtful.items()]
    if not found:
        raise DiarizeError(
            f"{', '.join(map(str, paths[:3]))}: no turn has a confidence; JSON of `diarize run` has, "
            "by a model with a back end"
        )
    return sorted(found, key=lambda each: (-each.wrong, each.certainty.confidence, each.turn))


def cut_clips(audio: Path, segments: Sequence[Segment]) -> list[Samples]:
    """The samples of segments of a recording, mono at 16 kHz. It is read once, from its beginning.

    Raises
    ------
    AudioError
        If the recording cannot be read.
    """
    parts: list[list[Samples]] = [[] for _ in segments]
    limits = [(round(each.start * SAMPLE_RATE), round(each.end * SAMPLE_RATE)) for each in segments]
    read = 0
    for block in stream_audio(audio):
        for own, (start, end) in zip(parts, limits, strict=True):
            own.append(block[max(0, start - read) : max(0, end - read)])
        read += len(block)
    return [np.concatenate(own) if own else np.zeros(0, np.float32) for own in parts]


def write_clips(turns: Sequence[DoubtfulTurn], paths: Sequence[Path]) -> None:
    """Write the sound of each turn, with half a second on each side, as WAV.

    Raises
    ------
    DiarizeError
        If a turn has no audio, or a file cannot be read or written.
    """
    wanted: dict[Path, list[int]] = {}
    for number, each in enumerate(turns):
        if each.source.audio is None:
            raise DiarizeError(f"{each.source.path}: recording {each.turn.recording} has no audio in --audio")
        wanted.setdefault(each.source.audio, []).append(number)
    for audio, numbers in wanted.items():
        spans = [turns[number].turn.segment for number in numbers]
        around = [Segment(max(0.0, span.start - CONTEXT), span.end + CONTEXT) for span in spans]
        for number, samples in zip(numbers, cut_clips(audio, around), strict=True):
            with atomic_path(paths[number]) as path:
                soundfile.write(path, samples, SAMPLE_RATE, format="WAV")
