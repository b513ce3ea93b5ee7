"""Cross-talk between channels: planted levels, leaks and gains come back."""

import numpy as np
import pytest

from diarize.speech import crosstalk
from diarize.speech.crosstalk import BANDS, N_BANDS, BandPowers, find_crosstalk, own_frames, to_decibels

N = 3000  # frames: half a minute
NOISE = -100.0


def speech(seed: int, active: np.ndarray) -> np.ndarray:
    """Powers (N, N_BANDS) that wander as those of speech do, where it is active."""
    random = np.random.default_rng(seed)
    steps = np.repeat(random.uniform(-20, 0, (N // 20, N_BANDS)), 20, axis=0)
    return np.where(active[:, None], 10 ** (steps / 10), 0.0)


def spans(*pairs: tuple[int, int]) -> np.ndarray:
    active = np.zeros(N, bool)
    for first, last in pairs:
        active[first:last] = True
    return active


FIRST, SECOND = spans((100, 900), (1500, 2000)), spans((950, 1450), (1900, 2700))
ALONE = FIRST != SECOND


def channels(leak: float = -20.0, gain: float = 0.0, first=FIRST, second=SECOND, back: float | None = None):
    """Levels of two channels; `leak` into channel 2, `back` into channel 1, `gain` of channel 2, in dB."""
    one, two = speech(1, first), speech(2, second)
    noise = 10 ** (NOISE / 10)
    into_two, into_one = 10 ** (leak / 10), 10 ** ((leak if back is None else back) / 10)
    powers = np.stack(
        [one + into_one * two + noise, (two + into_two * one + noise) * 10 ** (gain / 10)], axis=1
    )
    return to_decibels(powers.astype(np.float32))


@pytest.mark.parametrize("gain", [0, -25, 25])
@pytest.mark.parametrize("leak", [-6, -12, -20, -40])
def test_leak_gains_come_back_whatever_the_channels_gains(leak, gain):
    found = find_crosstalk(channels(leak, gain))
    assert found.leak(1, 0) == pytest.approx(leak + gain, abs=1.5)
    assert found.leak(0, 1) == pytest.approx(leak - gain, abs=1.5)
    assert found.separation(0, 1) == pytest.approx(-2 * leak, abs=2)
    assert not found.copies
    assert not found.close


@pytest.mark.parametrize(
    ("leak", "back"), [(-6, -6), (-12, -12), (-20, -20), (-40, -40), (-6, -40), (-60, -8)]
)
def test_own_frames_are_those_of_the_own_speaker(leak, back):
    levels = channels(leak, back=back)
    own, mixed = own_frames(levels, find_crosstalk(levels), 9.0)
    leaked = own[np.stack([SECOND & ~FIRST, FIRST & ~SECOND], axis=1)]
    assert leaked.mean() < 0.02
    spoken = np.stack([FIRST & ALONE, SECOND & ALONE], axis=1)
    assert own[spoken].mean() > 0.97
    assert mixed[np.stack([SECOND & ~FIRST, FIRST & ~SECOND], axis=1)].mean() > 0.98


def test_double_talk_stays_in_both_channels():
    levels = channels(-20)
    own, _ = own_frames(levels, find_crosstalk(levels), 9.0)
    assert own[FIRST & SECOND].mean() > 0.9


def test_channels_without_cross_talk_lose_nothing():
    levels = channels(-200)
    own, _ = own_frames(levels, find_crosstalk(levels), 9.0)
    assert own[FIRST, 0].all()
    assert own[SECOND, 1].all()


@pytest.mark.parametrize("gain", [0.0, -6.0, 3.0])
@pytest.mark.parametrize("lag", [0, 3, -7])
def test_one_signal_in_two_channels_is_a_copy(gain, lag):
    levels = channels()[:, 0]
    found = find_crosstalk(np.stack([levels, np.roll(levels, lag, axis=0) + np.float32(gain)], axis=1))
    assert [(i, j) for i, j, _ in found.copies] == [(0, 1)]
    assert found.copies[0][2] == pytest.approx(-gain, abs=1)


def test_a_channel_that_holds_only_the_other_one_has_no_own_frames():
    levels = channels(-20, second=spans())
    own, _ = own_frames(levels, find_crosstalk(levels), 9.0)
    assert own[FIRST, 0].all()
    assert own[FIRST, 1].mean() < 0.01


@pytest.mark.parametrize("leak", [-6, -12, -20])
def test_who_hardly_ever_speaks_is_found(leak):
    rare = spans((1000, 1100))
    levels = channels(leak, second=rare)
    own, _ = own_frames(levels, find_crosstalk(levels), 9.0)
    assert own[rare, 1].mean() > 0.9
    assert own[FIRST, 0].mean() > 0.97
    assert own[FIRST, 1].mean() < 0.05


def test_channels_that_hear_almost_the_same_are_close():
    found = find_crosstalk(channels(-2))
    assert [(i, j) for i, j, _ in found.close] == [(0, 1)]
    assert found.close[0][2] == pytest.approx(4, abs=0.5)


def test_eight_channels_have_eight_speakers():
    active = np.zeros((8, N), bool)
    for i in range(8):
        active[i, 100 + 350 * i : 400 + 350 * i] = True
    clean = np.stack([speech(i, active[i]) for i in range(8)], axis=1)
    leaks = 0.01 * (clean.sum(axis=1, keepdims=True) - clean)
    levels = to_decibels((clean + leaks + 10 ** (NOISE / 10)).astype(np.float32))
    own, _ = own_frames(levels, find_crosstalk(levels), 9.0)
    for i in range(8):
        assert own[active[i], i].mean() > 0.97
        assert own[active.any(axis=0) & ~active[i], i].mean() < 0.02


def test_long_recordings_are_worked_on_in_parts_with_the_same_result(monkeypatch):
    levels = channels(-20)
    found = find_crosstalk(levels)
    whole = own_frames(levels, found, 9.0)
    monkeypatch.setattr(crosstalk, "_CHUNK", 700)
    for at_once, in_parts in zip(whole, own_frames(levels, found, 9.0), strict=True):
        assert np.array_equal(at_once, in_parts)


def test_nothing_is_found_in_no_frames():
    levels = np.zeros((0, 2, N_BANDS), np.float32)
    own, mixed = own_frames(levels, find_crosstalk(levels), 9.0)
    assert own.shape == mixed.shape == (0, 2)


@pytest.mark.parametrize("hertz", [200, 500, 1000, 2000, 5000])
def test_a_tone_is_loudest_in_its_band(hertz):
    tone = np.sin(2 * np.pi * hertz * np.arange(16000) / 16000).astype(np.float32)
    bands = BandPowers()
    list(bands.listen(iter([tone])))
    assert bands.powers.shape == (100, N_BANDS)
    band = bands.powers[10:-10].argmax(axis=1)
    assert (np.array(BANDS)[band] <= hertz).all()
    assert (hertz < np.array(BANDS)[band + 1]).all()


def test_how_the_samples_come_changes_no_level():
    samples = np.random.default_rng(3).normal(size=10000).astype(np.float32)
    whole, parts = BandPowers(), BandPowers()
    list(whole.listen(iter([samples])))
    given = [samples[:1], samples[1:50], samples[50:7000], samples[7000:]]
    passed = list(parts.listen(iter(given)))
    assert all(a is b for a, b in zip(given, passed, strict=True))
    assert np.array_equal(whole.powers, parts.powers)
