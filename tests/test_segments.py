"""Segments and turns: planted answers, and what must hold for any of them."""

import sys
import tracemalloc
from itertools import pairwise
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarize.pipeline.turns import label_turns, other_labels, smooth_labels
from diarize.segments import (
    Segment,
    Turn,
    close_pauses,
    crop,
    drop_short_turns,
    exclusive_turns,
    merge_turns,
    speech_of,
)
from diarize.speech.windows import sliding_windows


def turn(speaker: str, start: float, end: float) -> Turn:
    return Turn("meeting", Segment(start, end), speaker)


def spans(segments: list[Segment]) -> list[tuple[float, float]]:
    return [(segment.start, segment.end) for segment in segments]


def told(turns: list[Turn]) -> list[tuple[str, float, float]]:
    return [(turn.speaker, turn.segment.start, turn.segment.end) for turn in turns]


# Multiples of 1/8 s are exact in binary, so equality below is equality.
eighths = st.integers(0, 160).map(lambda n: n / 8)
segment_lists = st.lists(
    st.builds(lambda start, length: Segment(start, start + length / 8), eighths, st.integers(1, 40)),
    max_size=12,
)
turn_lists = st.lists(
    st.builds(
        lambda start, length, speaker: turn(speaker, start, start + length / 8),
        eighths,
        st.integers(1, 40),
        st.sampled_from("ABC"),
    ),
    max_size=12,
)


@pytest.mark.parametrize(
    ("start", "end"), [(1.0, 1.0), (2.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0), (0.0, float("inf"))]
)
def test_an_impossible_segment_is_refused(start, end):
    with pytest.raises(ValueError, match=r"0 <= start < end, got start="):
        Segment(start, end)


def test_segment_measures():
    segment = Segment(1.0, 4.0)
    assert segment.duration == 3.0
    assert segment.middle == 2.5
    assert segment.intersection(Segment(3.0, 9.0)) == Segment(3.0, 4.0)
    assert segment.intersection(Segment(4.0, 9.0)) is None


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        (Segment(1.0, 2.0), [(1.0, 2.0)]),
        (Segment(1.0, 2.5), [(1.0, 2.5)]),
        (Segment(0.0, 3.0), [(0.0, 1.5), (0.75, 2.25), (1.5, 3.0)]),
        (Segment(0.0, 2.0), [(0.0, 1.5), (0.5, 2.0)]),
    ],
)
def test_windows_of_one_segment(segment, expected):
    assert spans(sliding_windows([segment])) == expected


def test_a_rest_that_is_not_longer_than_min_last_gets_no_window():
    assert spans(sliding_windows([Segment(0.0, 2.0)], min_last=0.5)) == [(0.0, 1.5)]
    assert len(sliding_windows([Segment(0.0, 2.001)], min_last=0.5)) == 2


def test_float_noise_makes_no_extra_window():
    # 0.1 + 0.2 > 0.3 in binary
    assert len(sliding_windows([Segment(0.0, 0.1 + 0.2)], window=0.3, hop=0.1)) == 1
    assert len(sliding_windows([Segment(0.7, 0.7 + 1.5 + 3 * 0.75)])) == 4


@pytest.mark.parametrize("settings", [{"window": 0.0}, {"hop": 0.0}, {"hop": -1.0}])
def test_windows_need_a_positive_length_and_hop(settings):
    with pytest.raises(ValueError, match="must be positive, got window="):
        sliding_windows([Segment(0, 1)], **settings)


@given(segment_lists, st.integers(1, 16), st.integers(1, 16))
def test_windows_cover_all_speech_and_nothing_else(segments, window, hop):
    window, hop = max(window, hop) / 8, min(window, hop) / 8
    windows = sliding_windows(segments, window, hop)
    assert speech_of([turn("A", *span) for span in spans(windows)]) == speech_of(
        [turn("A", *span) for span in spans(segments)]
    )
    assert all(w.duration == pytest.approx(window) or w in segments for w in windows)


def test_the_border_is_half_way_between_the_middles():
    windows = [Segment(0, 2), Segment(1, 3), Segment(2, 4)]
    assert told(label_turns(windows, [0, 0, 1], [Segment(0, 4)], "meeting")) == [
        ("SPEAKER_00", 0, 2.5),
        ("SPEAKER_01", 2.5, 4),
    ]


def test_speech_without_a_window_goes_to_the_nearest():
    windows = [Segment(1, 2), Segment(8, 9), Segment(30, 31)]
    speech = [Segment(0, 2), Segment(3, 4), Segment(4.5, 6), Segment(8, 11), Segment(20, 21)]
    assert told(label_turns(windows, [0, 1, 2], speech, "meeting")) == [
        ("SPEAKER_00", 0, 2),
        ("SPEAKER_00", 3, 4),
        ("SPEAKER_00", 4.5, 5),
        ("SPEAKER_01", 5, 6),
        ("SPEAKER_01", 8, 11),
        ("SPEAKER_02", 20, 21),
    ]


