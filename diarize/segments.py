"""Segments of time, turns of speakers, and the way from labelled windows to turns.

All times are seconds. A segment is half-open: ``start <= t < end``. A window is a segment of fixed length
that gets one embedding. The steps, in the order in which a recording takes them::

    speech   |==================|      |======|       sliding_windows
    windows  [----][----]
                [----][----][----]     [------]       the clusterer labels them,
    labels     0    0  1   1   1           0          smooth_labels votes
    turns    |==0==|=====1======|      |==0===|       label_turns, drop_short_turns, merge_turns
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

TOUCH = 1e-6  # seconds; sums of floats that ought to meet lie this close


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
        When the span is empty, negative or not a number.
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
        """The moment half-way, in seconds."""
        return (self.start + self.end) / 2

    def intersection(self, other: Segment) -> Segment | None:
        """The time that both segments hold, or None when they only touch or lie apart."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Segment(start, end) if start < end else None


@dataclass(frozen=True, order=True, slots=True)
class Turn:
    """A segment of a recording that one speaker holds. A diarization is a sorted list of turns."""

    recording: str
    segment: Segment
    speaker: str


def sliding_windows(
    segments: Iterable[Segment], window: float = 1.5, hop: float = 0.75, min_last: float = 0.001
) -> list[Segment]:
    """Windows of fixed length inside each segment; together they cover it.

    The last window is moved back to end with the segment; a segment shorter than the window is its window::

        |========= segment =========|
        [--window--]
        <-hop->[----------]
                         [----------]

    Parameters
    ----------
    segments : iterable of Segment
        Speech; each is cut on its own.
    window, hop : float
        Seconds a window, and seconds between the starts of windows.
    min_last : float
        Seconds; a rest of the segment that is not longer gets no window of its own.

    Raises
    ------
    ValueError
        When the window or the hop is not positive.
    """
    if not (window > 0 and hop > 0):
        raise ValueError(f"window and hop must be positive, got window={window!r} hop={hop!r}")
    windows = []
    for segment in segments:
        if segment.duration <= window:
            windows.append(segment)
            continue
        n_whole = int((segment.duration - window + TOUCH) / hop) + 1
        starts = [segment.start + i * hop for i in range(n_whole)]
        if segment.end - (starts[-1] + window) > max(min_last, TOUCH):
            starts.append(segment.end - window)
        windows += [Segment(start, min(start + window, segment.end)) for start in starts]
    return windows


def smooth_labels(labels: ArrayLike, windows: Sequence[Segment], n: int) -> NDArray[np.intp]:
    """Labels after a majority vote over n neighbouring windows; shape (n_windows,).

    Only windows without a gap between them vote together, and a tie keeps the label of the centre::

        [----]  [----]  [----]     pause     [----]          n = 3
            [----]  [----]                      [----]
        0   0   1   0   0                    1   1
        0   0   0   0   0                    1   1

    Parameters
    ----------
    labels : (n_windows,) int
    windows : sequence of Segment
        In the order of their starts.
    n : int
        Odd; 1 changes nothing.

    Raises
    ------
    ValueError
        When n is not odd and positive, the lengths differ, or the windows are not in order.
    """
    labels = _as_labels(labels, windows)
    if n < 1 or n % 2 == 0:
        raise ValueError(f"n must be odd and positive, got {n!r}")
    if n == 1 or len(labels) < 3:
        return labels
    starts = np.array([window.start for window in windows])
    ends = np.array([window.end for window in windows])
    if np.any(np.diff(starts) < 0):
        raise ValueError("windows must be in the order of their starts")
    reached = np.maximum.accumulate(ends)
    run = np.concatenate([[0], np.cumsum(starts[1:] > reached[:-1] + TOUCH)])
    at = np.arange(len(labels))
    index = at[:, None] + np.arange(n) - n // 2  # (n_windows, n)
    inside = np.clip(index, 0, len(labels) - 1)
    valid = (index == inside) & (run[inside] == run[:, None])
    voters = labels[inside]
    votes = np.stack([((voters == voters[:, [k]]) & valid).sum(axis=1) for k in range(n)], axis=1) * valid
    winner = voters[at, votes.argmax(axis=1)]
    tied = ((votes == votes.max(axis=1, keepdims=True)) & (voters != winner[:, None])).any(axis=1)
    return np.where(tied, labels, winner)


