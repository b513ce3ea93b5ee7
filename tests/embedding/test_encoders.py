"""Encoders that take windows one by one: ONNX files against NumPy, Resemblyzer against its own code."""

import re
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest
from command_line import call, complaint
from onnx import TensorProto, helper, numpy_helper
from small_onnx import DIM, N_MELS, SETTINGS, WEIGHTS, write_model

from diarize.audio import SAMPLE_RATE, load_audio, regroup
from diarize.audio.features import FeatureConfig, log_mel
from diarize.embedding.catalog import RESEMBLYZER_REMEDY, find_resemblyzer
from diarize.embedding.embedder import Embedder
from diarize.embedding.models import Model
from diarize.embedding.onnx import OnnxNetwork, normalize
from diarize.embedding.resemblyzer import ResemblyzerNetwork
from diarize.errors import AudioError, ConfigError, DiarizeError, ModelError
from diarize.networks import build_network
from diarize.pipeline.diarizer import Diarizer
from diarize.segments import Segment
from diarize.speakers.plda import Backend, save_backend
from diarize.speech.windows import sliding_windows

WINDOWS = sliding_windows([Segment(0, 4), Segment(5, 5.2), Segment(11.5, 38), Segment(50.1, 66)])


def expected(samples: np.ndarray, window: Segment) -> np.ndarray:
    """The same in NumPy, for a window of at least half a second."""
    start = round(window.start * SAMPLE_RATE)
    piece = samples[start : start + round(window.duration * SAMPLE_RATE)]
    vector = log_mel(piece, FeatureConfig(n_mels=N_MELS)).mean(axis=0) @ WEIGHTS
    return vector / np.linalg.norm(vector)


@pytest.fixture(scope="module")
def samples(demo_recording) -> np.ndarray:
    return 2 * load_audio(demo_recording)  # loud enough that it is not made louder


@pytest.fixture(scope="module")
def embedder(tmp_path_factory) -> Embedder:
    return Embedder(write_model(tmp_path_factory.mktemp("onnx")), device="cpu", threads=1)


@pytest.fixture(scope="module")
def vectors(embedder, samples) -> np.ndarray:
    return embedder.windows([samples], WINDOWS)


def test_an_onnx_file_gives_the_vectors_of_its_graph(embedder, samples, vectors):
    assert vectors.shape == (len(WINDOWS), DIM) == (len(WINDOWS), embedder.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for row, window in enumerate(WINDOWS):
        if window.duration >= 0.5 and window.end < 66:
            np.testing.assert_allclose(vectors[row], expected(samples, window), atol=1e-5)
    assert embedder.model.name == "net.onnx"
    assert re.fullmatch("[0-9a-f]{12}", embedder.model.fingerprint)


@pytest.mark.parametrize(
    ("graph", "more"),
    [
        ({"mels_first": True}, 'axes = "mels frames"\n'),
        ({"length": True}, 'length = "length"\n'),
        ({"mels_first": True, "length": True}, 'axes = "mels frames"\nlength = "length"\n'),
        ({"batch": 1}, ""),
    ],
)
def test_axes_length_and_batches_of_one_change_nothing(tmp_path, samples, vectors, graph, more):
    path = write_model(tmp_path, SETTINGS.replace("[features]", more + "[features]"), **graph)
    np.testing.assert_allclose(Embedder(path).windows([samples], WINDOWS), vectors, atol=1e-5)


def test_samples_may_go_in_scaled(tmp_path, samples):
    """A graph of 0.5 s of samples: their first four, of which the window is cut around its middle."""
    nodes = [helper.make_node("Slice", ["wave", "zero", "four", "one"], ["embs"])]
    graph = helper.make_graph(
        nodes,
        "first",
        [helper.make_tensor_value_info("wave", TensorProto.FLOAT, ["B", 8000])],
        [helper.make_tensor_value_info("embs", TensorProto.FLOAT, ["B", 4])],
        [numpy_helper.from_array(np.array([n]), name) for n, name in ((0, "zero"), (4, "four"), (1, "one"))],
    )
    path = tmp_path / "wave.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    (tmp_path / "wave.toml").write_text(
        '[model]\ninput = "wave"\noutput = "embs"\ndim = 4\naxes = "samples"\nscale = 32768\n'
        "max_seconds = 0.5\n"
    )
    network = OnnxNetwork(path)
    np.testing.assert_array_equal(network.prepare(samples[None, :8000]), samples[None, :8000] * 32768)
    first = samples[round(20.75 * SAMPLE_RATE) - 4000 :][:4]
    (vector,) = Embedder(path).windows([samples], [Segment(20, 21.5)])
    np.testing.assert_allclose(vector, first / np.linalg.norm(first), atol=1e-6)


