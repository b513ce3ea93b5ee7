"""Weights come back from their file as they were, or an error says what does not fit."""

import json
import re
import struct

import pytest
import torch
from planted import N_MELS, tiny_network
from torch import nn

from diarize.errors import ModelError
from diarize.networks.weights import load_weights, save_weights
from diarize.speakers.model_arrays import load_arrays


def layers(n: int = 4) -> nn.Module:
    """A convolution, whose weights may lie in memory otherwise, and a normalisation, which counts."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, n, 2), nn.BatchNorm2d(n)).to(memory_format=torch.channels_last)


def test_weights_come_back(tmp_path):
    path = tmp_path / "new" / "weights.safetensors"
    whole, other = layers(), nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4))
    whole.train()(torch.randn(2, 3, 4, 4))  # the normalisation counts
    save_weights(whole, path)
    load_weights(other, path)
    for key, tensor in whole.state_dict().items():
        assert torch.equal(other.state_dict()[key], tensor), key


@pytest.mark.parametrize("family", ["resnet", "cnn", "blstm"])
def test_weights_of_eight_bits_are_a_quarter_of_the_size_and_nearly_the_same(tmp_path, family):
    network, other = tiny_network(family).eval(), tiny_network(family).eval()
    for parameter in other.parameters():
        torch.nn.init.zeros_(parameter)
    save_weights(network, tmp_path / "whole")
    save_weights(network, tmp_path / "small", int8=True)
    load_weights(other, tmp_path / "small")
    n_matrices = sum(tensor.numel() for tensor in network.parameters() if tensor.ndim > 1)
    sizes = [(tmp_path / name).stat().st_size for name in ("whole", "small")]
    assert sizes[0] - sizes[1] > 2 * n_matrices
    for name, tensor in network.state_dict().items():
        found = other.state_dict()[name]
        if tensor.ndim > 1 and not name.endswith("bias"):
            assert not torch.equal(found, tensor)
            assert (found - tensor).abs().max() <= tensor.abs().max() / 254 + 1e-6
        else:
            assert torch.equal(found, tensor), name
    mel = torch.randn(8, 20 if family == "cnn" else 40, N_MELS, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        cosine = torch.nn.functional.cosine_similarity(network(mel), other(mel))
    assert cosine.min() > 0.99


def test_weights_that_are_missing_or_another_networks_are_told(tmp_path):
    path = tmp_path / "weights.safetensors"
    with pytest.raises(ModelError, match=f"^{re.escape(f'{path}: no such weights file')}$"):
        load_weights(layers(), path)
    save_weights(layers(5), path)
    with pytest.raises(
        ModelError, match=rf"^{re.escape(str(path))}: weights do not fit .* \(size mismatch for"
    ):
        load_weights(layers(), path)


def safetensors(header: object, data: bytes = bytes(16), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(offsets, shape=(4,), dtype="F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


LIES = {
    "nothing": b"",
    "length beyond the file": safetensors({}, length=2**20),
    "length of exabytes": safetensors({}, length=2**63),
    "brackets": safetensors(b"[" * 100_000),
    "nested": safetensors(b'{"a":' * 100_000),
    "beyond the data": safetensors({"a": tensor([0, 2**40], [2**38])}),
    "another size": safetensors({"a": tensor([0, 16], [2**40])}),
    "overflow": safetensors({"a": tensor([0, 16], [2**32, 2**32, 4])}),
    "negative": safetensors({"a": tensor([16, 0])}),
    "overlap": safetensors({"a": tensor([0, 16]), "b": tensor([8, 16], [2])}),
    "unknown type": safetensors({"a": tensor([0, 16], dtype="O")}),
    "a scale alone": safetensors({"a.int8_scale": tensor([0, 16])}),
    "pickle": b"\x80\x04cposix\nsystem\n(S'touch pwned'\ntR.",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_about_its_weights_is_refused(lie, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.safetensors"
    path.write_bytes(LIES[lie])
    with pytest.raises(ModelError, match=re.escape(f"{path}: ")):
        load_weights(layers(), path)
    with pytest.raises(ModelError, match=re.escape(f"{path}: ")):
        load_arrays(path, {"mean": "d"}, "", "back end")
    assert [each.name for each in tmp_path.iterdir()] == ["a.safetensors"]
