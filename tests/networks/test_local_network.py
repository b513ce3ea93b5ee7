"""The network of local speakers: its classes and shapes."""

import pytest
import torch

from diarize.errors import ConfigError
from diarize.networks.local_network import (
    FrameLocalNetwork,
    LocalNetwork,
    make_local_network,
    powerset,
    principal_components,
)


def test_the_powerset_has_the_smaller_sets_first():
    assert powerset(3, 2) == ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
    assert len(powerset(4, 3)) == 15


def test_each_output_is_a_distribution_over_the_classes():
    torch.manual_seed(0)
    network = LocalNetwork(n_mels=16, channels=(2, 3), width=8, hidden=4, n_layers=1)
    outputs = network.eval()(torch.randn(2, 100, 16))
    assert outputs.shape == (2, 25, 15)
    torch.testing.assert_close(outputs.exp().sum(dim=2), torch.ones(2, 25))


def test_the_trunk_gives_scaled_components_and_does_not_learn():
    torch.manual_seed(0)
    network = FrameLocalNetwork(n_mels=16, trunk_channels=(2, 2, 4), n_components=3, width=8, hidden=4)
    features = network.trunk.frames(torch.randn(1, 400, 16))[0]
    mean, components = principal_components(features, 3)
    network.mean.copy_(mean)
    network.components.copy_(components)
    scaled = (features - mean) @ components
    torch.testing.assert_close(torch.cov(scaled.T), torch.eye(3), atol=1e-3, rtol=1e-3)
    assert not any(parameter.requires_grad for parameter in network.trunk.parameters())
    assert network.train()(scaled[None]).shape == (1, len(scaled), 15)
    assert not network.trunk.training or network.frames(torch.randn(1, 80, 16)).shape[2] == 3


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="multiple of 4"):
        LocalNetwork(n_mels=30)
    with pytest.raises(ValueError, match="two numbers"):
        LocalNetwork(channels=(1, 2, 3))
    with pytest.raises(ConfigError, match="no family 'ear'; known: mel, frames"):
        make_local_network("x.toml", {"family": "ear"})