@pytest.mark.parametrize("kind", ["none", "mean", "mean-deviation"])
def test_normalization_is_of_each_mel_of_each_window(kind):
    mel = np.random.default_rng(0).normal(3, 2, (4, 50, 8)).astype(np.float32)
    found = normalize(mel, kind)
    if kind == "none":
        np.testing.assert_array_equal(found, mel)
        return
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-5)
    deviation = 1 if kind == "mean-deviation" else mel.std(axis=1, ddof=1)
    np.testing.assert_allclose(found.std(axis=1, ddof=1), deviation, rtol=1e-4)


@pytest.mark.parametrize(("seconds", "settings"), [(9.0, ""), (0.2, ""), (9.0, "max_seconds = 4\n")])
def test_an_utterance_is_one_window(tmp_path, samples, seconds, settings):
    network = OnnxNetwork(write_model(tmp_path, SETTINGS.replace("[features]", settings + "[features]")))
    one = samples[80_000 : 80_000 + round(seconds * SAMPLE_RATE)]
    heard = one if seconds > 0.5 else np.resize(one, SAMPLE_RATE // 2)
    if settings:
        heard = one[round(2.5 * SAMPLE_RATE) : round(6.5 * SAMPLE_RATE)]
    vector = network.utterance(one)
    assert vector.shape == (DIM,)
    np.testing.assert_allclose(vector, network.embed(heard[None])[0], atol=1e-6)


@pytest.mark.parametrize("size", [777, 16_000])
def test_blocks_of_any_size_give_the_same_vectors(embedder, samples, vectors, size):
    np.testing.assert_allclose(embedder.windows(regroup([samples], size), WINDOWS), vectors, atol=1e-6)


def test_threads_change_no_bit(embedder, samples, vectors):
    other = Embedder(embedder.model.path, device="cpu", threads=3)
    np.testing.assert_array_equal(other.windows([samples], WINDOWS), vectors)


def test_a_short_window_is_widened_and_at_the_ends_moved_inside(embedder, samples):
    end = len(samples) / SAMPLE_RATE
    cases = [
        (Segment(0.05, 0.1), Segment(0.0, 0.5)),
        (Segment(20.0, 20.2), Segment(19.85, 20.35)),
        (Segment(end - 1, end + 0.5), Segment(end - 1.5, end)),
        (Segment(end - 0.01, end), Segment(end - 0.5, end)),
    ]
    found = embedder.windows(regroup([samples], 1000), [short for short, _ in cases])
    for row, (_, wide) in enumerate(cases):
        np.testing.assert_allclose(found[row], expected(samples, wide), atol=1e-4)


def test_a_recording_shorter_than_a_window_is_filled_with_silence(embedder):
    short = 0.3 * np.random.default_rng(0).standard_normal(2000).astype(np.float32)
    (found,) = embedder.windows([short], [Segment(0, 0.125)])
    np.testing.assert_allclose(found, expected(np.pad(short, (0, 6000)), Segment(0, 0.5)), atol=1e-5)


@pytest.mark.parametrize("blocks", [[], [np.zeros(8000, np.float32)]])
def test_a_window_after_the_end_is_told(embedder, blocks):
    with pytest.raises(AudioError, match=r"^a window begins after the recording's end"):
        embedder.windows(blocks, [Segment(0.6, 2)])


def test_memory_does_not_grow_with_the_recording(embedder):
    """Twenty minutes, 77 MB of samples, while the batches hold 32 windows of 1.5 s, 3 MB."""
    random = np.random.default_rng(0)
    blocks = (random.standard_normal(480_000, dtype=np.float32) for _ in range(40))
    windows = sliding_windows([Segment(0, 1200)], hop=1.5)
    tracemalloc.start()
    try:
        embedder.windows(blocks, windows)
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


def test_recordings_are_diarized_and_embedded_with_an_onnx_file(embedder, demo_recording, tmp_path):
    path = embedder.model.path
    found = Diarizer(path, device="cpu")(demo_recording)
    assert found.embeddings.vectors.shape[1] == DIM
    assert found.model == f"net.onnx {embedder.model.fingerprint}"
    done = call("embed", demo_recording, "--model", path, "-o", tmp_path / "a.npz")
    assert (done.status, done.err) == (0, "")
    assert done.out == f"meeting: {len(found.embeddings)} embeddings of {DIM} dimensions\n"


def test_an_onnx_file_may_have_a_back_end_beside_it(demo_recording, tmp_path):
    path = write_model(tmp_path)
    assert Embedder(path).backend is None
    save_backend(Backend(10 * np.eye(DIM), np.ones(DIM)), path, Embedder(path).model.fingerprint)
    assert (tmp_path / "net.backend.safetensors").is_file()
    diarizer = Diarizer(path, device="cpu")
    np.testing.assert_array_equal(diarizer.embedder.backend.projection, 10 * np.eye(DIM))
    assert "evidence" in diarizer(demo_recording).evidence["reason"]


def refused(path: Path, error: type[DiarizeError], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}") as caught:
        Embedder(path, device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ('"feats"', '"x"', ModelError, "net.onnx: no input 'x'; it has: feats"),
        ('"embs"', '"y"', ModelError, "net.onnx: no output 'y'; it has: mean, embs"),
        ('dim = 6', 'dim = 7', ModelError, "net.onnx: output 'embs' has the shape (2, 6), "),
        ('dim = 6', 'dim = 6\nsize = 6', ConfigError, "net.toml: [model]: unknown setting 'size'; "),
        ('dim = 6\n', '', ConfigError, "net.toml: [model]: setting 'dim': field required"),
        ("n_mels = 20", "n_mels = 24", ModelError, "net.onnx: the graph fails ("),
        ("n_mels = 20", "mels = 20", ConfigError, "net.toml: [features]: unknown setting 'mels'; known: "),
        ("[features]", 'axes = "samples"\n[features]', ConfigError, "net.toml: with axes 'samples', leave"),
        ("[features]", "[feature]", ConfigError, "net.toml: unknown table 'feature'; known: model, features"),
        ("dim = 6", 'dim = 6\nlength = "feats"', ModelError, "net.onnx: input 'feats' is a tensor(float);"),
        ("[features]", "= [", ConfigError, "net.toml: not TOML: "),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_settings_is_told(tmp_path, old, new, error, message):
    assert old in SETTINGS
    refused(write_model(tmp_path, SETTINGS.replace(old, new)), error, f"{tmp_path}/{message}")


def test_an_input_that_nobody_names_is_told(tmp_path):
    path = write_model(tmp_path, length=True)
    refused(path, ModelError, f"{path}: the input 'length' is not named in the settings")


def test_an_output_of_another_rank_is_told(tmp_path):
    path = write_model(tmp_path)
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("Unsqueeze", ["embs", "one"], ["cube"]))
    model.graph.output.append(helper.make_tensor_value_info("cube", TensorProto.FLOAT, None))
    onnx.save(model, path)
    (tmp_path / "net.toml").write_text(SETTINGS.replace("embs", "cube"))
    refused(path, ModelError, f"{path}: output 'cube' has the shape (2, 1, 6), dim = 6 in net.toml expects")


def test_a_batch_of_a_fixed_size_is_told(tmp_path):
    path = write_model(tmp_path, batch=5)
    refused(path, ModelError, f"{path}: takes batches of 5 only; export it with a dynamic batch axis")


def test_missing_and_strange_files_are_told(tmp_path):
    path = write_model(tmp_path)
    path.write_bytes(b"no graph")
    refused(path, ModelError, f"{path}: not an ONNX file that can be read (")
    assert complaint(call("run", "x.wav", "--model", path)).startswith(
        f"{path}: not an ONNX file that can be read ("
    )
    (tmp_path / "net.toml").unlink()
    refused(path, ModelError, f"{path}: no net.toml beside it to describe its input; see docs/models.md")
    refused(tmp_path / "none.onnx", ModelError, f"{tmp_path / 'none.onnx'}: no such file")


def test_a_vector_without_direction_is_told(embedder):
    with pytest.raises(ModelError, match=r"net.onnx: embeddings of windows of 1.5 s are zero or not finite;"):
        embedder.model.embed(np.full((1, 24_000), np.nan, np.float32))


def test_every_network_that_pads_nothing_runs_over_the_recording(samples):
    table = {"family": "tdnn", "channels": 32, "dilations": [1, 3], "n_features": 12, "heads": 4, "dim": 8}
    network = build_network(**table).eval()
    embedder = Embedder(Model("tdnn", network, FeatureConfig(), ""), device="cpu")
    together = embedder.windows([samples], WINDOWS)
    assert together.shape == (len(WINDOWS), embedder.dim) == (len(WINDOWS), 8)
    for row in (0, 4, 20):
        np.testing.assert_allclose(embedder.windows([samples], [WINDOWS[row]])[0], together[row], atol=1e-5)


# Resemblyzer

installed = pytest.mark.skipif(find_resemblyzer() is None, reason="resemblyzer is not installed")


@installed
@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seconds", [0.4, 1.6, 2.0, 3.1, 9.7])
def test_an_utterance_has_the_vector_of_resemblyzers_own_code(samples, seconds):
    package = pytest.importorskip("resemblyzer", exc_type=ImportError)
    piece = samples[80_000 : 80_000 + round(seconds * SAMPLE_RATE)]
    own = package.VoiceEncoder("cpu", verbose=False).embed_utterance(piece)
    np.testing.assert_allclose(ResemblyzerNetwork().utterance(piece), own, atol=1e-5)


@installed
@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
def test_a_window_has_the_vector_of_resemblyzers_own_network(samples):
    """Frames 2000 to 2160 of the recording, at the window's volume, raised to -30 dBFS."""
    package = pytest.importorskip("resemblyzer", exc_type=ImportError)
    import torch

    quiet = samples * np.float32(0.01)
    first = 2000 * 160
    used = quiet[first - 320 : first + 161 * 160]
    gain = 10 ** (-30 / 20) / np.sqrt(np.square(used).mean())
    assert gain > 1
    mel = package.wav_to_mel_spectrogram(quiet * gain)[2000:2160]
    encoder = package.VoiceEncoder("cpu", verbose=False)
    with torch.no_grad():
        own = encoder(torch.from_numpy(mel)[None]).numpy()
    middle = (first + 159 * 80) / SAMPLE_RATE
    found = Embedder("resemblyzer").windows([quiet], [Segment(middle - 0.75, middle + 0.75)])
    np.testing.assert_allclose(found, own, atol=2e-3)


@installed
def test_the_demo_is_diarized_with_resemblyzer(demo_recording):
    found = Diarizer("resemblyzer", device="cpu")(demo_recording, n_speakers=4)
    assert found.embeddings.vectors.shape[1] == 256
    assert found.model.startswith("resemblyzer ")
    assert len(found.speakers) == 4


def test_a_missing_resemblyzer_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "resemblyzer", None)
    message = f"model resemblyzer: the package is not installed; {RESEMBLYZER_REMEDY}"
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        Embedder("resemblyzer")
