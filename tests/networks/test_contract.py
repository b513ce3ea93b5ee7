"""What every network of the registry promises, and the output of any of its layers."""

import pytest
import torch
from planted import N_FRAMES, N_MELS, tiny_network
from torch import nn

from diarize.errors import ConfigError
from diarize.networks import NETWORKS, network_class
from diarize.networks.contract import Network, layer_output

# Long enough for every family.
MEL = torch.randn(3, 60, N_MELS, generator=torch.Generator().manual_seed(0))


def mel_for(network: Network) -> torch.Tensor:
    return MEL[:, : network.n_frames or MEL.shape[1]]


@pytest.mark.parametrize("family", NETWORKS)
def test_every_network_says_what_it_gives_and_gives_that(family):
    network = tiny_network(family).eval()
    assert isinstance(network, network_class(family))
    outputs = network(mel_for(network))
    assert network.gives in ("embeddings", "logits")
    lengths = outputs.norm(dim=1)
    assert torch.allclose(lengths, torch.ones(3)) is (network.gives == "embeddings")
    named = network.layers(mel_for(network))
    assert torch.equal(named["output"], outputs)
    assert all(layer.ndim == 2 for layer in named.values())


@pytest.mark.parametrize("family", NETWORKS)
def test_without_a_layer_the_output_is_that_of_the_network(family):
    network = tiny_network(family).eval()
    assert torch.equal(layer_output(network, None, mel_for(network)), network(mel_for(network)))
    assert torch.equal(layer_output(network, "output", mel_for(network)), network(mel_for(network)))


def test_a_layer_is_what_the_network_calls_so_or_a_module():
    network, mel = tiny_network("cnn").eval(), MEL[:, :N_FRAMES]
    assert torch.equal(layer_output(network, "dense1", mel), network.layers(mel)["dense1"]), "after its ReLU"
    assert layer_output(network, "conv1", mel).shape[:2] == (3, 32)
    resnet = tiny_network().eval()
    pooled = resnet.pool_norm
    seen = layer_output(resnet, "pool_norm", MEL)
    assert seen.shape == (3, pooled.num_features)
    expected = nn.functional.normalize(resnet.embedding(seen), dim=1)
    torch.testing.assert_close(resnet(MEL), expected)
    assert layer_output(resnet, "blocks.0", MEL).ndim == 4


def test_a_layer_costs_one_run_and_leaves_no_hook():
    """Normalisations count the batches that they hear."""
    network = tiny_network("cnn").train()
    layer_output(network, "conv2", MEL[:, :N_FRAMES])
    assert network.norm1.num_batches_tracked == 1
    assert not network.conv2._forward_hooks
    with pytest.raises(ValueError, match="mel is"):
        layer_output(network, "conv2", MEL)
    assert not network.conv2._forward_hooks


@pytest.mark.parametrize("layer", ["dense3", "lstm1.kernel", ""])
def test_a_layer_that_is_not_there_is_told_with_the_known_ones(layer):
    with pytest.raises(
        ConfigError, match=rf"^CNN has no layer '{layer}'; known: dense1, dense2, output, softmax, conv1"
    ):
        layer_output(tiny_network("cnn").eval(), layer, MEL[:, :N_FRAMES])
