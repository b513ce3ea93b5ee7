"""Features against librosa, against physics, and streamed against whole."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarize.features import (
    CONFIGURATIONS,
    DEFAULT,
    GMM_MFCC,
    LEARN_TO_CLUSTER,
    ZHAW,
    log_mel,
    mfcc,
    stream_log_mel,
)


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)


def librosa_mel(samples: np.ndarray, config) -> np.ndarray:
    return librosa.feature.melspectrogram(
        y=samples, sr=16000, n_fft=config.n_fft, win_length=config.window, hop_length=config.hop,
        window=config.window_shape, n_mels=config.n_mels, fmin=config.f_min, fmax=config.f_max,
    ).T  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize("n_samples", [1, 159, 160, 16000, 40321])
def test_zhaw_equals_librosa(n_samples):
    samples = noise(n_samples)
    expected = np.log10(1 + 10000 * librosa_mel(samples, ZHAW))
    np.testing.assert_allclose(log_mel(samples, ZHAW), expected, atol=1e-4)


@pytest.mark.oracle
def test_learn_to_cluster_equals_librosa():
    samples = noise(32000) * np.linspace(0, 1, 32000, dtype=np.float32) ** 8
    decibel = librosa.power_to_db(librosa_mel(samples, LEARN_TO_CLUSTER), ref=1.0, top_db=80)
    np.testing.assert_allclose(log_mel(samples, LEARN_TO_CLUSTER), (decibel + 80) / 95, atol=1e-4)


@pytest.mark.oracle
def test_default_equals_librosa():
    samples = noise(32000)
    np.testing.assert_allclose(log_mel(samples), np.log(librosa_mel(samples, DEFAULT) + 1e-6), atol=1e-4)


@pytest.mark.oracle
def test_mfcc_equals_librosa():
    samples = noise(32000)
    emphasised = samples - 0.97 * np.append(np.float32(0), samples[:-1])
    log = np.log(librosa_mel(emphasised, GMM_MFCC) + 1e-6)
    expected = librosa.feature.mfcc(S=log.T, n_mfcc=20, norm="ortho").T[:, 1:]
    np.testing.assert_allclose(mfcc(samples), expected, atol=1e-4)


def test_mfcc_refuses_coefficients_beyond_the_mels():
    with pytest.raises(ValueError, match="between 0 and 23"):
        mfcc(noise(1000), last=24)


@pytest.mark.parametrize("name", CONFIGURATIONS)
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 9000), max_size=6))
def test_streamed_equals_whole(name, cuts):
    samples = noise(9000)
    blocks = np.split(samples, sorted(cuts))
    streamed = np.concatenate(list(stream_log_mel(blocks, CONFIGURATIONS[name])))
    np.testing.assert_allclose(streamed, log_mel(samples, CONFIGURATIONS[name]), atol=2e-5)


@pytest.mark.parametrize("config", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
@pytest.mark.parametrize("hertz", [300, 1000, 3000])
def test_a_tone_lands_in_its_mel_band(config, hertz):
    tone = 0.1 * np.sin(2 * np.pi * hertz * np.arange(16000) / 16000).astype(np.float32)
    centres = librosa.mel_frequencies(n_mels=config.n_mels + 2, fmin=config.f_min, fmax=config.f_max)[1:-1]
    loudest = log_mel(tone, config).mean(axis=0).argmax()
    assert abs(int(loudest) - int(np.abs(centres - hertz).argmin())) <= 1


def test_no_samples_give_no_frames():
    assert log_mel(np.zeros(0, dtype=np.float32)).shape == (0, 64)
