"""The network of speech and overlap: what an output sees, the same from any blocks, planted overlap."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.audio.features import log_mel
from diarize.config import SpeechConfig
from diarize.embedding.catalog import bundled_models
from diarize.errors import ConfigError, ModelError
from diarize.files.bundled import ACTIVITY
from diarize.networks.activity_network import ActivityNetwork
from diarize.segments import Segment
from diarize.speech.activity import detect_activity, load_activity, pad_frames, silero_of_frames
from diarize.speech.detect import hear, overlap_segments, speech_probabilities, speech_segments
from diarize.speech.silero import FRAME_SAMPLES
from diarize.training.augment import set_level

CONFIG = SpeechConfig(detector="activity")


def tiny(**changes: object) -> ActivityNetwork:
    torch.manual_seed(3)
    settings = {"n_mels": 8, "channels": (2, 3), "width": 4, "dilations": (1, 2)}
    return ActivityNetwork(**(settings | changes)).eval()


@pytest.fixture(scope="module")
def samples(demo_recording) -> np.ndarray:
    return load_audio(demo_recording)


@torch.inference_mode()
def test_an_output_sees_its_context_and_nothing_else():
    network = tiny()
    assert network.context == 7 + 4 * 3
    random = np.random.default_rng(0)
    mel = torch.from_numpy(random.normal(-6, 2, (1, 41, 8)).astype(np.float32))
    silero = torch.from_numpy(random.uniform(0, 1, (1, 41)).astype(np.float32))
    whole = network(mel, silero)
    assert whole.shape == (1, (41 - 19) // 2 + 1, 2)
    for j in (0, 4, 11):
        seen = slice(2 * j, 2 * j + network.context)
        torch.testing.assert_close(network(mel[:, seen], silero[:, seen])[0, 0], whole[0, j])
    for frame, inputs in ((0, (mel, silero)), (18, (mel, silero)), (19, (mel, silero))):
        changed = [tensor.clone() for tensor in inputs]
        changed[0][:, frame] += 1
        assert bool((network(*changed)[0, 0] != whole[0, 0]).any()) == (frame < 19)
    heard = silero.clone()
    heard[0, 9] = 1 - heard[0, 9]  # the middle of the first output's context
    assert (network(mel, heard)[0, 0] != whole[0, 0]).any()
    assert (tiny(hears_silero=False)(mel, heard) == tiny(hears_silero=False)(mel, silero)).all()


def test_mels_come_in_fours():
    with pytest.raises(ValueError, match="n_mels is a multiple of 4, got 30"):
        ActivityNetwork(n_mels=30)


@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_of_any_size_and_threads_give_the_same(samples, threads):
    long = np.concatenate([samples, samples[: 20 * SAMPLE_RATE + 77]])  # more than one call of the network
    whole = detect_activity([long], threads=1)
    assert len(whole.speech) == len(whole.overlap) == len(long) // 160 // 2 + 1
    assert whole.n_seconds == len(long) / SAMPLE_RATE
    random = np.random.default_rng(1)
    cuts = [0, *np.sort(random.integers(0, len(long), 40)).tolist(), len(long)]
    cut = detect_activity([long[a:b] for a, b in pairwise(cuts)], threads=threads)
    for found, expected in zip(cut, whole, strict=True):
        assert np.array_equal(found, expected)


@torch.inference_mode()
def test_the_stream_is_one_run_of_the_network_over_everything(samples):
    piece = samples[: 65 * SAMPLE_RATE]
    network, features = load_activity()
    mel = log_mel(piece, features)
    silero = silero_of_frames(speech_probabilities([piece])[0], 0, 0, len(mel))
    half = network.context // 2
    mel, silero = pad_frames(mel, silero, half, half)
    logits = network(torch.from_numpy(mel)[None], torch.from_numpy(silero)[None])[0]
    heard = detect_activity([piece])
    np.testing.assert_allclose(np.stack([heard.speech, heard.overlap], 1), logits.sigmoid(), atol=1e-4)


@pytest.mark.parametrize("n_samples", [1, 159, 160, 320, 512, 16000])
def test_short_recordings_have_an_output_for_every_20_ms(n_samples):
    heard = detect_activity([np.zeros(n_samples, np.float32)])
    assert len(heard.speech) == n_samples // 160 // 2 + 1
    assert heard.speech.max() < 0.5


def test_nothing_is_heard_in_nothing():
    assert hear([], CONFIG) == ([], [], [], 0.0, None)
    noise = np.random.default_rng(0).normal(0, 0.01, 5 * SAMPLE_RATE).astype(np.float32)
    speech, overlap, _, n_seconds, _ = hear([noise], CONFIG)
    assert (speech, overlap, n_seconds) == ([], [], 5.0)


def test_silero_is_taken_at_the_middle_of_a_frame():
    probabilities = np.arange(10, dtype=np.float32)
    first = silero_of_frames(probabilities, 0, 0, 32)
    assert first.tolist() == [t * 160 // FRAME_SAMPLES for t in range(32)]
    assert silero_of_frames(probabilities[5:], 5, 20, 12).tolist() == first[20:].tolist()
    assert silero_of_frames(probabilities, 0, 32, 1).tolist() == [9], "behind the last: the last"


def test_overlap_is_where_its_probability_reaches_the_threshold():
    overlap = np.zeros(200, np.float32)
    overlap[20:60] = 0.7
    overlap[100:110] = 0.4
    assert overlap_segments(overlap, 4.0, 0.5) == [Segment(0.4, 1.2)]
    assert overlap_segments(overlap, 4.0, 0.3) == [Segment(0.4, 1.2), Segment(2.0, 2.2)]


def inside(segment: Segment, around: Segment) -> bool:
    return segment.intersection(around) == segment


def test_speech_may_be_given_and_overlap_lies_in_it(samples):
    piece = samples[: 15 * SAMPLE_RATE]
    given, found = [Segment(1, 2), Segment(3, 30)], [Segment(1, 2), Segment(3, 15)]
    for detector in ("silero", "energy", "activity"):
        for threshold in (0.0, 1.0):
            config = SpeechConfig(detector=detector, overlap=threshold)
            speech, overlap, _, n_seconds, _ = hear([piece], config, given)
            assert (speech, n_seconds) == (found, 15.0)
            assert bool(overlap) == (threshold == 0 and detector != "energy")
            assert all(any(inside(each, around) for around in found) for each in overlap)


def test_silero_finds_the_same_speech_with_overlap_and_without(samples):
    piece = samples[: 15 * SAMPLE_RATE]
    alone, none, nowhere, *_ = hear([piece], SpeechConfig(detector="silero", overlap=1.0, mixed=1.0))
    assert alone == speech_segments([piece], SpeechConfig())
    assert none == nowhere == []
    speech, overlap, mixed, *_ = hear([piece], SpeechConfig(detector="silero", overlap=0.0, mixed=0.0))
    assert speech == alone
    assert sum(each.duration for each in mixed) > 1
    assert overlap
    assert all(any(inside(each, around) for around in speech) for each in overlap)
    ours, none, _, n_seconds, _ = hear([piece], SpeechConfig(detector="activity", overlap=1.0))
    assert ours != alone
    assert (none, n_seconds) == ([], 15.0)


def test_planted_overlap_of_test_speakers_is_found(shared_data):
    """Two voices that the network never heard take turns of 3 s; between them both speak for 3 s, thrice."""
    a, b = (
        np.concatenate([load_audio(path) for path in sorted((shared_data / "speakers" / name).glob("*"))])
        for name in ("librispeech/19", "librispeech/26")
    )
    part, n_parts = 3 * SAMPLE_RATE, 9
    rows = np.arange(n_parts)[:, None] % 3  # only a, both, only b
    a, b = (set_level(voice[: n_parts * part], -25).reshape(n_parts, part) for voice in (a, b))
    heard = detect_activity([(a * (rows < 2) + b * (rows > 0)).ravel()])
    parts = heard.overlap[: n_parts * 150].reshape(n_parts, 150)
    planted = np.arange(n_parts) % 3 == 1
    assert parts[planted].mean() > 3 * parts[~planted].mean()
    found = parts >= 0.5
    assert found[planted].sum() > 0.7 * found.sum()
    assert found[planted].mean() > 0.3


def test_the_bundled_network_is_small_and_no_embedding_model():
    assert (ACTIVITY / "weights.safetensors").stat().st_size < 2e6
    assert (ACTIVITY / "MODEL_CARD.md").stat().st_size > 1000
    assert ACTIVITY.name not in bundled_models()


CONFIG_TOML = "[features]\nn_mels = 8\n[network]\nchannels = [2, 3]\nwidth = 4\ndilations = [1, 2]\n"


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
        (
            CONFIG_TOML.replace("width = 4", "width = 'a'"),
            ConfigError,
            "width is a positive integer, got 'a'",
        ),
        (CONFIG_TOML.replace("n_mels = 8", "hop = 320"), ConfigError, "needs hop = 160"),
        (CONFIG_TOML + "[trainig]\n", ConfigError, "unknown table 'trainig'"),
    ],
)
def test_what_is_wrong_with_a_folder_is_told(tmp_path, config, error, words):
    if config is not None:
        (tmp_path / "config.toml").write_text(config)
    with pytest.raises(error, match=words) as caught:
        load_activity(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
