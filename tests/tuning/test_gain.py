"""The gain in DER and its interval."""

import numpy as np
import pytest

from diarize.scoring.der import FROM_UEM, DiarizationScore
from diarize.tuning.gain import FEWEST, measure_gain


def scores(errors, speech=100.0):
    return [
        DiarizationScore(f"r{i}", speech, float(each), 0.0, 0.0, 0.0, 2, 2, FROM_UEM)
        for i, each in enumerate(errors)
    ]


def test_a_gain_on_every_recording_is_real():
    gain = measure_gain(scores([30] * 6), scores([25, 24, 26, 25, 24, 26]))
    assert gain.value == pytest.approx(0.05)
    assert 0.04 <= gain.low <= gain.value <= gain.high <= 0.06
    assert gain.is_real


def test_a_gain_of_one_recording_alone_is_not():
    assert not measure_gain(scores([30] * 6), scores([30, 30, 30, 30, 30, 10])).is_real


def test_few_recordings_show_nothing():
    n = FEWEST - 1
    gain = measure_gain(scores([30] * n), scores([20] * n))
    assert (gain.low, gain.high) == pytest.approx((0.1, 0.1))
    assert not gain.is_real


def test_recordings_count_by_their_speech():
    before = [*scores([30], 100.0), *scores([0, 300], 900.0)[1:]]
    after = [*scores([20], 100.0), *scores([0, 300], 900.0)[1:]]
    assert measure_gain(before, after).value == pytest.approx(0.01)


def test_noise_alone_is_seldom_called_a_gain():
    random = np.random.default_rng(0)
    real = 0
    for seed in range(100):
        before, after = random.normal(30, 5, (2, 8))
        real += measure_gain(scores(before), scores(after), seed).is_real
    assert real <= 10  # one-sided 2.5 %, a little more with few recordings


def test_the_same_seed_gives_the_same_interval():
    before, after = scores([30, 20, 40, 10, 25]), scores([28, 22, 35, 9, 25])
    assert measure_gain(before, after, 3) == measure_gain(before, after, 3)
    assert measure_gain(before, after, 3) != measure_gain(before, after, 4)


def test_other_recordings_are_an_error():
    with pytest.raises(ValueError, match="different recordings"):
        measure_gain(scores([30, 20]), scores([30]))
