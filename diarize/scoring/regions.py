"""Where the errors of a diarization are: the time of each miss, false alarm and confusion."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from diarize.segments import TOUCH, Segment, Turn, join_segments

Kind = Literal["missed", "false alarm", "confusion"]


@dataclass(frozen=True, order=True, slots=True)
class ErrorRegion:
    """A span in which a result is wrong in one way.

    Attributes
    ----------
    segment : Segment
    kind : str
        "missed", "false alarm" or "confusion".
    n_speakers : int
        How many speakers are wrong at once in this way; their seconds count that many times in DER.
    speakers : tuple of str
        Who speaks there, by the names of the reference; nobody if empty.
    """

    segment: Segment
    kind: Kind
    n_speakers: int
    speakers: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Seconds that count in DER."""
        return self.segment.duration * self.n_speakers


class TurnErrors(NamedTuple):
    """Scored seconds of a turn."""

    right: float
    """Its speaker talks."""
    confused: float
    """Others talk."""
    false: float
    """Nobody talks."""


def find_errors(
    reference: Iterable[Turn],
    hypothesis: Iterable[Turn],
    *,
    scored: Sequence[Segment] | None = None,
    collar: float = 0.0,
) -> list[ErrorRegion]:
    """The errors of a hypothesis against the reference of the same recording, in order of time.

    Their seconds add up to the parts of DER that `diarize.scoring.der.score_diarization` gives under the same
    conditions. In overlap, a span can hold errors of two kinds::

        reference    |======= A =======|
                            |==== B ====|
        hypothesis   |== a ==|          |== a ==|
        errors               |conf.| missed | false alarm ...

    Parameters
    ----------
    reference, hypothesis : iterable of Turn
        Of one recording.
    scored : sequence of Segment, optional
        The time to score; by default, all time.
    collar : float
        Seconds left out on each side of every reference boundary.

    References
    ----------
    The parts of DER: NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan".
    """
    spans, names = _scored_spans(reference, hypothesis, scored, collar)
    errors: list[ErrorRegion] = []
    for segment, true, heard in spans:
        n_right = len(true & {names.get(each) for each in heard})
        n_confused = min(len(true), len(heard)) - n_right
        kinds: tuple[tuple[Kind, int], ...] = (
            ("missed", len(true) - len(heard)),
            ("false alarm", len(heard) - len(true)),
            ("confusion", n_confused),
        )
        who = tuple(sorted(true))
        errors += [ErrorRegion(segment, kind, n, who) for kind, n in kinds if n > 0]
    return _joined(errors)


def find_turn_errors(
    reference: Iterable[Turn],
    hypothesis: Sequence[Turn],
    *,
    scored: Sequence[Segment] | None = None,
    collar: float = 0.0,
) -> list[TurnErrors]:
    """The errors within each turn of a hypothesis, in its order. Parameters are those of `find_errors`."""
    spans, names = _scored_spans(reference, hypothesis, scored, collar)
    ends = [segment.end for segment, *_ in spans]
    errors = []
    for turn in hypothesis:
        seconds = {"right": 0.0, "confused": 0.0, "false": 0.0}
        for segment, true, _ in spans[bisect_right(ends, turn.segment.start) :]:
            if segment.start >= turn.segment.end:
                break
            common = segment.intersection(turn.segment)
            kind = "right" if names.get(turn.speaker) in true else "confused" if true else "false"
            seconds[kind] += common.duration if common else 0.0
        errors.append(TurnErrors(**seconds))
    return errors


_Span = tuple[Segment, frozenset[str], frozenset[str]]
"""A span within which nobody begins or ends, and who speaks by reference and by hypothesis."""


def _scored_spans(
    reference: Iterable[Turn], hypothesis: Iterable[Turn], scored: Sequence[Segment] | None, collar: float
) -> tuple[list[_Span], dict[str, str]]:
    """The scored spans in order, and the reference speaker of each found one."""
    truth, found = _by_speaker(reference), _by_speaker(hypothesis)
    left_out = [
        Segment(max(0.0, time - collar), time + collar)
        for segments in truth.values()
        for segment in segments
        for time in (segment.start, segment.end)
        if collar > 0
    ]
    spans = _spans(truth, found, left_out, scored)
    return spans, _map_speakers(spans)


def _by_speaker(turns: Iterable[Turn]) -> dict[str, list[Segment]]:
    own: dict[str, list[Segment]] = {}
    for turn in sorted(turns):
        own.setdefault(turn.speaker, []).append(turn.segment)
    return {speaker: join_segments(segments) for speaker, segments in own.items()}


def _spans(
    truth: Mapping[str, Sequence[Segment]],
    found: Mapping[str, Sequence[Segment]],
    left_out: Sequence[Segment],
    scored: Sequence[Segment] | None,
) -> list[_Span]:
    """All scored time in which somebody speaks, cut wherever anything changes."""
    changes: list[tuple[float, int, str, str]] = []
    for side, speakers in (("truth", truth), ("found", found)):
        for speaker, segments in speakers.items():
            changes += [(s.start, 1, side, speaker) for s in segments]
            changes += [(s.end, -1, side, speaker) for s in segments]
    changes += [(time, step, "out", "") for s in left_out for time, step in ((s.start, 1), (s.end, -1))]
    if scored is not None:
        joined = join_segments(scored)
        changes += [(time, step, "in", "") for s in joined for time, step in ((s.start, 1), (s.end, -1))]
    now = {"truth": Counter[str](), "found": Counter[str](), "out": Counter[str](), "in": Counter[str]()}
    spans: list[_Span] = []
    changes.sort(key=lambda change: change[0])
    for (start, step, side, speaker), (end, *_) in pairwise([*changes, (float("inf"), 0, "out", "")]):
        now[side][speaker] += step
        if end - start <= TOUCH or now["out"][""] or (scored is not None and not now["in"][""]):
            continue
        true, heard = (frozenset(name for name, n in now[which].items() if n) for which in ("truth", "found"))
        if true or heard:
            spans.append((Segment(start, end), true, heard))
    return spans


def _map_speakers(spans: Iterable[_Span]) -> dict[str, str]:
    """The reference speaker of each found one: the one-to-one map with the most common time."""
    common: dict[tuple[str, str], float] = defaultdict(float)
    for segment, true, heard in spans:
        for a, b in product(true, heard):
            common[a, b] += segment.duration
    rows = sorted({a for a, _ in common})
    columns = sorted({b for _, b in common})
    seconds = np.array([[common[a, b] for b in columns] for a in rows]).reshape(len(rows), len(columns))
    chosen = zip(*linear_sum_assignment(-seconds), strict=True)
    return {columns[j]: rows[i] for i, j in chosen if seconds[i, j] > 0}


def _joined(errors: Sequence[ErrorRegion]) -> list[ErrorRegion]:
    """The errors in order, with equal ones that touch joined."""
    joined: list[ErrorRegion] = []
    last: dict[Kind, int] = {}
    for error in errors:
        place = last.get(error.kind)
        if place is not None:
            before = joined[place]
            same = (before.n_speakers, before.speakers) == (error.n_speakers, error.speakers)
            if same and error.segment.start - before.segment.end <= TOUCH:
                segment = Segment(before.segment.start, error.segment.end)
                joined[place] = ErrorRegion(segment, error.kind, error.n_speakers, error.speakers)
                continue
        last[error.kind] = len(joined)
        joined.append(error)
    return sorted(joined)