def label_turns(
    windows: Sequence[Segment],
    labels: ArrayLike,
    speech: Iterable[Segment],
    recording: str,
    names: Mapping[int, str] | Sequence[str] | None = None,
    second: ArrayLike | None = None,
) -> list[Turn]:
    """Turns from labelled windows by the midpoint rule: a moment belongs to the window of the nearest middle.

    So the border between two windows is half-way between their middles::

        speech  |===================================|
        windows [-----0-----]     [------1------]
        middles       ^      |           ^
        turns   |==== 0 =====|========== 1 =========|

    The windows of a speech segment are those with their middle in it; a segment without any takes the nearest
    windows of the recording. Every moment of speech gets a speaker, and no other moment does.

    Parameters
    ----------
    windows : sequence of Segment
    labels : (n_windows,) int
    speech : iterable of Segment
        Segments that overlap are joined first.
    recording : str
        Its id, which the turns carry.
    names : mapping or sequence, optional
        The speaker of each label; without it SPEAKER_00, SPEAKER_01, ... by first appearance in time.
    second : (n_windows,) int, optional
        A second speaker of each window, -1 for none; these turns overlap those of the first.

    Raises
    ------
    ValueError
        When the lengths differ, or there is speech without any window.
    """
    first = _as_labels(labels, windows)
    also = np.full(len(first), -1) if second is None else _as_labels(second, windows)
    middles = np.array([window.middle for window in windows])
    order = np.argsort(middles, kind="stable")
    middles, first, also = middles[order], first[order], also[order]
    borders = (middles[:-1] + middles[1:]) / 2
    pieces: list[tuple[float, bool, float, int]] = []  # start, second, end, label: sorts by first appearance
    for segment in _join(speech, -TOUCH):
        if not len(middles):
            raise ValueError(f"there is speech in {recording!r}, but no window")
        low, high = np.searchsorted(middles, [segment.start, segment.end])
        if low == high:
            low = np.searchsorted(borders, segment.start, side="right")
            high = np.searchsorted(borders, segment.end, side="left") + 1
        edges = np.concatenate([[segment.start], borders[low : high - 1], [segment.end]]).tolist()
        pieces += [
            (start, is_second, end, label)
            for is_second, row in ((False, first), (True, also))
            for start, end, label in zip(edges, edges[1:], row[low:high].tolist(), strict=False)
            if start < end and not (is_second and label == -1)
        ]
    pieces.sort()
    if names is None:
        order_of_appearance = dict.fromkeys(label for *_, label in pieces)
        names = {label: f"SPEAKER_{i:02d}" for i, label in enumerate(order_of_appearance)}
    return merge_turns(
        [Turn(recording, Segment(start, end), names[label]) for start, _, end, label in pieces]
    )


def merge_turns(turns: Iterable[Turn], min_gap: float = 0.0) -> list[Turn]:
    """Turns where those of one speaker are joined over gaps of at most ``min_gap`` seconds.

    Only that speaker's own gap counts; whoever else speaks in it then overlaps, as in ``Annotation.support``
    of pyannote.core::

        A  |=====|  |=====|         |===|       A  |============|         |===|
        B        |==|                      ->   B        |==|
    """
    merged = []
    ordered = sorted(turns, key=_by_speaker)
    for (recording, speaker), own in groupby(ordered, key=lambda turn: (turn.recording, turn.speaker)):
        merged += [
            Turn(recording, segment, speaker)
            for segment in _join((turn.segment for turn in own), min_gap + TOUCH)
        ]
    return sorted(merged)