def test_windows_with_one_middle_share_the_time_around_it_in_their_order():
    labels = list(range(64))
    turns = label_turns([Segment(0, 2)] * 64, labels, [Segment(0, 2)], "meeting", names=[*map(str, labels)])
    assert told(turns) == [("0", 0, 1), ("63", 1, 2)]
    assert other_labels(labels, [Segment(0, 2)] * 64).tolist() == [1, *labels[:-1]]


def test_a_window_beyond_a_pause_takes_nothing_from_this_side():
    # The middle of the second window is nearer to 2.99 than that of the first, but it is another segment's.
    speech = [Segment(0, 3), Segment(3.125, 3.25)]
    assert told(label_turns(speech, [0, 1], speech, "meeting")) == [
        ("SPEAKER_00", 0, 3),
        ("SPEAKER_01", 3.125, 3.25),
    ]


def test_speakers_are_numbered_by_first_appearance_whatever_the_labels_and_the_order_of_windows():
    windows = [Segment(4, 6), Segment(0, 2), Segment(2, 4)]
    assert told(label_turns(windows, [3, 7, 3], [Segment(0, 6)], "meeting")) == [
        ("SPEAKER_00", 0, 2),
        ("SPEAKER_01", 2, 6),
    ]


def test_names_can_be_given():
    windows = [Segment(0, 2), Segment(2, 4)]
    assert told(label_turns(windows, [1, 0], [Segment(0, 4)], "meeting", names=["Ann", "Bob"])) == [
        ("Bob", 0, 2),
        ("Ann", 2, 4),
    ]


def test_the_other_label_is_the_nearest_in_time():
    windows = [Segment(i, i + 1) for i in range(6)]
    assert other_labels([0, 0, 0, 1, 1, 2], windows).tolist() == [1, 1, 1, 0, 2, 1]
    assert other_labels([1, 0, 0, 0, 2], windows[:5]).tolist() == [0, 1, 1, 2, 0], "at a tie the earlier one"
    backwards = other_labels([2, 1, 1, 0, 0, 0], windows[::-1])
    assert backwards.tolist() == [1, 2, 0, 1, 1, 1]
    with pytest.raises(ValueError, match=r"^two labels are needed$"):
        other_labels([3, 3], windows[:2])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=2, max_size=12))
def test_other_labels_are_those_of_a_double_loop(drawn):
    labels = [label for label, _ in drawn]
    windows = [Segment(start / 4, start / 4 + 1.5) for _, start in drawn]
    if len(set(labels)) < 2:
        return
    middles = np.array([window.middle for window in windows])
    for i, found in enumerate(other_labels(labels, windows)):
        away = np.where(np.array(labels) == labels[i], np.inf, np.abs(middles - middles[i]))
        assert found != labels[i]
        assert away[np.array(labels) == found].min() == away.min()


def test_labels_must_fit_the_windows():
    with pytest.raises(ValueError, match=r"got shape \(2,\) for 1 windows"):
        label_turns([Segment(0, 1)], [0, 1], [Segment(0, 1)], "meeting")
    with pytest.raises(ValueError, match="labels must be integers, got float64"):
        label_turns([Segment(0, 1)], [0.5], [Segment(0, 1)], "meeting")
    with pytest.raises(ValueError, match="speech in 'meeting', but no window"):
        label_turns([], [], [Segment(0, 1)], "meeting")
    assert label_turns([], [], [], "meeting") == []


@given(segment_lists, st.data())
def test_labelled_turns_hold_exactly_the_speech_and_each_moment_the_nearest_window(segments, data):
    speech = speech_of([turn("A", *span) for span in spans(segments)])
    windows = sliding_windows(speech, 1.5, 0.75)
    labels = data.draw(st.lists(st.integers(0, 3), min_size=len(windows), max_size=len(windows)))
    turns = label_turns(windows, labels, speech, "meeting", names=dict(enumerate("ABCD")))
    assert speech_of(turns) == speech
    assert exclusive_turns(turns) == turns
    for segment in speech:
        own = [(w.middle, label) for w, label in zip(windows, labels, strict=True) if segment.intersection(w)]
        for moment in np.arange(segment.start + 1 / 64, segment.end, 1 / 8):
            distance = min(abs(middle - moment) for middle, _ in own)
            nearest = {"ABCD"[label] for middle, label in own if abs(middle - moment) <= distance + 1e-9}
            (speaker,) = {t.speaker for t in turns if t.segment.start <= moment < t.segment.end}
            assert speaker in nearest


