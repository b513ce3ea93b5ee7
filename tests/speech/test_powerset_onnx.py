"""A third-party network of local speakers: what it says of a window, of a recording, and its errors."""

import numpy as np
import pytest
from helpers import small_model
from small_onnx import TALK, TOGETHER, write_graph, write_powerset

from diarize import Diarizer
from diarize.audio import SAMPLE_RATE, load_audio
from diarize.config import load_config
from diarize.errors import ModelError
from diarize.formats import read_rttm
from diarize.networks.local_network import members_of, powerset
from diarize.segments import Segment, crop, speech_of
from diarize.speech.detect import hear
from diarize.speech.local import FRAME_SAMPLES, detect_local
from diarize.speech.powerset_onnx import WINDOW, OnnxSegmenter
from diarize.speech.segmenters import load_segmenter

LOCAL = {"speech.detector": "local", "speech.release": 0.0, "speech.padding": 0.0}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_powerset(tmp_path_factory.mktemp("segmentation") / "net.onnx")


def steps(n_frames: int, samples_a_frame: int = FRAME_SAMPLES) -> np.ndarray:
    """Samples of which every frame has another loudness, below TALK, above it, or above TOGETHER."""
    levels = np.random.default_rng(0).choice([0.0, 2 * TALK, 2 * TOGETHER], n_frames)
    return levels.repeat(samples_a_frame).astype(np.float32)


def classes_of(samples: np.ndarray) -> np.ndarray:
    """The class of each sample: nobody, the first speaker, the first two."""
    return np.select([samples > TOGETHER, samples > TALK], [4, 1], 0)


@pytest.mark.parametrize("kind", ["logits", "LogSoftmax", "Softmax"])
@pytest.mark.parametrize("shape", [("B", WINDOW), ("B", 1, WINDOW), ("B", 1, "n"), (1, 1, WINDOW)])
def test_probabilities_are_those_of_the_file(tmp_path, kind, shape):
    segmenter = OnnxSegmenter(write_powerset(tmp_path / "net.onnx", kind=kind, shape=shape))
    windows = np.stack([steps(500), steps(500)[::-1].copy()])
    found = segmenter(windows)
    assert (found.shape, found.dtype) == ((2, 500, 7), np.float32)
    np.testing.assert_allclose(found.sum(axis=2), 1, atol=1e-4)
    np.testing.assert_array_equal(found.argmax(axis=2), classes_of(windows[:, ::FRAME_SAMPLES]))
    logit = 200 * (2 * TALK - TALK)
    one = found[0, classes_of(windows[0, ::FRAME_SAMPLES]) == 1, 1]
    np.testing.assert_allclose(one, 1 / (1 + np.exp(-logit)), atol=1e-4)


@pytest.mark.parametrize(
    ("n_classes", "speakers"), {4: (2, 2), 7: (3, 2), 11: (4, 2), 15: (4, 3), 16: (4, 4)}.items()
)
def test_the_number_of_classes_says_how_many_speakers_there_are(tmp_path, n_classes, speakers):
    segmenter = OnnxSegmenter(write_powerset(tmp_path / "net.onnx", n_classes=n_classes))
    n_local, n_together = speakers
    assert len(powerset(n_local, n_together)) == n_classes
    np.testing.assert_array_equal(segmenter.members, members_of(powerset(n_local, n_together), n_local))
    loud = np.full((1, WINDOW), 2 * TOGETHER, np.float32)
    talking = segmenter.members[segmenter(loud).argmax(axis=2)]
    assert talking[0].sum(axis=1).tolist() == [2] * 500
    assert talking[0, :, :2].all()


