"""Networks for small devices, and attacks on them, by the scripts of recipes/."""

import re
import runpy

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch
from helpers import REPOSITORY, small_network, write_small_model
from scripts import call, message

from diarize.audio import SAMPLE_RATE
from diarize.embedding.models import load_model
from diarize.networks import build_network

RECIPES = REPOSITORY / "recipes"
N_SPEAKERS = 10


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("model") / "small")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A data folder of two clips of 2 s of each of 10 speakers: tones in noise."""
    folder = tmp_path_factory.mktemp("clips")
    random, times = np.random.default_rng(0), np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    scp, speakers = [], []
    for number in range(2 * N_SPEAKERS):
        tone = np.sin(2 * np.pi * (150 + 40 * (number // 2)) * times)
        soundfile.write(
            folder / f"{number:02}.wav", 0.1 * tone + 0.01 * random.normal(size=len(times)), SAMPLE_RATE
        )
        scp.append(f"{number:02} {folder / f'{number:02}.wav'}\n")
        speakers.append(f"{number:02} s{number // 2:02}\n")
    (folder / "wav.scp").write_text("".join(scp))
    (folder / "utt2spk").write_text("".join(speakers))
    return folder


def outputs(path, mel):
    return torch.from_numpy(onnxruntime.InferenceSession(path).run(None, {"mel": mel.numpy()})[0])


def test_int8_is_nearly_the_network(model, clips, tmp_path, monkeypatch):
    arguments = ("--model", model, "--data", clips, "--clips", 4, "--out", tmp_path / "q")
    call(monkeypatch, RECIPES / "quantize_model.py", *arguments)
    network, random = small_network(), torch.Generator().manual_seed(0)
    mel = 2 * torch.randn(1, 150, 64, generator=random) - 8
    with torch.no_grad():
        expected = network.frames(mel)
        exact, whole = (outputs(tmp_path / "q" / name, mel) for name in ("float.onnx", "int8.onnx"))
        torch.testing.assert_close(exact, expected, atol=1e-3, rtol=1e-3)
        assert not torch.equal(whole, exact)
        assert (network.pool(whole) * network.pool(expected)).sum() > 0.97
    sizes = [(tmp_path / "q" / name).stat().st_size for name in ("int8.onnx", "float.onnx")]
    assert sizes[0] < sizes[1]


def test_the_lstm_of_onnx_is_that_of_keras(tmp_path):
    export = runpy.run_path(str(RECIPES / "quantize_model.py"))["export_blstm"]
    torch.manual_seed(0)
    network = build_network(family="blstm", n_mels=8, n_speakers=4, hidden=6).eval()
    export(network, tmp_path / "net.onnx")
    mel = torch.randn(3, 12, 8)
    with torch.no_grad():
        expected = network.layers(mel)["lstm2"]
    torch.testing.assert_close(outputs(tmp_path / "net.onnx", mel), expected, atol=1e-5, rtol=1e-4)


def test_binary_weights_have_one_magnitude_an_output(model, clips, tmp_path, monkeypatch, capsys):
    out = tmp_path / "binary"
    arguments = ("--data", clips, "--steps", 2, "--batch-size", 4, "--learning-rate", 0)
    call(monkeypatch, RECIPES / "binarize_model.py", "--model", model, "--out", out, *arguments)
    assert re.search(r"^step 2: 1 - cosine 0\.\d{4}$", capsys.readouterr().out, re.MULTILINE)
    binary, whole = load_model(out).network, load_model(model).network
    weights, before = (network.blocks[2].first.weight.flatten(1) for network in (binary, whole))
    assert torch.allclose(weights.abs(), weights.abs()[:, :1], rtol=1e-4)
    assert torch.allclose(weights.abs()[:, 0], before.abs().mean(dim=1), rtol=1e-3)
    assert torch.equal(weights > 0, before > 0)
    assert torch.allclose(binary.stem.weight, whole.stem.weight, atol=0.01)
    said = message(monkeypatch, RECIPES / "binarize_model.py", "--model", model, "--out", out, *arguments)
    assert said == f"binarize_model.py: {out}: exists; remove it or give another --out"


def test_attacks_reach_further_than_chance(model, clips, monkeypatch, capsys):
    sizes = ("--sizes", "--decibels", 20, "--steps", 2)
    call(monkeypatch, RECIPES / "attack_embeddings.py", "--model", model, "--data", clips, *sizes)
    lines = [line for line in capsys.readouterr().out.splitlines() if " PGD" in line]
    rows = [re.split(r" *\| *", line)[1:-1] for line in lines]
    assert [row[:2] for row in rows] == 2 * [
        ["PGD, samples, 20 dB below", "hide"],
        ["PGD, samples, 20 dB below", "imitate"],
    ]
    hide, imitate = ([int(cell.removesuffix(" %")) for cell in row[2:]] for row in rows[:2])
    assert hide[1] < hide[0]
    assert imitate[1] > imitate[0]
