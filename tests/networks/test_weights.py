"""Weights come back from their file as they were, or an error says what does not fit."""

import re

import pytest
import torch
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


def test_weights_that_are_missing_or_another_networks_are_told(tmp_path):
    path = tmp_path / "weights.safetensors"
    with pytest.raises(ModelError, match=f"^{re.escape(f'{path}: no such weights file')}$"):
        load_weights(layers(), path)
    save_weights(layers(5), path)
    with pytest.raises(
        ModelError, match=rf"^{re.escape(str(path))}: weights do not fit .* \(size mismatch for"
    ):
        load_weights(layers(), path)