def test_a_lone_label_is_voted_down_but_not_over_a_pause():
    windows = [Segment(0, 2), Segment(1, 3), Segment(2, 4), Segment(9, 11), Segment(10, 12)]
    assert smooth_labels([0, 1, 0, 1, 1], windows, 3).tolist() == [0, 0, 0, 1, 1]
    assert smooth_labels([0, 0, 1, 0, 0], windows, 3).tolist() == [0, 0, 1, 0, 0]


def test_a_tie_keeps_the_label_of_the_centre():
    windows = [Segment(i, i + 2) for i in range(5)]
    assert smooth_labels([0, 0, 2, 1, 1], windows, 5).tolist() == [0, 0, 2, 1, 1]
    assert smooth_labels([0, 1, 2, 1, 0], windows, 3).tolist() == [0, 1, 1, 1, 0]
    same_start = [Segment(0, 1), Segment(0, 2), Segment(0.5, 2)]
    assert smooth_labels([0, 1, 0], same_start, 3).tolist() == [0, 0, 0]


def test_smoothing_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="n must be odd and positive, got 4"):
        smooth_labels([0], [Segment(0, 1)], 4)
    with pytest.raises(ValueError, match=r"^windows must be in the order of their starts$"):
        smooth_labels([0, 1, 0], [Segment(2, 3), Segment(1, 2), Segment(0, 1)], 3)


