"""Augmentation: the physics of each step, and that its generator alone decides."""

import numpy as np
import pytest

from diarize.audio import SAMPLE_RATE
from diarize.training.augment import (
    Augmenter,
    add_noise,
    change_speed,
    clip,
    coloured_noise,
    compress,
    limit_band,
    mask,
    reverberate,
    set_level,
    telephone,
    tilt,
)


def noise(seconds: float = 2.0, seed: int = 0, level: float = 0.1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (level * random.standard_normal(round(seconds * SAMPLE_RATE))).astype(np.float32)


def tone(frequency: float, seconds: float = 1.0, level: float = 0.1) -> np.ndarray:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (level * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def decibel(samples: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.asarray(samples, np.float64) ** 2))


def spectrum(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and the power at them."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    return np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE), power


def band(samples: np.ndarray, low: float, high: float) -> float:
    """Mean power density between two frequencies, in decibel."""
    frequency, power = spectrum(samples)
    return 10 * np.log10(power[(frequency >= low) & (frequency < high)].mean())


@pytest.mark.parametrize("factor", [0.9, 1.1, 1.5])
def test_speed_changes_pitch_and_length_together(factor):
    changed = change_speed(tone(1000, 2.0), factor)
    assert changed.dtype == np.float32
    assert len(changed) == pytest.approx(2 * SAMPLE_RATE / factor, abs=2)
    frequency, power = spectrum(changed)
    assert frequency[power.argmax()] == pytest.approx(1000 * factor, abs=1)
    middle = slice(len(changed) // 4, 3 * len(changed) // 4)
    assert decibel(changed[middle]) == pytest.approx(decibel(tone(1000)), abs=0.05)


@pytest.mark.parametrize("asked", [-5.0, 3.0, 20.0])
@pytest.mark.parametrize("seconds", [0.3, 2.0, 7.0])
def test_the_signal_to_noise_ratio_is_as_asked(asked, seconds):
    samples = tone(500, 2.0)
    noisy = add_noise(samples, noise(seconds, level=0.37), asked, np.random.default_rng(1))
    assert noisy.shape == samples.shape
    assert noisy.dtype == np.float32
    assert decibel(samples) - decibel(noisy - samples) == pytest.approx(asked, abs=0.01)


def test_silent_noise_changes_nothing():
    samples = tone(500)
    silent = np.zeros(100, np.float32)
    np.testing.assert_array_equal(add_noise(samples, silent, 10, np.random.default_rng(1)), samples)


def room(delay: int = 700) -> np.ndarray:
    """An impulse response whose direct sound comes late, with a tail of a quarter of a second."""
    response = 0.1 * noise(0.25, seed=5, level=1.0) * np.exp(-np.arange(4000) / 800)
    return np.concatenate([np.zeros(delay), [1.0], response]).astype(np.float32)


def test_reverberation_keeps_the_place_of_the_direct_sound():
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[5000] = 1
    wet = reverberate(click, room())
    assert np.abs(wet).argmax() == 5000
    assert np.abs(wet[:4990]).max() < 1e-6
    assert decibel(wet[5001:9000]) > -60, "there is a tail"


def test_reverberation_keeps_level_and_length():
    samples = noise()
    wet = reverberate(samples, room())
    assert (wet.shape, wet.dtype) == (samples.shape, np.float32)
    assert decibel(wet) == pytest.approx(decibel(samples), abs=0.01)
    assert np.abs(reverberate(np.zeros(100, np.float32), room())).max() == 0


def test_an_empty_room_is_no_room():
    samples = noise()
    response = np.zeros(100, np.float32)
    response[30] = 0.2
    np.testing.assert_allclose(reverberate(samples, response), samples, atol=1e-5)


def test_a_telephone_keeps_its_band_alone():
    samples = noise(5)
    heard = telephone(samples)
    inside = band(heard, 500, 3000)
    assert (heard.shape, heard.dtype) == (samples.shape, np.float32)
    assert inside == pytest.approx(band(samples, 500, 3000), abs=0.5)
    assert band(heard, 3600, 8000) < inside - 15
    assert band(heard, 5000, 8000) < inside - 28
    assert band(heard, 0, 100) < inside - 30


@pytest.mark.parametrize("level", [0.001, 0.1, 1.0])
def test_a_telephone_rounds_to_eight_bits_at_any_level(level):
    heard = telephone(tone(1000, level=level))[2000:]
    assert len(np.unique(heard)) <= 255
    frequency, power = spectrum(heard)
    near = np.abs(frequency - 1000) < 20
    assert 10 * np.log10(power[near].sum() / power[~near].sum()) > 30  # G.711: about 38 dB
    assert np.isfinite(telephone(np.zeros(1000, np.float32))).all()


@pytest.mark.parametrize(("codec", "highest"), [("opus", 4000), ("mp3", 4000), ("gsm", 3000)])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("level", [0.001, 0.3])
def test_a_codec_keeps_the_tone_its_level_and_its_place(codec, highest, seed, level):
    samples = np.concatenate([np.zeros(8000, np.float32), tone(700, level=level), np.zeros(9001, np.float32)])
    heard = compress(samples, codec, np.random.default_rng(seed))
    assert (heard.shape, heard.dtype) == (samples.shape, np.float32)
    middle = heard[10000:22000]
    frequency, power = spectrum(middle)
    assert frequency[power.argmax()] == pytest.approx(700, abs=2)
    assert decibel(middle) == pytest.approx(decibel(samples[10000:22000]), abs=1.5)
    assert np.abs(heard[:7000]).max() < 0.1 * level
    assert not np.array_equal(heard, samples)
    hiss = compress(noise(2), codec, np.random.default_rng(seed))
    assert band(hiss, 500, highest) == pytest.approx(band(noise(2), 500, highest), abs=4)


def test_gsm_has_the_band_of_a_telephone():
    heard = compress(noise(3), "gsm", np.random.default_rng(0))
    assert band(heard, 4200, 8000) < band(heard, 500, 3000) - 40


@pytest.mark.parametrize("codec", ["opus", "mp3", "gsm"])
@pytest.mark.parametrize("n_samples", [1, 200, 3001])
def test_a_codec_takes_silence_and_the_shortest_sounds(codec, n_samples):
    for samples in (np.zeros(n_samples, np.float32), noise()[:n_samples]):
        heard = compress(samples, codec, np.random.default_rng(0))
        assert heard.shape == (n_samples,)
        assert np.isfinite(heard).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_limited_band_keeps_the_middle(seed):
    heard = limit_band(noise(3), np.random.default_rng(seed))
    inside = band(heard, 500, 2000)
    assert inside == pytest.approx(band(noise(3), 500, 2000), abs=1)
    assert band(heard, 0, 25) < inside - 15
    assert band(heard, 7700, 8000) < inside - 15


@pytest.mark.parametrize("seed", range(4))
def test_clipping_cuts_at_a_share_of_the_peak(seed):
    samples = tone(440, level=0.6)
    cut = clip(samples, np.random.default_rng(seed))
    peak = np.abs(cut).max()
    assert 0.25 * 0.6 <= peak <= 0.75 * 0.6
    below = np.abs(samples) < peak
    np.testing.assert_array_equal(cut[below], samples[below])


@pytest.mark.parametrize("asked", [-40.0, -15.0])
def test_the_level_is_as_asked(asked):
    assert decibel(set_level(noise(), asked)) == pytest.approx(asked, abs=0.01)
    assert np.abs(set_level(np.zeros(10, np.float32), asked)).max() == 0


@pytest.mark.parametrize("seed", range(4))
def test_the_slope_of_coloured_noise(seed):
    n_samples = 20 * SAMPLE_RATE
    samples = coloured_noise(n_samples, np.random.default_rng(seed))
    assert (samples.shape, samples.dtype) == ((n_samples,), np.float32)
    random = np.random.default_rng(seed)
    random.standard_normal(n_samples)
    exponent = random.uniform(0, 1)  # of the amplitude: white, pink and brown have 0, 1/2 and 1
    power = np.abs(np.fft.rfft(samples)) ** 2
    octaves = [10 * np.log10(power[100 * 2**k : 200 * 2**k].mean()) for k in range(10)]
    assert np.diff(octaves).mean() == pytest.approx(-6.02 * exponent, abs=0.1)


def frames(n_frames: int = 120, n_mels: int = 64) -> np.ndarray:
    return np.random.default_rng(4).normal(-8, 2, (n_frames, n_mels)).astype(np.float32)


def test_tilt_adds_one_parabola_to_every_frame():
    mel = frames()
    added = np.array([tilt(mel, np.random.default_rng(seed)) - mel for seed in range(200)])
    assert added.dtype == np.float32
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1], added.shape), atol=1e-5)
    curves = added[:, 0]  # (draws, mels)
    x = np.linspace(-1, 1, 64)
    fits = np.polynomial.polynomial.polyfit(x, curves.T, 2)
    np.testing.assert_allclose(np.polynomial.polynomial.polyval(x, fits), curves, atol=1e-4)
    gain_and_bend, slope, twice_bend = fits
    for values, deviation in ((slope, 0.7), (twice_bend / 2, 0.5), (gain_and_bend + twice_bend / 2, 0.7)):
        assert np.abs(values).max() <= 2 + 1e-4
        assert values.mean() == pytest.approx(0, abs=0.2)
        assert values.std() == pytest.approx(deviation, rel=0.25)