def drop_short_turns(turns: Iterable[Turn], min_turn: float) -> list[Turn]:
    """Turns where those shorter than ``min_turn`` seconds are given to the longer neighbour that touches.

    In the order of time. A turn that touches no other is kept, so that no speech is lost; a short turn
    inside another one disappears::

        |=====A=====|=B=|==C===|    |=D=|   ->   |=======A=======|==C===|    |=D=|
    """
    kept: list[Turn] = []
    for _, own in groupby(merge_turns(turns), key=lambda turn: turn.recording):
        kept += _drop_short(own, min_turn)
    return merge_turns(kept)


def _drop_short(turns: Iterable[Turn], min_turn: float) -> list[Turn]:
    """``drop_short_turns`` for one recording.

    Turns that lie inside another are set aside. The starts and the ends of the others ascend together, so the
    longest turn that touches one of them is the one before it or the one after it.
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
    """Turns with one speaker at a time: who began first keeps the floor, at one start the longer turn.

    So no turn is cut in two and no speech is lost; a turn inside another one disappears::

        A  |==========|                  A  |==========|
        B          |======|        ->    B             |===|
        C     |==|                       C

    """
    held: list[Turn] = []
    ordered = sorted(turns, key=_first_and_longest)
    for recording, own in groupby(ordered, key=lambda turn: turn.recording):
        # Earlier turns began no later, so they leave of this one the time after the last of their ends.
        reached = 0.0
        for turn in own:
            start = max(turn.segment.start, reached)
            if turn.segment.end - start > TOUCH:
                held.append(Turn(recording, Segment(start, turn.segment.end), turn.speaker))
            reached = max(reached, turn.segment.end)
    return merge_turns(held)


def speech_of(turns: Iterable[Turn]) -> list[Segment]:
    """The time in which anybody speaks, in order and without overlap.

    ::

        A  |=====|        |==|
        B      |=====|             ->   |=========|   |==|

    Raises
    ------
    ValueError
        When the turns come from several recordings.
    """
    turns = list(turns)
    if len(recordings := {turn.recording for turn in turns}) > 1:
        raise ValueError(f"turns of one recording are needed, got {sorted(recordings)}")
    return _join((turn.segment for turn in turns), TOUCH)


def crop(turns: Iterable[Turn], segments: Iterable[Segment]) -> list[Turn]:
    """What lies of the turns inside the segments (of the same recording).

    ::

        turns     |==A==|=====B=====|     |==A==|
        segments     |======|   |============|
        crop         |=A|=B=|   |=B=|     |=A|
    """
    kept = _join(segments, TOUCH)
    starts, ends = [segment.start for segment in kept], [segment.end for segment in kept]
    return sorted(
        replace(turn, segment=common)
        for turn in turns
        for segment in kept[bisect_right(ends, turn.segment.start) : bisect_left(starts, turn.segment.end)]
        if (common := turn.segment.intersection(segment))
    )


def _join(segments: Iterable[Segment], gap: float) -> list[Segment]:
    """The union of segments, in order, with gaps of at most ``gap`` seconds closed."""
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
    """The turn, with the time of another one that touches it."""
    a, b = turn.segment, other.segment
    return replace(turn, segment=Segment(min(a.start, b.start), max(a.end, b.end)))


def _first_and_longest(turn: Turn) -> tuple[str, float, float, str]:
    return turn.recording, turn.segment.start, -turn.segment.end, turn.speaker


def _by_speaker(turn: Turn) -> tuple[str, str, Segment]:
    return turn.recording, turn.speaker, turn.segment


def _as_labels(labels: ArrayLike, windows: Sequence[Segment]) -> NDArray[np.intp]:
    labels = np.asarray(labels)
    if labels.shape != (len(windows),):
        raise ValueError(f"one label a window is needed, got shape {labels.shape} for {len(windows)} windows")
    if labels.size and not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be integers, got {labels.dtype}")
    return labels.astype(np.intp)
