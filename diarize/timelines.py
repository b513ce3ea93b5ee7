"""Two timelines: where turns differ, turns with parts of others, segments without others.

Turns of one speaker do not overlap within a timeline, as `merge_turns` leaves them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from diarize.segments import Segment, Turn, crop, merge_turns


def differences(
    first: Iterable[Turn], second: Iterable[Turn], within: Segment, shortest: float = 0.1
) -> list[Segment]:
    """The segments within another one in which not the same speakers speak, if they are not too short.

    ::

        first        |==A==|==B==|
        second       |====A===|=B|
        differences        |--|
    """
    steps = sorted(
        (time, turn.speaker, way)
        for turns, sign in ((first, 1), (second, -1))
        for turn in crop(turns, [within])
        for time, way in ((turn.segment.start, sign), (turn.segment.end, -sign))
    )
    more: Counter[str] = Counter()  # 1: the speaker speaks in the first alone, -1: in the second alone
    found: list[Segment] = []
    start: float | None = None
    for time, group in groupby(steps, key=lambda step: step[0]):
        for _, speaker, way in group:
            more[speaker] += way
        differ = any(more.values())
        if differ and start is None:
            start = time
        elif not differ and start is not None:
            found.append(Segment(start, time))
            start = None
    return [segment for segment in found if segment.duration >= shortest]


def replace_parts(turns: Iterable[Turn], parts: Sequence[Segment], others: Iterable[Turn]) -> list[Turn]:
    """The turns with those of another version within the parts (sorted, not overlapping)."""
    edges = [float("-inf"), *(time for part in parts for time in (part.start, part.end)), float("inf")]
    turns = list(turns)
    latest = max([0.0, *(turn.segment.end for turn in turns)])
    rest = [
        Segment(max(start, 0.0), min(end, latest))
        for start, end in list(pairwise(edges))[::2]
        if max(start, 0.0) < min(end, latest)
    ]
    return merge_turns([*crop(turns, rest), *crop(others, parts)])


def without(segments: Iterable[Segment], others: Sequence[Segment]) -> list[Segment]:
    """The time of segments that is in no other one; both are sorted and do not overlap.

    ::

        segments  |=======|    |=====|
        others       |--|    |---|
        without   |==|  |=|      |===|
    """
    left = []
    for segment in segments:
        start = segment.start
        for other in others:
            if other.end <= start:
                continue
            if other.start >= segment.end:
                break
            if other.start > start:
                left.append(Segment(start, other.start))
            start = other.end
        if start < segment.end:
            left.append(Segment(start, segment.end))
    return left


def speaker_of(span: Segment, turns: Iterable[Turn]) -> str | None:
    """Who has most of a span; None if nobody has any."""
    seconds: dict[str, float] = {}
    for turn in turns:
        common = turn.segment.intersection(span)
        if common is not None:
            seconds[turn.speaker] = seconds.get(turn.speaker, 0.0) + common.duration
    return max(seconds, key=seconds.__getitem__, default=None)
