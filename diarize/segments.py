"""Segments of time, turns of speakers, and operations on both.

All times are seconds. A segment is half-open: ``start <= t < end``.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

TOUCH = 1e-6  # seconds; two times that differ by no more are equal up to rounding
MOST_SPEAKERS = 100_000  # in one recording; a larger number is a typing error

# Invisible characters: soft hyphens, zero-width spaces, byte order marks, direction marks. The zero-width
# joiners may change the shape of letters, so they stay inside a name.
_INVISIBLE = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_JOINERS = "\u200c\u200d"
_NO_BREAK = dict.fromkeys(map(ord, "\u00a0\u2007\u202f"), " ")


@dataclass(frozen=True, order=True, slots=True)
class Segment:
    """A span of time that is never empty.

    ::

        0 ------ start |==== segment ====| end ------> seconds

    Parameters
    ----------
    start, end : float
        Seconds, ``0 <= start < end``.

    Raises
    ------
    ValueError
        If the span is empty, starts before 0, or a time is not a finite number.

    Examples
    --------
    >>> Segment(1.0, 2.5).duration
    1.5
    >>> Segment(0, 2).intersection(Segment(1, 3))
    Segment(start=1, end=2)
    """

    start: float
    end: float

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end < float("inf"):
            raise ValueError(f"a segment needs 0 <= start < end, got start={self.start!r} end={self.end!r}")

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    @property
    def middle(self) -> float:
        """The time half-way between start and end, in seconds."""
        return (self.start + self.end) / 2

    def intersection(self, other: Segment) -> Segment | None:
        """The time that both segments share, or None if they only touch or lie apart."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Segment(start, end) if start < end else None


def normal_name(name: str) -> str:
    """A name in the form in which names are compared: Unicode's normal form C, no invisible characters.

    "é" becomes one character, a no-break space a blank; zero-width spaces and direction marks are removed.
    If this changes the name, blanks around it are removed as well.
    """
    if name.isascii():
        return name
    plain = _INVISIBLE.sub("", name).translate(_NO_BREAK).strip(_JOINERS)
    if plain != name:
        plain = plain.strip(f" {_JOINERS}")
    return unicodedata.normalize("NFC", plain)


@dataclass(frozen=True, order=True, slots=True)
class Turn:
    """A segment of a recording in which one speaker speaks. A diarization is a sorted list of turns.

    Both names are stored in the form in which names are compared (`normal_name`).

    Examples
    --------
    >>> Turn("meeting", Segment(0, 2), "Ann").speaker
    'Ann'
    """

    recording: str
    segment: Segment
    speaker: str

    def __post_init__(self) -> None:
        if not (self.recording.isascii() and self.speaker.isascii()):
            object.__setattr__(self, "recording", normal_name(self.recording))
            object.__setattr__(self, "speaker", normal_name(self.speaker))


def merge_turns(turns: Iterable[Turn]) -> list[Turn]:
    """The turns, with those of one speaker that touch or overlap merged.

    ::

        A  |====|====|    |===|         A  |=========|    |===|
        B       |==|              ->    B       |==|
    """
    merged = []
    ordered = sorted(turns, key=_by_speaker)
    for (recording, speaker), own in groupby(ordered, key=lambda turn: (turn.recording, turn.speaker)):
        merged += [
            Turn(recording, segment, speaker) for segment in join_segments((t.segment for t in own), TOUCH)
        ]
    return sorted(merged)


def close_pauses(turns: Iterable[Turn], longest: float) -> list[Turn]:
    """The turns, with silences of at most ``longest`` seconds closed between turns of one speaker.

    A silence is time in which no speaker speaks. It is closed for each speaker who speaks on both sides of
    it, and so becomes overlap only where the same speakers overlap on both sides::

        A  |=====|  |=====|   |==|         A  |============|   |==|
        B                  |==|      |==|  B                |==|      |==|
    """
    closed: list[Turn] = []
    for recording, own in groupby(merge_turns(turns), key=lambda turn: turn.recording):
        held = list(own)
        speech = speech_of(held)
        starts = [segment.start for segment in speech]
        begin: list[set[str]] = [set() for _ in speech]  # the speakers at the start of each stretch of speech
        end: list[set[str]] = [set() for _ in speech]  # and those at its end
        for turn in held:
            i = bisect_right(starts, turn.segment.start + TOUCH) - 1
            if turn.segment.start <= speech[i].start + TOUCH:
                begin[i].add(turn.speaker)
            if turn.segment.end >= speech[i].end - TOUCH:
                end[i].add(turn.speaker)
        for i, (before, behind) in enumerate(pairwise(speech)):
            if behind.start - before.end <= longest + TOUCH:
                pause = Segment(before.end, behind.start)
                closed += [Turn(recording, pause, speaker) for speaker in end[i] & begin[i + 1]]
        closed += held
    return merge_turns(closed)


