"""Networks of fixed segments, run over a whole recording."""

import pytest
import torch
from planted import N_FRAMES, N_MELS, tiny_network
from torch.nn import functional as F

from diarize.errors import ConfigError
from diarize.networks.segment_network import SegmentNetwork

MEL = torch.randn(1, 100, N_MELS, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("family", "layer"), [("cnn", "dense1"), ("cnn", "output"), ("blstm", "lstm2")])
def test_an_embedding_is_the_mean_of_a_layer_over_the_segments(family, layer):
    network = tiny_network(family).eval()
    running = SegmentNetwork(network, N_MELS, N_FRAMES, 5, layer).eval()
    starts = range(0, 100 - N_FRAMES + 1, 5)
    with torch.inference_mode():
        expected = torch.cat([network.layers(MEL[:, s : s + N_FRAMES])[layer] for s in starts])
        features = running.frames(MEL)
        torch.testing.assert_close(features[0], expected)
        torch.testing.assert_close(running(MEL), F.normalize(expected.mean(dim=0, keepdim=True)))
        chosen = torch.tensor([[False, True, True] + 14 * [False]])
        torch.testing.assert_close(running.pool(features, chosen), F.normalize(expected[1:3].mean(0)[None]))
        around = running.pool_around(features, 3, torch.tensor([0, 4]))
        torch.testing.assert_close(around[0, 1], F.normalize(expected[4:7].mean(0), dim=0))
    assert (running.context, running.stride, running.dim) == (N_FRAMES, 5, expected.shape[1])


def test_an_unknown_layer_and_segments_of_another_length_are_refused():
    with pytest.raises(ConfigError, match="no layer 'dense9'; known: lstm2, dense1, dense2, output, softmax"):
        SegmentNetwork(tiny_network("blstm"), N_MELS, N_FRAMES, 5, "dense9")
    with pytest.raises(ConfigError, match=f"segments have 30 frames, the network takes {N_FRAMES}"):
        SegmentNetwork(tiny_network("cnn"), N_MELS, 30, 5)