@pytest.mark.parametrize("n_outputs", [200, 250, 400, 640, 1000])
def test_a_frame_is_that_with_the_nearest_middle(tmp_path, n_outputs):
    segmenter = OnnxSegmenter(write_powerset(tmp_path / "net.onnx", n_outputs))
    samples = steps(n_outputs, WINDOW // n_outputs)
    found = segmenter(samples[None])[0].argmax(axis=1)
    middles = (np.arange(n_outputs) + 0.5) / n_outputs
    at = (np.arange(500) + 0.5) / 500
    apart = np.abs(at[:, None] - middles)
    classes = classes_of(samples[:: WINDOW // n_outputs])
    nearest = apart < apart.min(axis=1, keepdims=True) + 1e-9  # two at a tie
    assert all(found[i] in classes[nearest[i]] for i in range(500))


def test_a_short_window_is_filled_up_and_its_output_cut(path):
    samples = steps(100)
    found = OnnxSegmenter(path)(samples[None])
    assert found.shape == (1, 100, 7)
    np.testing.assert_array_equal(found[0].argmax(axis=1), classes_of(samples[::FRAME_SAMPLES]))


@pytest.mark.parametrize("n_frames", [60, 500, 1234])
def test_local_speakers_of_a_recording(path, n_frames):
    samples = steps(n_frames)
    local = detect_local([samples], load_segmenter(str(path)), 10.0, 2.5)
    expected = np.select([samples > TOGETHER, samples > TALK], [2, 1], 0)[::FRAME_SAMPLES]
    np.testing.assert_array_equal(local.mean(local.active.sum(axis=2)), expected)


def test_speech_and_overlap_where_the_settings_name_the_file(path):
    samples = np.zeros(5 * SAMPLE_RATE, np.float32)
    samples[2 * SAMPLE_RATE : 4 * SAMPLE_RATE] = 2 * TALK
    samples[3 * SAMPLE_RATE : 4 * SAMPLE_RATE] = 2 * TOGETHER
    config = load_config(overrides={**LOCAL, "speech.model": str(path)})
    found = hear([samples], config.speech)
    assert [(round(s.start, 2), round(s.end, 2)) for s in found.segments] == [(2.0, 4.0)]
    assert [(round(s.start, 2), round(s.end, 2)) for s in found.overlap] == [(3.0, 4.0)]
    assert found.mixed == found.overlap


def test_a_recording_is_diarized_with_it(path, demo_recording, tmp_path):
    samples = load_audio(demo_recording)
    samples *= 3 * TALK / np.abs(samples).mean()
    config = load_config(overrides={**LOCAL, "speech.model": str(path), "speech.min_silence": 0.4})
    result = Diarizer(small_model(tmp_path / "small"), config=config, device="cpu", threads=1)(
        samples, rate=SAMPLE_RATE, n_speakers=2, recording="meeting"
    )
    assert len(result.speakers) == 2
    whole = Segment(0, result.duration)
    assert all(each.intersection(whole) == each for each in speech_of(result.turns))
    reference = speech_of(read_rttm(demo_recording.with_suffix(".rttm")))
    common = sum(turn.segment.duration for turn in crop(result.exclusive, reference))
    assert common > 0.7 * sum(each.duration for each in reference)


def test_what_is_no_such_network_is_told(tmp_path):
    with pytest.raises(ModelError, match=r"net\.onnx: no such file$"):
        OnnxSegmenter(tmp_path / "net.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(ModelError, match=r"text\.onnx: not a network that takes ten seconds of samples \("):
        OnnxSegmenter(tmp_path / "text.onnx")
    with pytest.raises(ModelError, match=r"mels\.onnx: not a network that takes ten seconds of samples \("):
        OnnxSegmenter(write_graph(tmp_path / "mels.onnx"))
    other = write_powerset(tmp_path / "two.onnx", n_classes=2)
    with pytest.raises(
        ModelError, match=r"two\.onnx: gives 2 classes; known numbers of classes: 4, 7, 11, 15, 16$"
    ):
        load_segmenter(str(other))


def test_windows_of_more_than_ten_seconds_are_refused(path):
    config = load_config(overrides={**LOCAL, "speech.model": str(path), "speech.window": 12})
    with pytest.raises(ModelError, match=r"net\.onnx: takes windows of 10 s, not 12; lower speech\.window$"):
        hear([np.zeros(20 * SAMPLE_RATE, np.float32)], config.speech)
