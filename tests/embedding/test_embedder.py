"""A window's vector is its own: neither its company, the blocks nor the threads change it."""

import numpy as np
import pytest
import soundfile
import torch
from helpers import small_model

from diarize.audio import SAMPLE_RATE, load_audio, regroup
from diarize.audio.features import log_mel
from diarize.audio.progress import Progress
from diarize.config import Config, EmbeddingConfig, SpeechConfig
from diarize.embedding.embedder import Embedder
from diarize.errors import AudioError
from diarize.segments import Segment
from diarize.speech.windows import sliding_windows


@pytest.fixture(scope="module")
def embedder(tmp_path_factory) -> Embedder:
    return Embedder(small_model(tmp_path_factory.mktemp("model")), device="cpu", threads=1)


@pytest.fixture(scope="module")
def samples(demo_recording) -> np.ndarray:
    return 2 * load_audio(demo_recording)  # loud enough that it is not made louder


WINDOWS = sliding_windows([Segment(0, 4), Segment(5, 5.2), Segment(11.5, 38), Segment(50.1, 66)])


@pytest.fixture(scope="module")
def vectors(embedder, samples) -> np.ndarray:
    return embedder.windows([samples], WINDOWS)


def test_vectors_have_length_1_and_differ(embedder, vectors):
    assert vectors.shape == (len(WINDOWS), embedder.dim) == (len(WINDOWS), 32)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.median(vectors @ vectors.T) < 0.9, "or the tests below would hold for any vector"


@pytest.mark.parametrize("row", [0, 3, 4, 5, 20, len(WINDOWS) - 1])
def test_a_window_alone_has_the_same_vector(embedder, samples, vectors, row):
    alone = embedder.windows([samples], [WINDOWS[row]])
    np.testing.assert_allclose(alone[0], vectors[row], atol=1e-5)


def test_a_vector_is_the_networks_own_answer(embedder, samples, vectors):
    """The frames that a window needs, counted by hand: its outputs, and the context around each."""
    network = embedder.model.network
    mel = log_mel(samples, embedder.model.features)
    row = next(row for row, window in enumerate(WINDOWS) if window.start == 11.5)
    first, count = round(11.5 * 25), round(1.5 * 25)
    start = first * network.stride - network.context // 2
    frames = mel[start : start + network.context + network.stride * (count - 1)]
    with torch.no_grad():
        expected = network(torch.from_numpy(frames)[None]).numpy()
    np.testing.assert_allclose(vectors[row], expected[0], atol=1e-5)


def test_a_vector_hears_its_window_and_its_context_alone(embedder, samples):
    window = Segment(20.0, 21.5)
    heard = embedder.windows([samples], [window])
    reach = embedder.model.network.context / 2 / 100 + 0.04  # seconds: context, and a frame's length
    changed = samples.copy()
    changed[: round((20 - reach) * SAMPLE_RATE)] = 0.5
    changed[round((21.5 + reach) * SAMPLE_RATE) :] = -0.5
    np.testing.assert_allclose(embedder.windows([changed], [window]), heard, atol=1e-6)
    changed = samples.copy()
    changed[round(20.7 * SAMPLE_RATE) : round(20.8 * SAMPLE_RATE)] = 0
    assert np.abs(embedder.windows([changed], [window]) - heard).max() > 1e-3


def test_the_place_in_a_long_recording_does_not_matter(embedder, samples, vectors):
    """The recording again, behind 40 minutes: 60000 steps of the network's grid further on."""
    early = [window for window in WINDOWS if 12 < window.start < 20]
    shift = 2400.0
    silence = np.zeros(SAMPLE_RATE * 30, np.float32)
    blocks = [*(silence for _ in range(80)), samples]
    late = embedder.windows(blocks, [Segment(w.start + shift, w.end + shift) for w in early])
    expected = vectors[[WINDOWS.index(window) for window in early]]
    np.testing.assert_allclose(late, expected, atol=1e-5)


@pytest.mark.parametrize("size", [777, 16_000, 480_000])
def test_blocks_of_any_size_give_the_same_vectors(embedder, samples, vectors, size):
    blocks = regroup([samples], size)
    np.testing.assert_allclose(embedder.windows(blocks, WINDOWS), vectors, atol=1e-5)