@given(st.lists(st.integers(0, 2), max_size=20), st.sampled_from([1, 3, 5, 7]))
def test_smoothing_is_the_majority_of_a_plain_loop(labels, n):
    windows = [Segment(i + i // 6, i + i // 6 + 1) for i in range(len(labels))]  # a pause after every sixth
    expected = []
    for i, label in enumerate(labels):
        near = range(max(0, i - n // 2, i // 6 * 6), min(len(labels), i + n // 2 + 1, i // 6 * 6 + 6))
        votes = [labels[j] for j in near]
        ranked = sorted({(votes.count(vote), vote) for vote in votes}, reverse=True)
        tied = len(ranked) > 1 and ranked[0][0] == ranked[1][0]
        expected.append(label if tied else ranked[0][1])
    assert smooth_labels(labels, windows, n).tolist() == expected


def test_merging_joins_what_touches_or_overlaps_of_one_speaker():
    turns = [turn("A", 0, 1), turn("A", 0.5, 1.5), turn("B", 1, 2), turn("A", 1.5, 2), turn("A", 2.1, 3)]
    assert told(merge_turns(turns)) == [("A", 0, 2), ("B", 1, 2), ("A", 2.1, 3)]


def test_a_pause_is_closed_for_who_speaks_before_and_after_it():
    turns = [turn("A", 0, 1), turn("A", 1.5, 2), turn("B", 1.8, 2), turn("A", 2.5, 3), turn("B", 2.5, 3)]
    assert told(close_pauses(turns, 0.5)) == [("A", 0, 3), ("B", 1.8, 3)]
    assert close_pauses(turns, 0.4) == sorted(turns)


@pytest.mark.parametrize(
    "turns",
    [
        [turn("A", 0, 1), turn("B", 1.1, 1.4), turn("A", 1.5, 2)],  # somebody else speaks in it
        [turn("A", 0, 1), turn("B", 0.5, 1.2), turn("A", 1.5, 2)],  # and here holds the floor when it begins
        [turn("A", 0, 1), turn("B", 1.3, 2), turn("A", 1.5, 2)],  # or when it ends
    ],
)
def test_no_pause_is_closed_where_another_one_has_the_floor(turns):
    assert close_pauses(turns, 1.0) == sorted(turns)


def test_pauses_are_closed_in_each_recording_alone():
    turns = [Turn("a", Segment(0, 1), "A"), Turn("b", Segment(1, 2), "A")]
    assert close_pauses(turns, 5.0) == turns


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([("A", 0, 3), ("B", 3, 3.25), ("C", 3.25, 5)], [("A", 0, 3.25), ("C", 3.25, 5)]),
        ([("A", 0, 1), ("B", 1, 1.25), ("C", 1.25, 5)], [("A", 0, 1), ("C", 1, 5)]),
        ([("A", 0, 3), ("B", 3, 3.25), ("A", 3.25, 5)], [("A", 0, 5)]),
        ([("A", 0, 3), ("B", 4, 4.25)], [("A", 0, 3), ("B", 4, 4.25)]),
        ([("A", 0, 3), ("B", 1, 1.25)], [("A", 0, 3)]),
        ([("A", 0, 3), ("B", 2.875, 3.25)], [("A", 0, 3.25)]),
        ([("A", 0, 0.125), ("B", 0.125, 0.375), ("C", 0.375, 1)], [("C", 0, 1)]),
        ([("A", 0, 4), ("B", 1, 2), ("C", 4, 4.25)], [("A", 0, 4.25), ("B", 1, 2)]),
    ],
    ids=[
        "longer-left",
        "longer-right",
        "same-both",
        "alone",
        "inside",
        "partly",
        "chain",
        "over-an-inner-turn",
    ],
)
def test_short_turns_go_to_the_longer_neighbour(turns, expected):
    assert told(drop_short_turns([turn(*t) for t in turns], 0.5)) == expected


def test_who_began_first_keeps_the_floor():
    turns = [turn("A", 0, 4), turn("B", 3, 6), turn("C", 1, 2), turn("D", 0, 3)]
    assert told(exclusive_turns(turns)) == [("A", 0, 4), ("B", 4, 6)]


def test_crop():
    turns = [turn("A", 0, 2), turn("B", 2, 6), turn("A", 7, 9)]
    assert told(crop(turns, [Segment(4, 8), Segment(1, 3)])) == [
        ("A", 1, 2),
        ("B", 2, 3),
        ("B", 4, 6),
        ("A", 7, 8),
    ]
    assert crop(turns, []) == []


def test_speech_of_several_recordings_is_refused():
    with pytest.raises(ValueError, match=r"one recording are needed, got \['a', 'b'\]"):
        speech_of([Turn("a", Segment(0, 1), "A"), Turn("b", Segment(0, 1), "A")])


@given(turn_lists, st.integers(0, 16).map(lambda n: n / 8))
def test_dropping_short_turns_loses_no_time_and_leaves_them_only_where_alone(turns, min_turn):
    kept = drop_short_turns(turns, min_turn)
    assert speech_of(kept) == speech_of(turns)
    assert drop_short_turns(kept, min_turn) == kept
    for short in (t for t in kept if t.segment.duration < min_turn):
        assert short.segment in speech_of(kept)
    if min_turn == 0:
        assert kept == merge_turns(turns)


@given(turn_lists)
def test_exclusive_turns_never_overlap_and_lose_no_time(turns):
    exclusive = exclusive_turns(turns)
    assert all(a.segment.end <= b.segment.start for a, b in pairwise(exclusive))
    assert speech_of(exclusive) == speech_of(turns)
    assert exclusive_turns(exclusive) == exclusive


@given(turn_lists, st.integers(0, 16).map(lambda n: n / 8))
def test_closing_pauses_is_idempotent_and_adds_only_time_in_which_nobody_spoke(turns, longest):
    closed = close_pauses(turns, longest)
    assert close_pauses(closed, longest) == closed
    assert crop(closed, speech_of(turns)) == merge_turns(turns)
    assert close_pauses(turns, 0.0) == merge_turns(turns)


@given(turn_lists, segment_lists)
def test_cropping_agrees_with_a_plain_count_of_eighths(turns, segments):
    def held(turns: list[Turn]) -> set[tuple[str, float]]:
        return {
            (t.speaker, moment) for t in turns for moment in np.arange(t.segment.start, t.segment.end, 1 / 8)
        }

    inside = {moment for _, moment in held([turn("A", *span) for span in spans(segments)])}
    assert held(crop(turns, segments)) == {
        (speaker, moment) for speaker, moment in held(turns) if moment in inside
    }


def speech_and_back(n_segments: int) -> None:
    """The way from speech to windows, 20 a segment, and from their labels to turns."""
    speech = [Segment(i * 20.0, i * 20.0 + 15.75) for i in range(n_segments)]
    windows = sliding_windows(speech)
    assert len(windows) == 20 * n_segments
    labels = smooth_labels(np.random.default_rng(0).integers(0, 8, len(windows)), windows, 3)
    turns = label_turns(windows, labels, speech, "meeting")
    turns += label_turns(windows, np.roll(labels, 1), speech, "meeting")
    kept = drop_short_turns(close_pauses(turns, 0.3), 0.8)
    assert speech_of(crop(exclusive_turns(kept), speech)) == speech


def lines_run(n_segments: int) -> int:
    """How many lines of Python that takes."""
    n_lines = 0

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal n_lines
        n_lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        speech_and_back(n_segments)
    finally:
        sys.settrace(before)
    return n_lines


def most_memory(n_segments: int) -> int:
    """How many bytes that holds at once."""
    tracemalloc.start()
    try:
        speech_and_back(n_segments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("cost", "least"), [(lines_run, 10_000), (most_memory, 100_000)])
def test_four_times_the_windows_cost_four_times_as_much(cost, least):
    """An hour has thousands of windows: sixteen times as much would be felt."""
    once = cost(25)
    assert once > least, "it was counted"
    assert cost(100) < 5 * once
