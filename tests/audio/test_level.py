"""Quiet recordings: they are made louder, and their speakers are found as those of loud ones."""

import numpy as np
import pytest

from diarize import Diarizer
from diarize.audio import SAMPLE_RATE, load_audio
from diarize.audio.level import AROUND, MOST, TARGET, raise_level
from diarize.scoring.der import score_diarization
from diarize.speech.detect import speech_segments

DEMO = "egs/demo/meeting.flac"


def noise(*levels_and_seconds: tuple[float, float]) -> np.ndarray:
    """White noise of these levels in dB and seconds, one after the other."""
    random = np.random.default_rng(1)
    parts = [10 ** (db / 20) * random.normal(size=round(s * SAMPLE_RATE)) for db, s in levels_and_seconds]
    return np.concatenate(parts).astype(np.float32)


def raised(samples: np.ndarray) -> np.ndarray:
    return np.concatenate([*raise_level([samples])])


def level(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.square(samples, dtype=np.float64).mean()))


@pytest.mark.parametrize("seconds", [0.01, 0.9, 1.0, 29.99, 30.0, 61.3])
def test_quiet_samples_reach_the_target(seconds):
    samples = noise((-50.0, seconds))
    assert raised(samples).shape == samples.shape
    assert level(raised(samples)) == pytest.approx(TARGET, abs=1.0)


def test_loud_samples_stay_as_they_are():
    samples = noise((-10.0, 5), (-70.0, 20), (-19.0, 5))  # nowhere quiet for long
    blocks = [samples[:100_000], samples[100_000:]]
    assert raised(samples).tobytes() == samples.tobytes()
    assert np.concatenate([*raise_level(blocks)]).tobytes() == samples.tobytes()


def test_the_gain_is_limited():
    samples = noise((-90.0, 3))
    assert level(raised(samples)) == pytest.approx(-90 + MOST, abs=0.1)
    silence = np.zeros(SAMPLE_RATE, np.float32)
    assert not raised(silence).any()


def test_a_long_quiet_part_between_loud_ones_is_raised_and_the_loud_ones_are_not():
    samples = noise((-15.0, 10), (-55.0, 150), (-15.0, 10))
    found = raised(samples)
    at = SAMPLE_RATE * np.array([10, 10 + AROUND, 160 - AROUND, 160])
    assert found[: at[1] - SAMPLE_RATE].tobytes() == samples[: at[1] - SAMPLE_RATE].tobytes()
    assert level(found[at[1] + 2 * SAMPLE_RATE : at[2] - 2 * SAMPLE_RATE]) == pytest.approx(TARGET, abs=1.0)
    assert found[at[3] :].tobytes() == samples[at[3] :].tobytes()
    assert np.abs(found).max() == np.abs(samples).max()  # no burst where the gain changes


def test_the_size_of_the_blocks_changes_nothing():
    samples = noise((-60.0, 40), (-12.0, 3.2), (-40.0, 45.7))
    whole = raised(samples)
    for n in (1, 7, 997):
        pieces = np.array_split(samples, n)
        assert np.concatenate([*raise_level(pieces)]).tobytes() == whole.tobytes()
    assert not [*raise_level([])]


@pytest.mark.parametrize("decibels", [-25.0, -50.0])
def test_a_quiet_recording_has_the_speakers_of_the_loud_one(decibels):
    samples = load_audio(DEMO)[: 30 * SAMPLE_RATE]
    quiet = np.round(32768 * 10 ** (decibels / 20) * samples) / 32768  # as in a file of 16 bits
    diarizer = Diarizer(threads=1)
    loud = diarizer(samples, rate=SAMPLE_RATE)
    score = score_diarization(loud.turns, diarizer(quiet.astype(np.float32), rate=SAMPLE_RATE).turns)
    assert score.n_hypothesis == score.n_reference == len(loud.speakers)
    assert score.der < 0.1


def test_speech_that_is_hardly_above_the_last_bit_of_16_is_found():
    samples = load_audio(DEMO)[: 20 * SAMPLE_RATE]
    quiet = np.round(32768 * 10 ** (-55 / 20) * samples).astype(np.float32) / 32768

    def seconds(samples: np.ndarray) -> float:
        return sum(segment.duration for segment in speech_segments([samples]))

    assert seconds(quiet) == pytest.approx(seconds(samples), rel=0.1)