def test_threads_change_no_bit(embedder, samples, vectors):
    for threads in (2, 3):
        other = Embedder(embedder.model, device="cpu", threads=threads)
        np.testing.assert_array_equal(other.windows([samples], WINDOWS), vectors)


@pytest.mark.parametrize("fast", [True, False])
def test_bfloat16_is_near_and_is_float32_where_the_processor_is_slow_at_it(
    embedder, samples, vectors, fast, monkeypatch
):
    monkeypatch.setattr("diarize.machine.devices._cpu_has_bfloat16", lambda: fast)
    windows, expected = WINDOWS[:6], vectors[:6]
    one, two = (
        Embedder(embedder.model, device="cpu", threads=n, precision="bfloat16").windows([samples], windows)
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert one.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)
    assert 0 <= 1 - (one * expected).sum(axis=1).min() < 0.01
    assert np.allclose(one, expected, atol=1e-6) != fast


def test_the_number_of_torchs_threads_is_left_as_it_was(embedder, samples):
    before = torch.get_num_threads()
    embedder.windows([samples], WINDOWS[:3])
    assert torch.get_num_threads() == before


def test_windows_of_all_lengths_and_at_both_ends(embedder, samples):
    end = len(samples) / SAMPLE_RATE
    windows = [
        Segment(0.0, 0.2), Segment(0.0, 1.5), Segment(0.3, 0.31), Segment(2.0, 32.0), Segment(end - 1.5, end),
        Segment(end - 0.2, end), Segment(end - 0.01, end),
    ]  # fmt: skip
    together = embedder.windows([samples], windows)
    assert np.isfinite(together).all()
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for row, window in enumerate(windows):
        np.testing.assert_allclose(embedder.windows([samples], [window])[0], together[row], atol=1e-5)


def test_overlapping_windows_of_different_lengths(embedder, samples):
    windows = [Segment(10, 25), Segment(11, 11.5), Segment(12, 13.5), Segment(12, 24), Segment(30, 31)]
    together = embedder.windows([samples], windows)
    for row, window in enumerate(windows):
        np.testing.assert_allclose(embedder.windows([samples], [window])[0], together[row], atol=1e-5)


def test_a_window_longer_than_the_recording_hears_its_edge_repeated(embedder):
    short = 0.1 * np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    vector = embedder.windows([short], [Segment(0, 5)])
    assert np.isfinite(vector).all()


@pytest.mark.parametrize("start", [66.3, 70.0, 500.0])
def test_a_window_after_the_end_is_told(embedder, samples, start):
    with pytest.raises(AudioError, match=r"^a window begins after the recording's end; check that the times"):
        embedder.windows([samples], [Segment(1, 2.5), Segment(start, start + 1.5)])


def test_no_samples_have_no_windows(embedder):
    with pytest.raises(AudioError, match="a window begins after the recording's end"):
        embedder.windows([], [Segment(0, 1)])


def test_no_windows_have_no_vectors(embedder, samples):
    assert embedder.windows([samples], []).shape == (0, 32)


def test_progress_counts_windows(embedder, samples):
    calls = []
    embedder.windows([samples], WINDOWS, lambda *call: calls.append(call))
    assert calls == sorted(calls)
    assert calls[-1] == ("embed", (len(WINDOWS), len(WINDOWS)))


def test_a_recording_becomes_a_table(embedder, demo_recording, samples, vectors):
    speech = [Segment(0, 4), Segment(5, 5.2), Segment(11.5, 38), Segment(50.1, 66)]
    everything = Config(speech=SpeechConfig(mixed=1.0))
    table = embedder(demo_recording, speech=speech, config=everything)
    assert table.segments() == WINDOWS
    assert set(table.recording) == {"meeting"}
    assert table.speaker is None
    own = embedder.windows([load_audio(demo_recording)], WINDOWS)
    np.testing.assert_allclose(table.vectors, own, atol=1e-5)
    array = embedder(samples, rate=SAMPLE_RATE, speech=speech, config=everything)
    assert set(array.recording) == {"recording"}
    np.testing.assert_allclose(array.vectors, vectors, atol=1e-5)


