"""Probabilities to segments: planted bursts, a plain loop, and the same segments block by block."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarize.config import DETECTOR_THRESHOLDS, SpeechConfig
from diarize.segments import Segment
from diarize.speech.hysteresis import Hysteresis, SegmentStream

PLAIN = SpeechConfig(threshold=0.5, release=0.2, min_speech=0, min_silence=0, padding=0)


def detect(probabilities, config=PLAIN, frame_length=0.1):
    n_seconds = len(probabilities) * frame_length
    found = Hysteresis.of(config).segments(np.array(probabilities), frame_length, n_seconds)
    return [(round(segment.start, 6), round(segment.end, 6)) for segment in found]


def frames(*runs):
    """Probabilities from (value, n_frames) runs."""
    return [value for value, count in runs for _ in range(count)]


def change(**settings):
    return PLAIN.model_copy(update=settings)


def reference_detect(probabilities, config, frame_length):
    """The same rules as a plain loop: pairs (first frame, frame behind the last), without padding."""
    low = max(config.onset - config.release, 0.01)
    found, start, silent = [], None, 0
    for i, p in enumerate([*probabilities, *[0.0] * (int(config.min_silence / frame_length) + 2)]):
        if start is None:
            if p >= config.onset:
                start, silent = i, 0
        elif p >= low:
            silent = 0
        else:
            silent += 1
            if silent * frame_length >= config.min_silence - 1e-9:
                found.append((start, i - silent + 1))
                start = None
    return [pair for pair in found if (pair[1] - pair[0]) * frame_length >= config.min_speech - 1e-9]


def test_planted_bursts_come_back():
    probabilities = frames((0.0, 10), (0.9, 5), (0.0, 10), (0.6, 3), (0.0, 2))
    assert detect(probabilities) == [(1.0, 1.5), (2.5, 2.8)]


def test_speech_begins_at_threshold_and_ends_below_release():
    assert detect([0.4, 0.5, 0.4, 0.3, 0.29, 0.4]) == [(0.1, 0.4)]


def test_what_never_reaches_threshold_is_no_speech():
    assert detect([0.0, 0.49, 0.49, 0.0]) == []


def test_release_never_falls_below_a_hundredth():
    config = change(threshold=0.1, release=0.5)
    assert detect([0.2, 0.01, 0.005, 0.0], config) == [(0.0, 0.2)]


def test_pauses_shorter_than_min_silence_are_bridged():
    probabilities = frames((0.9, 5), (0.0, 3), (0.9, 5))
    assert detect(probabilities, change(min_silence=0.4)) == [(0.0, 1.3)]
    assert detect(probabilities, change(min_silence=0.3)) == [(0.0, 0.5), (0.8, 1.3)]


def test_speech_shorter_than_min_speech_is_dropped_before_padding():
    probabilities = frames((0.0, 5), (0.9, 2), (0.0, 5), (0.9, 3), (0.0, 5))
    assert detect(probabilities, change(min_speech=0.3, padding=0.2)) == [(1.0, 1.7)]


def test_padding_joins_neighbours_and_stays_inside_the_recording():
    probabilities = frames((0.0, 1), (0.9, 3), (0.0, 2), (0.9, 3), (0.0, 4), (0.9, 2))
    assert detect(probabilities, change(padding=0.1)) == [(0.0, 1.0), (1.2, 1.5)]


def test_the_last_frame_ends_with_the_recording():
    found = Hysteresis.of(change(padding=0.5)).segments(np.array([0.0, 0.9, 0.9]), 0.1, 0.25)
    assert found == [Segment(0.0, 0.25)]


@pytest.mark.parametrize("probabilities", [[], [0.0], [0.1, 0.2]])
def test_no_speech_is_an_empty_list(probabilities):
    assert detect(probabilities) == []


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.sampled_from([0.0, 0.2, 0.35, 0.6, 0.9]), max_size=40),
    st.sampled_from([0.0, 0.2, 0.5]),
    st.sampled_from([0.0, 0.2, 0.3]),
)
def test_hysteresis_equals_a_loop_over_frames(probabilities, min_silence, min_speech):
    config = change(min_silence=min_silence, min_speech=min_speech)
    expected = [
        (round(a * 0.1, 6), round(b * 0.1, 6)) for a, b in reference_detect(probabilities, config, 0.1)
    ]
    assert detect(probabilities, config) == expected


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(0, 1), max_size=60), st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.3))
def test_segments_are_sorted_apart_and_inside(probabilities, threshold, min_silence, padding):
    config = change(threshold=threshold, min_silence=min_silence, padding=padding)
    n_seconds = len(probabilities) * 0.1
    found = Hysteresis.of(config).segments(np.array(probabilities), 0.1, n_seconds)
    assert all(0 <= segment.start < segment.end <= n_seconds for segment in found)
    assert all(before.end < after.start for before, after in itertools.pairwise(found))


@pytest.mark.parametrize(("detector", "threshold"), DETECTOR_THRESHOLDS.items())
def test_each_detector_has_a_threshold_of_its_own_until_one_is_given(detector, threshold):
    probabilities = np.array([0.0, threshold - 0.01, 0.0, threshold, 0.0])
    shape = {"detector": detector, "release": 0, "min_speech": 0, "min_silence": 0, "padding": 0}
    assert Hysteresis.of(SpeechConfig(**shape)).segments(probabilities, 1.0, 5.0) == [Segment(3, 4)]
    lower = SpeechConfig(**shape, threshold=0.4)
    assert Hysteresis.of(lower).segments(probabilities, 1.0, 5.0) == [Segment(1, 2), Segment(3, 4)]


@given(
    st.lists(st.floats(0, 1, width=32), max_size=60),
    st.lists(st.integers(1, 9), min_size=60, max_size=60),
    st.sampled_from([0.0, 0.1, 0.25]),
    st.sampled_from([0.0, 0.05, 0.3]),
)
def test_blocks_of_any_size_give_the_segments_of_the_whole(probabilities, sizes, min_silence, padding):
    shape = Hysteresis(0.5, 0.3, min_speech=0.1, min_silence=min_silence, padding=padding)
    n_seconds = max(0.0, len(probabilities) * 0.1 - 0.04)
    stream, found, start = SegmentStream(shape, 0.1), [], 0
    for size in sizes:
        found += stream.push(np.array(probabilities[start : start + size]))
        start += size
    found += stream.end(n_seconds)
    assert found == shape.segments(np.array(probabilities), 0.1, n_seconds)


def test_a_segment_is_given_as_soon_as_nothing_can_change_it():
    stream = SegmentStream(Hysteresis(0.5, 0.5, min_silence=1.0, padding=0.5), 0.5)
    assert list(stream.push(np.array([0, 1, 1, 0]))) == []
    assert list(stream.push(np.array([0]))) == [], "a later segment may still meet it"
    assert list(stream.push(np.array([0]))) == [Segment(0.0, 2.0)]
    assert list(stream.end(3.0)) == []
