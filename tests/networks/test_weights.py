"""Weights come back from their file as they were, or an error says what does not fit."""

import re

import pytest
import torch
from planted import N_MELS, tiny_network
from torch import nn

from diarize.errors import ModelError
from diarize.networks.weights import load_weights, save_weights


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
