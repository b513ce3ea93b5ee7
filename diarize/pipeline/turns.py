"""Labelled windows to turns.

::

    windows  [----][----]
                [----][----][----]     [------]
    labels     0    0  1   1   1           0          smooth_labels votes
    turns    |==0==|=====1======|      |==0===|       label_turns, drop_short_turns, merge_turns
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import compress

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diarize.config import TurnConfig
from diarize.pipeline.records import Certainty, Labelled, NamedTurns
from diarize.segments import (
    TOUCH,
    Segment,
    Turn,
    close_pauses,
    crop,
    drop_short_turns,
    join_segments,
    merge_turns,
)
from diarize.speech.detect import Heard
from diarize.speech.local import FRAME_LENGTH


def turns(labelled: Labelled, heard: Heard, config: TurnConfig, recording: str = "") -> NamedTurns:
    """Turns from labelled segments. SPEAKER_00 speaks first.

    With local speakers, the segments are those of each speaker, and may overlap. Without them, in overlapping
    speech, the other speaker who is nearest in time has a turn as well::

        speech    |==========================|
        overlap        |=====|           |===|
        spans     [---A---][---B---][---B----]
        others    [---B---][---A---][---A----]
        turns     |====A=====|           |=A=|
                       |==========B==========|

    Parameters
    ----------
    labelled : Labelled
        Segments in the order of their starts.
    heard : Heard
        Speech, and overlap within it.
    config : TurnConfig
    recording : str
        Id for the turns.

    References
    ----------
    Chow: On optimum recognition error and reject tradeoff, IEEE Transactions on Information Theory 16, 1970
    (turns that are left out).
    """
    spans = labelled.spans
    if not spans:
        return NamedTurns([], {})
    labels = labelled.labels
    if heard.local is not None:
        said = (Turn(recording, span, str(label)) for span, label in zip(spans, labels, strict=True))
        found = crop(merge_turns(said), heard.segments)
    else:
        labels = smooth_labels(labels, spans, config.smoothing)
        names = {int(label): str(label) for label in {*labels}}
        found = label_turns(spans, labels, heard.segments, recording, names)
        if len(names) > 1:
            found += label_turns(spans, other_labels(labels, spans), heard.overlap, recording, names)
    found = close_pauses(drop_short_turns(found, config.min_turn), config.min_gap)
    order = dict.fromkeys(turn.speaker for turn in found)
    speakers = {label: f"SPEAKER_{number:02d}" for number, label in enumerate(order)}
    renamed = sorted(replace(turn, speaker=speakers[turn.speaker]) for turn in found)
    names = {int(label): speaker for label, speaker in speakers.items()}
    if labelled.posteriors is None:
        return NamedTurns(renamed, names)
    posteriors = {speaker: labelled.posteriors[:, label] for label, speaker in names.items()}
    sure = [certainty_of(turn, posteriors) for turn in renamed]
    kept = [each.confidence >= config.min_confidence for each in sure]
    return NamedTurns(
        [*compress(renamed, kept)],
        names,
        [*compress(sure, kept)],
        [pair for pair, keep in zip(zip(renamed, sure, strict=True), kept, strict=True) if not keep],
    )


def certainty_of(turn: Turn, posteriors: Mapping[str, NDArray[np.float32]]) -> Certainty:
    """The mean over a turn of the posteriors (n_frames,): that of its speaker, and whose is the next."""
    first, behind = (round(time / FRAME_LENGTH) for time in (turn.segment.start, turn.segment.end))
    means = {name: float(each[first : max(behind, first + 1)].mean()) for name, each in posteriors.items()}
    confidence = round(means.pop(turn.speaker), 2)
    return Certainty(confidence, max(means, key=means.__getitem__, default=None))


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
        If n is not odd and positive, the lengths differ, or the windows are not in order.
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
) -> list[Turn]:
    """Turns from labelled windows by the midpoint rule: the window with the nearest middle has the moment.

    The border between two windows is half-way between their middles::

        speech  |===================================|
        windows [-----0-----]     [------1------]
        middles       ^      |           ^
        turns   |==== 0 =====|========== 1 =========|

    The windows of a speech segment are those whose middle lies in it; a segment without windows takes the
    nearest windows of the recording. Every moment of speech gets a speaker, and no other moment does.

    Parameters
    ----------
    windows : sequence of Segment
    labels : (n_windows,) int
    speech : iterable of Segment
        Segments that overlap are joined first.
    recording : str
        Id for the turns.
    names : mapping or sequence, optional
        The speaker of each label; by default, SPEAKER_00, SPEAKER_01, ... by first appearance in time.

    Raises
    ------
    ValueError
        If the lengths differ, or there is speech without any window.
    """
    labels = _as_labels(labels, windows)
    middles = np.array([window.middle for window in windows])
    order = np.argsort(middles, kind="stable")
    middles, labels = middles[order], labels[order]
    borders = (middles[:-1] + middles[1:]) / 2
    pieces: list[tuple[float, float, int]] = []  # start, end, label
    for segment in join_segments(speech):
        if not len(middles):
            raise ValueError(f"there is speech in {recording!r}, but no window")
        low, high = np.searchsorted(middles, [segment.start, segment.end])
        if low == high:
            low = np.searchsorted(borders, segment.start, side="right")
            high = np.searchsorted(borders, segment.end, side="left") + 1
        edges = np.concatenate([[segment.start], borders[low : high - 1], [segment.end]]).tolist()
        pieces += [
            (start, end, label)
            for start, end, label in zip(edges, edges[1:], labels[low:high].tolist(), strict=False)
            if start < end
        ]
    if names is None:
        order_of_appearance = dict.fromkeys(label for *_, label in pieces)
        names = {label: f"SPEAKER_{i:02d}" for i, label in enumerate(order_of_appearance)}
    return merge_turns(Turn(recording, Segment(start, end), names[label]) for start, end, label in pieces)


def other_labels(labels: ArrayLike, windows: Sequence[Segment]) -> NDArray[np.intp]:
    """For each window, the label of the nearest window in time with another label; shape (n_windows,).

    Distance is that of the middles; of two windows at the same distance, the earlier one counts::

        windows  [----][----][----][----][----][----]
        labels      0     0     0     1     1     2
        others      1     1     1     0     2     1

    Raises
    ------
    ValueError
        If there are no two labels, or the lengths differ.
    """
    labels = _as_labels(labels, windows)
    middles = np.array([window.middle for window in windows])
    order = np.argsort(middles, kind="stable")
    middles, ordered = middles[order], labels[order]
    firsts = (
        np.flatnonzero(np.diff(ordered)) + 1
    )  # first index of each run of one label, except the first run
    if not len(firsts):
        raise ValueError("two labels are needed")
    run = np.searchsorted(firsts, np.arange(len(labels)), side="right")
    before = np.concatenate([[-1], firsts - 1])[run]
    behind = np.concatenate([firsts, [-1]])[run]
    distances = [np.where(at < 0, np.inf, abs(middles - middles[at])) for at in (before, behind)]
    others = np.empty_like(labels)
    others[order] = ordered[np.where(distances[0] <= distances[1], before, behind)]
    return others


def _as_labels(labels: ArrayLike, windows: Sequence[Segment]) -> NDArray[np.intp]:
    labels = np.asarray(labels)
    if labels.shape != (len(windows),):
        raise ValueError(f"each window needs one label, got shape {labels.shape} for {len(windows)} windows")
    if labels.size and not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be integers, got {labels.dtype}")
    return labels.astype(np.intp)