def drop_short_turns(turns: Iterable[Turn], min_turn: float) -> list[Turn]:
    """The turns, with each one shorter than ``min_turn`` seconds given to its longer neighbour.

    A neighbour is a turn that touches it. Turns are visited in the order of time. A turn without a neighbour
    is kept, so no speech is lost; a short turn inside another one disappears::

        |=====A=====|=B=|==C===|    |=D=|   ->   |=======A=======|==C===|    |=D=|
    """
    kept: list[Turn] = []
    for _, own in groupby(merge_turns(turns), key=lambda turn: turn.recording):
        kept += _drop_short(own, min_turn)
    return merge_turns(kept)


def _drop_short(turns: Iterable[Turn], min_turn: float) -> list[Turn]:
    """``drop_short_turns`` for one recording.

    Turns inside another one are handled apart. The starts and the ends of the other turns are in the same
    order, so the longest turn that touches one of them is the previous or the next one.
    """
    inside: list[Turn] = []
    outer: list[Turn] = []
    for turn in [*sorted(turns, key=_first_and_longest), None]:
        if turn and outer and turn.segment.end <= outer[-1].segment.end:
            inside += [turn] if turn.segment.duration > min_turn - TOUCH else []
            continue
        if outer and outer[-1].segment.duration < min_turn - TOUCH:
            short = outer.pop()
            left = outer[-1] if outer and _touch(outer[-1], short) else None
            right = turn if turn and _touch(short, turn) else None
            if left and (right is None or left.segment.duration >= right.segment.duration):
                outer[-1] = _grown(left, short)
            elif right:
                turn = _grown(right, short)
            else:
                outer.append(short)
        if turn and outer and outer[-1].speaker == turn.speaker and _touch(outer[-1], turn):
            turn = _grown(turn, outer.pop())
        outer += [turn] if turn else []
    return inside + outer


def exclusive_turns(turns: Iterable[Turn]) -> list[Turn]:
    """The turns, cut so that one speaker speaks at any time: the speaker who began first keeps speaking.

    Of two turns with the same start, the longer one stays. No turn is cut in two and no speech is lost; a
    turn inside another one disappears::

        A  |==========|                  A  |==========|
        B          |======|        ->    B             |===|
        C     |==|                       C

    Examples
    --------
    >>> turns = [Turn("a", Segment(0, 4), "Ann"), Turn("a", Segment(3, 6), "Bob")]
    >>> [(turn.speaker, turn.segment.start, turn.segment.end) for turn in exclusive_turns(turns)]
    [('Ann', 0, 4), ('Bob', 4, 6)]
    """
    held: list[Turn] = []
    ordered = sorted(turns, key=_first_and_longest)
    for recording, own in groupby(ordered, key=lambda turn: turn.recording):
        # All previous turns began no later, so what remains of this one is the time after their latest end.
        reached = 0.0
        for turn in own:
            start = max(turn.segment.start, reached)
            if turn.segment.end - start > TOUCH:
                held.append(Turn(recording, Segment(start, turn.segment.end), turn.speaker))
            reached = max(reached, turn.segment.end)
    return merge_turns(held)


def speech_of(turns: Iterable[Turn]) -> list[Segment]:
    """The time in which at least one speaker speaks, in order and without overlap.

    ::

        A  |=====|        |==|
        B      |=====|             ->   |=========|   |==|

    Raises
    ------
    ValueError
        If the turns come from several recordings.
    """
    turns = list(turns)
    if len(recordings := {turn.recording for turn in turns}) > 1:
        raise ValueError(f"turns of one recording are needed, got {sorted(recordings)}")
    return join_segments((turn.segment for turn in turns), TOUCH)


def crop(turns: Iterable[Turn], segments: Iterable[Segment]) -> list[Turn]:
    """The parts of the turns that lie inside the segments (of the same recording).

    ::

        turns     |==A==|=====B=====|     |==A==|
        segments     |======|   |============|
        crop         |=A|=B=|   |=B=|     |=A|
    """
    kept = join_segments(segments, TOUCH)
    starts, ends = [segment.start for segment in kept], [segment.end for segment in kept]
    return sorted(
        replace(turn, segment=common)
        for turn in turns
        for segment in kept[bisect_right(ends, turn.segment.start) : bisect_left(starts, turn.segment.end)]
        if (common := turn.segment.intersection(segment))
    )


def join_segments(segments: Iterable[Segment], gap: float = -TOUCH) -> list[Segment]:
    """The union of segments, in order, with gaps of at most ``gap`` seconds closed.

    By default only segments that overlap are joined.
    """
    joined: list[Segment] = []
    for segment in sorted(segments):
        if joined and segment.start <= joined[-1].end + gap:
            joined[-1] = Segment(joined[-1].start, max(joined[-1].end, segment.end))
        else:
            joined.append(segment)
    return joined


def _touch(earlier: Turn, later: Turn) -> bool:
    return later.segment.start <= earlier.segment.end + TOUCH


def _grown(turn: Turn, other: Turn) -> Turn:
    """The turn, extended by another one that touches it."""
    a, b = turn.segment, other.segment
    return replace(turn, segment=Segment(min(a.start, b.start), max(a.end, b.end)))


def _first_and_longest(turn: Turn) -> tuple[str, float, float, str]:
    return turn.recording, turn.segment.start, -turn.segment.end, turn.speaker


def _by_speaker(turn: Turn) -> tuple[str, str, Segment]:
    return turn.recording, turn.speaker, turn.segment
