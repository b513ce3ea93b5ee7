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


@pytest.fixture
def on_frames() -> FrameLocalNetwork:
    torch.manual_seed(0)
    small = {
        "n_mels": 16,
        "trunk_channels": (4, 4, 8),
        "n_components": 3,
        "n_voice": 2,
        "width": 8,
        "hidden": 4,
    }
    network = FrameLocalNetwork(**small, spans=(3, 9), n_attention=1, heads=2).eval()
    for buffer in (network.components, network.projection):
        buffer.normal_()
    return network


def test_components_have_variance_one():
    features = torch.randn(400, 8) @ torch.randn(8, 8)
    mean, components = principal_components(features, 3)
    torch.testing.assert_close(
        torch.cov(((features - mean) @ components).T), torch.eye(3), atol=1e-3, rtol=1e-3
    )


def test_the_trunk_does_not_learn(on_frames):
    assert not any(parameter.requires_grad for parameter in on_frames.trunk.parameters())
    frames = on_frames.train().frames(torch.randn(1, 400, 16))
    assert not on_frames.trunk.training
    outputs = on_frames(frames)
    assert outputs.shape == (1, (400 - on_frames.context) // 4 + 1, 15)
    assert outputs.requires_grad


def test_frames_are_components_and_the_embeddings_around(on_frames):
    mel, trunk = torch.randn(1, on_frames.context + 4 * 11, 16), on_frames.trunk
    frames, features = on_frames.frames(mel)[0], trunk.frames(mel)
    assert frames.shape == (12, 3 + 2 * 2)
    torch.testing.assert_close(frames[:, :3], (features[0, 4:16] - on_frames.mean) @ on_frames.components)
    # An embedding every five outputs, around their middle; the last output is the middle of the rest.
    for outputs, middle in ((slice(0, 5), 2), (slice(5, 10), 7), (slice(10, 12), 11)):
        for first, span in ((3, 3), (5, 9)):
            around = features[:, 4 + middle - span // 2 : 4 + middle + span // 2 + 1]
            voice = ((trunk.pool(around) - on_frames.voice_mean) @ on_frames.projection).expand(5, -1)
            found = frames[outputs, first : first + 2]
            torch.testing.assert_close(found, voice[: len(found)], atol=1e-4, rtol=1e-4)


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="multiple of 4"):
        LocalNetwork(n_mels=30)
    with pytest.raises(ValueError, match="two numbers"):
        LocalNetwork(channels=(1, 2, 3))
    for spans in ((), (3, 4)):
        with pytest.raises(ValueError, match="spans are odd numbers, one or more"):
            FrameLocalNetwork(spans=spans)
    with pytest.raises(ValueError, match="heads divide the width 128, got 3"):
        FrameLocalNetwork(heads=3, n_attention=1)
    with pytest.raises(ConfigError, match="no family 'ear'; known: mel, frames"):
        make_local_network("x.toml", {"family": "ear"})