def test_mask_sets_one_span_of_each_axis_to_the_mean():
    mel = frames()
    mean = mel.mean()
    times, bands = set(), set()
    for seed in range(300):
        masked = mask(mel, np.random.default_rng(seed))
        assert masked.shape == mel.shape
        changed = masked != mel
        np.testing.assert_allclose(masked[changed], mean, rtol=1e-6)
        rows, columns = np.flatnonzero(changed.all(axis=1)), np.flatnonzero(changed.all(axis=0))
        for span in (rows, columns):
            assert len(span) == 0 or np.ptp(span) == len(span) - 1, "one span"
        changed[rows], changed[:, columns] = False, False
        assert not changed.any()
        times.add(len(rows))
        bands.add(len(columns))
    assert times == set(range(26))
    assert bands == set(range(9))


@pytest.mark.parametrize("shape", [(40, 12), (26, 9), (25, 8), (3, 64)])
def test_mask_covers_the_ends_as_often_as_each_other(shape):
    """The last frame and the last band were never covered."""
    mel = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    covered = np.zeros(shape)
    for seed in range(2000):
        covered += mask(mel, np.random.default_rng(seed)) != mel
    frames_covered, mels_covered = covered.min(axis=1), covered.min(axis=0)
    for counts in (frames_covered, mels_covered):
        assert counts[0] > 20
        np.testing.assert_allclose(counts[-1], counts[0], rtol=0.35)


