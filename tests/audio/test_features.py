"""Features against librosa, against physics, and streamed against whole."""

import re
import tomllib
from pathlib import Path

import librosa.filters
import numpy as np
import pytest
import scipy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diarize.audio import features
from diarize.audio.features import (
    CONFIGURATIONS,
    DEFAULT,
    GMM_MFCC,
    LEARN_TO_CLUSTER,
    ZHAW,
    FeatureConfig,
    log_mel,
    log_mel_tensor,
    mfcc,
    stream_log_mel,
)
from diarize.embedding.onnx import OnnxConfig, normalize
from diarize.embedding.resemblyzer import FEATURES as RESEMBLYZER

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "models.md"
WESPEAKER, THREE_D_SPEAKER, NEMO = (
    tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
)  # the examples of the page


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)


def oracle_mel(samples: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Power in librosa's mel bands, with frames about every hop, as librosa.feature.melspectrogram.

    That function itself compiles for a minute.
    """
    taper = scipy.signal.get_window(config.window_shape, config.window)
    side = (config.n_fft - config.window) // 2
    taper = np.pad(taper, (side, config.n_fft - config.window - side))
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, config.n_fft // 2), config.n_fft)
    power = np.abs(np.fft.rfft(frames[:: config.hop] * taper)) ** 2
    bands = librosa.filters.mel(
        sr=16000, n_fft=config.n_fft, n_mels=config.n_mels, fmin=config.f_min, fmax=config.f_max
    )
    return power @ bands.T


@pytest.mark.oracle
@pytest.mark.parametrize("n_samples", [1, 159, 160, 16000, 40321])
def test_zhaw_equals_librosa(n_samples):
    samples = noise(n_samples)
    expected = np.log10(1 + 10000 * oracle_mel(samples, ZHAW))
    np.testing.assert_allclose(log_mel(samples, ZHAW), expected, atol=1e-4)


@pytest.mark.oracle
def test_learn_to_cluster_equals_librosa():
    samples = noise(32000) * np.linspace(0, 1, 32000, dtype=np.float32) ** 8
    decibel = 10 * np.log10(np.maximum(oracle_mel(samples, LEARN_TO_CLUSTER), 1e-10))
    decibel = np.maximum(decibel, decibel.max() - 80)
    np.testing.assert_allclose(log_mel(samples, LEARN_TO_CLUSTER), (decibel + 80) / 95, atol=1e-4)


@pytest.mark.oracle
def test_default_equals_librosa():
    samples = noise(32000)
    np.testing.assert_allclose(log_mel(samples), np.log(oracle_mel(samples, DEFAULT) + 1e-6), atol=1e-4)


@pytest.mark.oracle
def test_resemblyzers_features_equal_librosa():
    samples = noise(32000)
    np.testing.assert_allclose(log_mel(samples, RESEMBLYZER), oracle_mel(samples, RESEMBLYZER), rtol=1e-3)


@pytest.mark.oracle
def test_mfcc_equals_librosa():
    samples = noise(32000)
    emphasised = samples - 0.97 * np.append(np.float32(0), samples[:-1])
    log = np.log(oracle_mel(emphasised, GMM_MFCC) + 1e-6)
    expected = scipy.fft.dct(log, norm="ortho")[:, 1:20]
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


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("example", "window"),
    [(WESPEAKER, "hamming"), (THREE_D_SPEAKER, "povey")],
    ids=["wespeaker", "3d-speaker"],
)
@pytest.mark.parametrize("n_samples", [400, 559, 560, 24_000])
def test_the_examples_of_kaldis_convention_equal_torchaudios_kaldi(example, window, n_samples):
    log_mel(noise(400))  # imports torchaudio
    from torchaudio.compliance.kaldi import fbank

    OnnxConfig(**example["model"])
    samples = (noise(n_samples) + np.float32(0.05)) * np.float32(example["model"].get("scale", 1))
    expected = fbank(
        torch.from_numpy(samples)[None], num_mel_bins=80, frame_length=25, frame_shift=10, dither=0.0,
        energy_floor=0.0, sample_frequency=16000, window_type=window, use_energy=False,
    ).numpy()  # fmt: skip
    found = log_mel(samples, FeatureConfig(**example["features"]))
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert np.abs(found - expected).mean() < 1e-4


def test_kaldis_convention_has_whole_frames_only_and_streams():
    config = FeatureConfig(**WESPEAKER["features"])
    assert log_mel(noise(399), config).shape == (0, 80)
    samples = noise(9000)
    for cuts in ([], [1, 399, 400, 401, 7000], list(range(0, 9000, 37))):
        streamed = np.concatenate(list(stream_log_mel(np.split(samples, cuts), config)))
        np.testing.assert_allclose(streamed, log_mel(samples, config), atol=2e-5)


@pytest.mark.oracle
def test_the_example_of_nemo_equals_its_formula():
    samples = noise(24_000)
    emphasised = np.append(samples[:1], samples[1:] - 0.97 * samples[:-1])
    spectrum = librosa.stft(
        emphasised, n_fft=512, hop_length=160, win_length=400, window=np.hanning(400), pad_mode="constant"
    )
    mel = librosa.filters.mel(sr=16000, n_fft=512, n_mels=80, fmin=0, fmax=8000) @ np.abs(spectrum) ** 2
    log = np.log(mel + 2**-24)  # (n_mels, n_frames)
    expected = (log - log.mean(axis=1, keepdims=True)) / (log.std(axis=1, ddof=1, keepdims=True) + 1e-5)
    found = log_mel(samples, FeatureConfig(**NEMO["features"]))
    kind = OnnxConfig(**NEMO["model"]).normalization
    np.testing.assert_allclose(normalize(found[None], kind)[0].T, expected, atol=2e-3)


@pytest.mark.parametrize("config", [DEFAULT, ZHAW])
def test_the_differentiable_spectrogram_is_the_same(config):
    samples = 0.1 * np.random.default_rng(0).standard_normal(8000, dtype=np.float32)
    features._window_and_filters.cache_clear()
    with torch.inference_mode():
        log_mel(samples, config)  # what it keeps is for gradients, too
    tensor = torch.from_numpy(samples).requires_grad_()
    found = log_mel_tensor(tensor[None], config)[0]
    # Frame t of samples without zeros before them is centred on sample n_fft / 2 + t * hop.
    first = config.n_fft // 2 / config.hop
    shifted = log_mel(np.append(np.zeros(-(config.n_fft // 2) % config.hop, np.float32), samples), config)
    at = int(np.ceil(first))
    np.testing.assert_allclose(found.detach(), shifted[at : at + len(found)], atol=1e-3)
    found.sum().backward()
    assert (tensor.grad[config.n_fft : -config.n_fft] != 0).float().mean() > 0.99
    with pytest.raises(ValueError, match="no differentiable log-mel for librosa, decibel"):
        log_mel_tensor(tensor[None], LEARN_TO_CLUSTER)
