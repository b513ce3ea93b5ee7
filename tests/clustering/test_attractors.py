"""The network of attractors in NumPy, against torch, and the coordinates that it sees."""

import numpy as np
import pytest
import torch

from diarize.clustering.affinity import unit
from diarize.clustering.attractors import SCALE, coordinates, log_probabilities
from diarize.networks.attractor_network import AttractorNetwork


def test_it_is_the_network_of_torch():
    torch.manual_seed(0)
    network = AttractorNetwork(n_inputs=5, width=8, heads=2, n_layers=2, n_pool=2, n_most=4).double().eval()
    for weight in network.parameters():
        weight.data += 0.3 * torch.randn_like(weight)  # biases and normalisations, too
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    items = np.random.default_rng(0).normal(size=(9, 5))
    with torch.no_grad():
        # The heads are in float32 in any case.
        expected = network.float()(torch.from_numpy(items).float()[None])[0].numpy()
    np.testing.assert_allclose(log_probabilities(weights, items, 2), expected, atol=1e-4)


@pytest.mark.parametrize(("n_items", "dim"), [(12, 20), (20, 12), (3, 40)])
def test_coordinates_keep_the_distances_of_the_embeddings(n_items, dim):
    X = np.random.default_rng(1).normal(size=(n_items, dim))
    found = coordinates(X, 32)
    assert found.shape == (n_items, 32)
    distances = [np.linalg.norm(Y[:, None] - Y, axis=2) for Y in (SCALE * unit(X), found)]
    np.testing.assert_allclose(*distances, atol=1e-6)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)


def test_fewer_coordinates_are_those_of_the_largest_variance():
    X = np.random.default_rng(1).normal(size=(30, 10)) * np.arange(1, 11)
    three, all_ten = coordinates(X, 3), coordinates(X, 10)
    np.testing.assert_allclose(np.abs(three), np.abs(all_ten[:, :3]), atol=1e-6)
    assert (np.diff(all_ten.var(axis=0)) < 1e-12).all()


@pytest.mark.parametrize(
    "X", [np.ones((4, 3)), np.zeros((4, 3)), np.ones((1, 3))], ids=["copies", "zeros", "one"]
)
def test_copies_have_one_place(X):
    np.testing.assert_allclose(coordinates(X, 5), 0, atol=1e-6)