def test_mask_leaves_its_input_alone():
    mel = frames()
    before = mel.copy()
    mask(mel, np.random.default_rng(0))
    np.testing.assert_array_equal(mel, before)


@pytest.mark.parametrize("n_frames", [1, 3, 30])
def test_mask_of_few_frames(n_frames):
    for seed in range(20):
        assert mask(frames(n_frames), np.random.default_rng(seed)).shape == (n_frames, 64)


RANDOM_STEPS = {
    "add_noise": lambda random: add_noise(tone(500), noise(3), 10, random),
    "limit_band": lambda random: limit_band(noise(), random),
    "clip": lambda random: clip(noise(), random),
    "opus": lambda random: compress(noise(), "opus", random),
    "mp3": lambda random: compress(noise(), "mp3", random),
    "coloured_noise": lambda random: coloured_noise(8000, random),
    "tilt": lambda random: tilt(frames(), random),
    "mask": lambda random: mask(frames(), random),
}


@pytest.mark.parametrize("step", RANDOM_STEPS.values(), ids=RANDOM_STEPS)
def test_the_generator_alone_decides(step):
    one, again, other = (step(np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.fixture(scope="module")
def augmenter() -> Augmenter:
    return Augmenter([noise(3, seed=1)], [room()], [tone(200), tone(300, 0.5)])


def test_the_chain_keeps_the_length_and_sets_the_level(augmenter):
    samples = noise(1.5)
    before = samples.copy()
    levels = []
    for seed in range(60):
        heard = augmenter(samples, np.random.default_rng(seed))
        assert (heard.shape, heard.dtype) == (samples.shape, np.float32)
        assert np.isfinite(heard).all()
        levels.append(decibel(heard))
    assert -40.01 < min(levels) < -35
    assert -20 < max(levels) < -14.99
    np.testing.assert_array_equal(samples, before)


def test_the_chain_is_decided_by_its_generator(augmenter):
    one, again, other = (augmenter(noise(), np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_the_chain_works_without_any_recordings():
    bare = Augmenter([], [], [])
    for seed in range(20):
        assert bare(tone(500), np.random.default_rng(seed)).shape == (SAMPLE_RATE,)
