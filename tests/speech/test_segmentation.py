"""A network of others that hears ten seconds: what it says of a recording of any length, and its errors."""

import numpy as np
import pytest
from small_onnx import RAMP, write_graph, write_segmentation

from diarize.config import SpeechConfig
from diarize.errors import ModelError
from diarize.speech.activity import detect_activity
from diarize.speech.detect import hear
from diarize.speech.segmentation import OUTPUT_SAMPLES, Segmentation

LOUDNESS = np.array([1.0, 0.5])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_segmentation(tmp_path_factory.mktemp("segmentation") / "net.onnx")


def steps(n_samples: int) -> np.ndarray:
    """Samples whose loudness is another one in every 20 ms, and below 0.1."""
    index = np.arange(n_samples) // OUTPUT_SAMPLES
    return (index * 7 % 90 / 1000).astype(np.float32)


@pytest.mark.parametrize("n_samples", [320, 80_000, 80_320, 160_000, 176_000, 400_000])
def test_where_two_windows_hear_a_moment_their_mean_counts(path, n_samples):
    n = n_samples // OUTPUT_SAMPLES
    heard = Segmentation(path)(steps(n_samples))
    half = np.arange(n) // 250
    last = max(half[-1] - 1, 0)  # the last window begins a half before the end
    places = np.arange(n) % 250
    ramps = [RAMP[places, 0], RAMP[places + 250, 0]]
    ramp = np.where(half == 0, ramps[0], np.where(half > last, ramps[1], (ramps[0] + ramps[1]) / 2))
    np.testing.assert_allclose(heard, (steps(n_samples)[::320] + ramp)[:, None] * LOUDNESS, atol=1e-6)


def test_how_a_recording_comes_changes_nothing(path):
    samples = np.random.default_rng(0).normal(0, 0.1, 200_123).astype(np.float32)
    network = Segmentation(path)
    whole = network(samples)
    assert len(whole) == 626, "a moment that has begun counts"
    parts = np.concatenate(list(network.stream(np.array_split(samples, 31))))
    assert parts.tobytes() == whole.tobytes()
    assert network(samples[:0]).shape == (0, 2)


def test_it_detects_speech_and_overlap_where_the_settings_name_it(path):
    samples = np.zeros(80_000, np.float32)
    samples[32_000:64_000] = 0.91  # plus the ramp: 1.01 at 2 s
    heard = detect_activity([samples], path)
    assert heard.silero.shape == (157,), "silero hears it all the same"
    np.testing.assert_allclose(heard.overlap, heard.speech / 2, atol=1e-6)
    shape = {"release": 0.1, "padding": 0.0}
    found = hear([samples], SpeechConfig(detector="activity", model=str(path), overlap=0.5, **shape))
    assert [(round(s.start, 2), round(s.end, 2)) for s in found.segments] == [(2.0, 4.0)]
    assert [(round(s.start, 2), round(s.end, 2)) for s in found.overlap] == [(2.0, 4.0)]


def test_what_is_no_such_network_is_told(tmp_path):
    with pytest.raises(ModelError, match=r"net\.onnx: no such file; recipes/export_teacher\.py segmentation"):
        Segmentation(tmp_path / "net.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(ModelError, match=r"text\.onnx: not a network that takes ten seconds of samples \("):
        Segmentation(tmp_path / "text.onnx")
    with pytest.raises(ModelError, match=r"mels\.onnx: not a network that takes ten seconds of samples \("):
        Segmentation(write_graph(tmp_path / "mels.onnx"))
    other = write_segmentation(tmp_path / "slow.onnx", n_outputs=250)
    with pytest.raises(ModelError, match=r"slow\.onnx: gives \(250, 2\) for ten seconds, not two probabilit"):
        Segmentation(other)
