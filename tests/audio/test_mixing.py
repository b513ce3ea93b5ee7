"""Which channels make the mono signal: planted faults, each with its figures in the log."""

import logging

import numpy as np
import pytest

import diarize.audio.recordings as audio_module
from diarize.audio import SAMPLE_RATE, load_audio, mixed_channels, stream_audio

N = 6 * SAMPLE_RATE
T = np.arange(N) / SAMPLE_RATE


def voice(seed: int) -> np.ndarray:
    """Six seconds that vary as speech does: a low-passed noise, loud for 0.2 s, silent for 0.2 s."""
    noise = np.random.default_rng(seed).normal(size=N + 7)
    smooth = np.convolve(noise, np.ones(8) / 8, mode="valid")
    return (0.1 * smooth * (np.sin(2 * np.pi * 2.5 * T + seed) > 0)).astype(np.float32)


def noise(decibels: float) -> np.ndarray:
    return (10 ** (decibels / 20) * np.random.default_rng(9).normal(size=N)).astype(np.float32)


def late(samples: np.ndarray, n: int) -> np.ndarray:
    return np.concatenate([np.zeros(n, np.float32), samples[: len(samples) - n]])


A, B, SILENCE = voice(1), voice(2), np.zeros(N, np.float32)
HUM = (0.1 * np.sin(2 * np.pi * 50 * T)).astype(np.float32)
TURNED = np.concatenate([A[: N // 2], -A[N // 2 :]])


@pytest.mark.parametrize(
    ("channels", "kept", "said"),
    [
        ([A, -A], (2,), "the mean of channels 1 and 2 is 99 dB below channel 2"),
        ([A, -0.8 * A], (1,), "is 20 dB below channel 1; channel 1 is left in the mix"),
        ([A, -0.5 * A], (1,), "is 12 dB below channel 1"),
        ([A, -late(A, 1)], (1,), "cancel each other"),
        ([A, -late(A, 3)], (1,), "cancel each other"),
        ([A, TURNED], (2,), "cancel each other"),
        ([A + HUM, HUM - 0.9 * A], (1,), "cancel each other"),
        ([A + noise(-60), -0.9 * A + noise(-70)], (1,), "cancel each other"),
        ([A, -A, B, -B], (2, 4), "channels 2 and 4 are left in the mix"),
        ([A, A, A, -3 * A], (4,), "channel 4 is left in the mix"),
        ([A, B, -(A + B)], (3,), "cancel each other"),
        ([A, SILENCE], (1,), "channel 2 is silent (below -90 dB of full scale)"),
        ([SILENCE, A, SILENCE], (2,), "channels 1 and 3 are silent"),
        ([A, SILENCE + 0.5], (1,), "channel 2 is silent"),
        ([0.001 * A, A], (2,), "channel 1 is 60 dB quieter than channel 2"),
        ([A, noise(-80)], (1,), "channel 2 holds only steady noise (-80 dB of full scale"),
        ([A, noise(-20)], (1,), "channel 2 holds only steady noise (-20 dB of full scale"),
        ([HUM, A], (2,), "channel 1 holds only steady noise (-23 dB of full scale"),
        ([A, B + noise(-30)], (1, 2), "channel 2 is noisy: its level varies by"),
        ([A, B + 3 * HUM], (1, 2), "channel 2 is noisy: its level varies by"),
        ([A, np.clip(20 * B, -0.5, 0.5)], (1, 2), "channel 2 is clipped: "),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_mean_would_lose_is_left_out_or_said(channels, kept, said, caplog):
    samples = np.stack(channels, axis=1).astype(np.float32)
    assert mixed_channels(samples, rate=SAMPLE_RATE) == kept
    assert said in caplog.text
    mixed = load_audio(samples, rate=SAMPLE_RATE)
    expected = samples[:, [number - 1 for number in kept]].mean(axis=1)
    assert np.array_equal(mixed, expected)
    assert mixed.std() > 0.4 * samples[:, [number - 1 for number in kept]].std(axis=0).max()


@pytest.mark.parametrize(
    "channels",
    [
        [A, A],
        [A, B],
        [A, 0.1 * B],
        [A, late(A, 16)],
        [A, B, voice(3), voice(4)],
        [A + noise(-60), B + noise(-50)],
        [np.clip(20 * A, -1, 1), np.clip(20 * B, -1, 1)],
        [SILENCE, SILENCE],
        [noise(-20), SILENCE],
    ],
)
def test_channels_without_trouble_are_all_mixed_without_a_word(channels, caplog):
    samples = np.stack(channels, axis=1).astype(np.float32)
    assert mixed_channels(samples, rate=SAMPLE_RATE) == tuple(range(1, len(channels) + 1))
    assert not caplog.text
    assert np.array_equal(load_audio(samples, rate=SAMPLE_RATE), samples.mean(axis=1))


def test_a_word_in_a_noisy_channel_keeps_it():
    word = noise(-45) + np.where((T > 3) & (T < 4), B, 0)
    assert mixed_channels(np.stack([A, word], axis=1).astype(np.float32), rate=SAMPLE_RATE) == (1, 2)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
def test_the_choice_is_the_same_at_every_rate_and_in_every_block(rate, caplog):
    samples = np.stack([A, -A, SILENCE], axis=1)
    assert mixed_channels(samples, rate=rate) == (2,)
    blocks = list(stream_audio(samples, rate=rate, block=0.7))
    assert np.array_equal(np.concatenate(blocks), load_audio(A * -1, rate=rate))
    assert "cancel each other" in caplog.text


@pytest.mark.parametrize("n_samples", [2, 3, 100, 1599, 1601, 3200])
def test_recordings_of_a_few_samples_are_mixed_as_they_are(n_samples):
    samples = np.stack([A, B], axis=1)[:n_samples]
    assert mixed_channels(samples, rate=SAMPLE_RATE) == (1, 2)


def test_a_given_channel_and_a_mono_recording_are_read_once(monkeypatch):
    def refuse(*_):
        raise AssertionError("measured")

    monkeypatch.setattr(audio_module, "choose_channels", refuse)
    assert np.array_equal(load_audio(np.stack([A, -A], axis=1), rate=SAMPLE_RATE, channel=1), A)
    assert np.array_equal(load_audio(A, rate=SAMPLE_RATE), A)
    assert mixed_channels(A[:, None], rate=SAMPLE_RATE) == (1,)


def test_more_than_32_channels_are_mixed_as_they_are(caplog):
    samples = np.stack([A, -A] * 20, axis=1)
    assert mixed_channels(samples, rate=SAMPLE_RATE) == tuple(range(1, 41))
    assert not caplog.text


def test_samples_that_are_not_finite_are_still_an_error():
    samples = np.stack([A, -A], axis=1)
    samples[100, 1] = np.nan
    with pytest.raises(audio_module.AudioError, match=r"the sample at 0\.006 s is nan"):
        load_audio(samples, rate=SAMPLE_RATE)


def test_the_choice_is_said_once_a_reading(caplog):
    with caplog.at_level(logging.WARNING):
        list(stream_audio(np.stack([A, -A], axis=1), rate=SAMPLE_RATE, block=0.1))
    assert len(caplog.records) == 1


@pytest.mark.parametrize("shape", ["swells", "comes in bursts", "begins late"])
def test_noise_that_is_not_steady_is_left_out_beside_speech(shape, demo_recording, caplog):
    speech = load_audio(demo_recording)[: 12 * SAMPLE_RATE]
    seconds = np.arange(len(speech)) / SAMPLE_RATE
    level = {
        "swells": 0.5 + 0.5 * np.sin(6 * np.pi * seconds),
        "comes in bursts": seconds % 2 < 1,
        "begins late": seconds > 6,
    }[shape]
    noise = 0.3 * level * np.random.default_rng(0).normal(size=len(speech))
    both = np.stack([noise.astype(np.float32), speech], axis=1)
    assert mixed_channels(both, rate=SAMPLE_RATE) == (2,)
    assert "channel 1 holds only noise" in caplog.text


def test_a_passage_that_cancels_is_not_lost(demo_recording, caplog):
    speech = load_audio(demo_recording)
    other = speech.copy()
    other[round(0.7 * SAMPLE_RATE) : round(5.2 * SAMPLE_RATE)] *= -1
    kept = mixed_channels(np.stack([speech, other], axis=1), rate=SAMPLE_RATE)
    assert len(kept) == 1
    assert "channels cancel each other: the mean of channels 1 and 2 is 99 dB below channel" in caplog.text


def test_noise_in_a_part_of_a_channel_is_said(demo_recording, caplog):
    speech = load_audio(demo_recording)[: 20 * SAMPLE_RATE]
    noisy = speech.copy()
    noisy[: 10 * SAMPLE_RATE] += np.random.default_rng(0).normal(0, 0.3, 10 * SAMPLE_RATE).astype(np.float32)
    assert mixed_channels(np.stack([speech, noisy], axis=1), rate=SAMPLE_RATE) == (1, 2)
    assert "channel 2 holds noise for 10 s, channel 1 for 0 s" in caplog.text