def test_what_is_mixed_counts_for_no_window(embedder, samples):
    window, shorter = Segment(6, 8), Segment(6, 7.2)
    (half,) = embedder.windows([samples], [window], mixed=[Segment(7.2, 8), Segment(20, 30)])
    (alone,) = embedder.windows([samples], [shorter])
    np.testing.assert_allclose(half, alone, atol=1e-5)
    (whole,) = embedder.windows([samples], [window])
    assert np.abs(half - whole).max() > 1e-3
    for mixed in ([Segment(0, 100)], [Segment(0, 6.9), Segment(7.05, 9)]):
        (all_of_it,) = embedder.windows([samples], [window], mixed=mixed)
        np.testing.assert_allclose(all_of_it, whole, atol=1e-6, err_msg="too little is left: all counts")


def test_the_order_of_the_speech_does_not_matter(embedder, samples):
    speech = [Segment(50, 53), Segment(2, 6), Segment(4, 9)]
    given, ordered = (embedder(samples, rate=SAMPLE_RATE, speech=s) for s in (speech, sorted(speech)))
    assert given.segments() == ordered.segments() == sorted(given.segments())
    np.testing.assert_array_equal(given.vectors, ordered.vectors)
    with pytest.raises(ValueError, match="windows must be in the order of their starts"):
        embedder.windows([samples], [Segment(5, 6), Segment(4, 7)])


def test_speech_is_detected_and_windows_follow_the_settings(embedder, demo_recording):
    table = embedder(demo_recording, config=Config(embedding=EmbeddingConfig(window=1.0, hop=1.0)))
    assert len(table) > 30
    lengths = table.end - table.start
    assert lengths.max() == pytest.approx(1.0)
    assert table.start[0] == pytest.approx(0.8, abs=0.3)


def test_a_channel_is_chosen(embedder, samples):
    stereo = np.stack([0 * samples, samples], axis=1)[: 5 * SAMPLE_RATE]
    speech = [Segment(1, 4)]
    second = embedder(stereo, rate=SAMPLE_RATE, channel=2, speech=speech)
    mono = embedder(samples[: 5 * SAMPLE_RATE], rate=SAMPLE_RATE, speech=speech)
    np.testing.assert_allclose(second.vectors, mono.vectors, atol=1e-5)


def test_an_utterance_is_the_direction_of_the_mean_over_its_speech(
    embedder, demo_recording, samples, tmp_path
):
    piece = samples[round(5.2 * SAMPLE_RATE) : round(11 * SAMPLE_RATE)]
    path = tmp_path / "rms.flac"
    soundfile.write(path, piece, SAMPLE_RATE)
    vector = embedder.utterance(path)
    assert vector.shape == (32,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    mean = embedder(path).vectors.mean(axis=0)
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)
    np.testing.assert_allclose(embedder.utterance(piece, rate=SAMPLE_RATE), vector, atol=2e-3)  # 16-bit file


def test_a_whole_recording_is_one_row(embedder, demo_recording, samples):
    table = embedder(demo_recording, whole=True, recording="all")
    assert table.recording.tolist() == ["all"]
    assert (table.start[0], table.end[0]) == (0, pytest.approx(len(samples) / SAMPLE_RATE))
    np.testing.assert_allclose(table.vectors[0], embedder.utterance(demo_recording), atol=1e-6)


@pytest.mark.parametrize("n_samples", [100, 3200, 40_000])
def test_an_utterance_without_speech_counts_as_a_whole(embedder, n_samples):
    noise = 1e-3 * np.random.default_rng(0).standard_normal(n_samples)
    vector = embedder.utterance(noise, rate=SAMPLE_RATE)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_progress_is_told(embedder, demo_recording):
    calls = []
    table = embedder(demo_recording, hook=lambda *call: calls.append(call))
    assert list(dict.fromkeys(stage for stage, _ in calls)) == ["hear", "embed"]
    assert calls[-2] == ("embed", Progress(len(table), len(table)))
    assert (calls[-1][1].vectors == table.vectors).all()
