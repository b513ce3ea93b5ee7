"""Feature responses of known functions, and the local entropy of known maps."""

import pytest
import torch
from helpers import small_network
from torch.nn import functional as F

from diarize.networks.tracing import N_LEVELS, feature_response, local_entropy


def test_a_map_of_one_level_has_no_entropy_and_a_chessboard_one_bit():
    rows, columns = torch.meshgrid(torch.arange(20), torch.arange(30), indexing="ij")
    chess = ((rows + columns) % 2).float()
    found = local_entropy(torch.stack([torch.ones(20, 30), chess, -5 * chess]), size=4)
    assert found.tolist() == pytest.approx([0.0, 1.0, 1.0], abs=1e-6)


def test_noise_has_more_than_a_smooth_map():
    random = torch.Generator().manual_seed(0)
    noise = torch.rand(1, 60, 60, generator=random)
    slope = torch.linspace(0, 1, 60).expand(1, 60, 60)
    assert local_entropy(slope) < 2 < local_entropy(noise) < torch.log2(torch.tensor(N_LEVELS))


def test_a_map_smaller_than_a_square_is_refused():
    with pytest.raises(ValueError, match="maps are 9 x 9 or larger"):
        local_entropy(torch.zeros(1, 8, 20))


def test_only_positive_gradients_pass_a_relu():
    x = torch.tensor([[[-1.0, 2.0, 3.0]]])
    # Of y = r - 2 r, the gradient y arrives at the first ReLU as y < 0, at the second as -2 y = 2 r > 0.
    response = feature_response(lambda mel: F.relu(mel) - 2 * F.relu(mel), x)
    assert response.tolist() == [[[0.0, 4.0, 6.0]]]
    plain = feature_response(lambda mel: mel.clamp_min(0) - 2 * mel.clamp_min(0), x)
    assert plain.tolist() == [[[0.0, 2.0, 3.0]]]


def test_the_response_of_a_network_has_the_shape_of_its_input():
    network = small_network()
    mel = torch.randn(2, 60, 64, generator=torch.Generator().manual_seed(0)) - 8
    response = feature_response(network.frames, mel)
    assert response.shape == mel.shape
    assert response.abs().max() > 0
    assert F.relu(torch.tensor(-1.0, requires_grad=True)).grad_fn.name() == "ReluBackward0", "as before"
