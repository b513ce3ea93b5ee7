"""Speech detection: planted probabilities, the same answer from a stream as from the whole, real speech."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.config import DETECTOR_THRESHOLDS, SpeechConfig
from diarize.formats import read_rttm
from diarize.segments import Segment
from diarize.speech.vad import (
    FRAME_LENGTH,
    energy_scores,
    segments_from_probabilities,
    speech_probabilities,
    speech_segments,
)

PLAIN = SpeechConfig(threshold=0.5, release=0.2, min_speech=0, min_silence=0, padding=0)


def detect(probabilities, config=PLAIN, frame_length=0.1):
    n_seconds = len(probabilities) * frame_length
    found = segments_from_probabilities(np.array(probabilities), frame_length, n_seconds, config)
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
    found = segments_from_probabilities(np.array([0.0, 0.9, 0.9]), 0.1, 0.25, change(padding=0.5))
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
    found = segments_from_probabilities(np.array(probabilities), 0.1, n_seconds, config)
    assert all(0 <= segment.start < segment.end <= n_seconds for segment in found)
    assert all(before.end < after.start for before, after in itertools.pairwise(found))


# ---- the detectors


def bursts(n_seconds=10.0, speech=((2.0, 4.0), (6.5, 8.0)), noise=0.003, dc=0.0):
    """Tones in noise at known times."""
    t = np.arange(round(n_seconds * SAMPLE_RATE)) / SAMPLE_RATE
    samples = np.random.default_rng(0).normal(dc, noise, t.size)
    for start, end in speech:
        samples += 0.2 * np.sin(2 * np.pi * 300 * t) * ((t >= start) & (t < end))
    return samples.astype(np.float32)


def cut(samples, n_samples):
    return (samples[start : start + n_samples] for start in range(0, len(samples), n_samples))


@pytest.mark.parametrize("detector", ["silero", "energy"])
@pytest.mark.parametrize("n_samples", [100, 511, 512, 16000, 262144, 999999])
def test_blocks_change_nothing(detector, n_samples):
    samples = bursts(20.123)
    whole, n_seconds = speech_probabilities([samples], detector)
    streamed, n_streamed = speech_probabilities(cut(samples, n_samples), detector)
    assert np.array_equal(streamed, whole)
    assert n_streamed == n_seconds == pytest.approx(20.123)
    assert len(whole) == np.ceil(len(samples) / 512)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::DeprecationWarning:silero_vad")
def test_silero_equals_the_package_on_the_whole_signal():
    silero_vad = pytest.importorskip("silero_vad")
    rng = np.random.default_rng(1)
    samples = bursts(40.0, [(5, 15), (30, 35)]) * rng.uniform(0.1, 2, 640000).astype(np.float32)
    expected = silero_vad.load_silero_vad(sequence=True).audio_forward(samples)
    probabilities, _ = speech_probabilities(cut(samples, 30000))
    assert np.array_equal(probabilities, expected)


@pytest.mark.parametrize(("detector", "threshold"), DETECTOR_THRESHOLDS.items())
def test_each_detector_has_a_threshold_of_its_own_until_one_is_given(detector, threshold):
    probabilities = np.array([0.0, threshold - 0.01, 0.0, threshold, 0.0])
    shape = {"detector": detector, "release": 0, "min_speech": 0, "min_silence": 0, "padding": 0}
    assert segments_from_probabilities(probabilities, 1.0, 5.0, SpeechConfig(**shape)) == [Segment(3, 4)]
    lower = SpeechConfig(**shape, threshold=0.4)
    assert segments_from_probabilities(probabilities, 1.0, 5.0, lower) == [Segment(1, 2), Segment(3, 4)]


@pytest.mark.parametrize("detector", ["silero", "energy"])
def test_silence_and_steady_noise_hold_no_speech(detector):
    noise = np.random.default_rng(0).normal(0, 0.01, 10 * SAMPLE_RATE).astype(np.float32)
    config = SpeechConfig(detector=detector)
    for samples in (np.zeros(5 * SAMPLE_RATE, np.float32), noise, noise + 0.5, np.zeros(0, np.float32)):
        assert speech_segments([samples], config) == []


@pytest.mark.parametrize("dc", [0.0, 0.4])
def test_energy_finds_bursts_in_noise(dc):
    config = SpeechConfig(detector="energy", padding=0)
    found = speech_segments([bursts(dc=dc)], config)
    times = [time for segment in found for time in (segment.start, segment.end)]
    assert times == pytest.approx([2.0, 4.0, 6.5, 8.0], abs=2 * FRAME_LENGTH)


def test_energy_hears_over_digital_silence():
    samples = np.concatenate([np.zeros(20 * SAMPLE_RATE, np.float32), bursts()])
    found = speech_segments([samples], SpeechConfig(detector="energy", padding=0))
    assert [round(segment.start) for segment in found] == [22, 26]  # 26.5, half to even


def test_energy_score_is_half_at_the_midpoint():
    energies = np.concatenate([np.full(50, -60.0), np.full(50, -30.0), [-45.0]])
    scores = energy_scores(energies)
    assert scores[-1] == pytest.approx(0.5, abs=0.01)  # -60 + max(9, 30 / 2)
    assert scores[0] < 0.01
    assert scores[60] > 0.99


def test_unknown_detector_is_refused():
    with pytest.raises(ValueError, match="'silero' or 'energy', got 'webrtc'"):
        speech_probabilities([np.zeros(512, np.float32)], "webrtc")


def test_silero_finds_real_speech(shared_data):
    folder = shared_data / "diarization" / "ami"
    if not folder.is_dir():
        pytest.skip("no AMI excerpts")
    name = "EN2001a_0000_0030"
    samples = load_audio(folder / "audio" / f"{name}.flac")
    heard = np.zeros(30_000, bool)
    for segment in speech_segments([samples], SpeechConfig()):
        heard[round(segment.start * 1000) : round(segment.end * 1000)] = True
    spoken = np.zeros(30_000, bool)
    for turn in read_rttm(folder / "rttm" / f"{name}.rttm"):
        spoken[round(turn.segment.start * 1000) : round(turn.segment.end * 1000)] = True
    assert (heard & spoken).sum() / spoken.sum() > 0.7
