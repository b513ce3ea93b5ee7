"""The network of attractors in NumPy, against torch, and the clusterer that it makes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import check_estimator
from test_clustering import random_problem

from diarize.clustering import build_clusterer
from diarize.clustering.affinity import unit
from diarize.clustering.attractors import SCALE, coordinates, log_probabilities
from diarize.clustering.bounds import speaker_bounds
from diarize.clustering.partitions import count, number_by_first_appearance
from diarize.embedding.models import write_config
from diarize.errors import ConfigError, ModelError
from diarize.networks import build_cluster_network
from diarize.networks.attractor_network import AttractorNetwork
from diarize.networks.weights import save_weights


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


# The clusterer


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A network with random weights, as the recipe writes it."""
    torch.manual_seed(0)
    table = {"family": "attractors", "n_inputs": 6, "width": 8, "heads": 2, "n_layers": 1, "n_most": 5}
    out = tmp_path_factory.mktemp("network")
    save_weights(build_cluster_network(table, "table").half(), out / "weights.safetensors")
    write_config(out, {"network": table})
    return out


def test_bounds_are_honoured_on_random_problems(folder):
    for seed in range(60):
        vectors, bounds = random_problem(seed)
        clusterer = build_clusterer("learned", network=str(folder), max_items=50, **bounds).fit(vectors)
        lowest, highest = speaker_bounds(len(vectors), **bounds)
        labels = clusterer.labels_
        assert lowest <= count(labels) <= highest, (seed, bounds)
        assert np.array_equal(labels, number_by_first_appearance(labels))
        assert json.loads(json.dumps(clusterer.evidence_, allow_nan=False)) == clusterer.evidence_


@pytest.mark.filterwarnings("ignore:.*does not inherit from:UserWarning")
def test_scikit_learn_takes_it_for_an_estimator(folder):
    fails = dict.fromkeys(("check_clustering", "check_clustering(readonly_memmap=True)"), "random weights")
    check_estimator(
        build_clusterer("learned", network=str(folder)), expected_failed_checks=fails, on_skip=None
    )


def test_it_proposes_a_partition_for_each_number_that_the_network_knows(folder):
    vectors, _ = random_problem(80)
    vectors = np.concatenate([vectors] * 4)
    proposed = list(build_clusterer("learned", network=str(folder)).partitions(vectors, 2, 9))
    assert len(proposed) == 4  # 2 to 5
    assert all(labels.shape == (len(vectors),) for labels in proposed)


def test_the_order_of_windows_changes_only_the_names(folder):
    vectors = np.random.default_rng(0).normal(size=(40, 12))
    order = np.random.default_rng(1).permutation(40)
    clusterer = build_clusterer("learned", network=str(folder), n_speakers=3)
    assert (
        adjusted_rand_score(clusterer.fit_predict(vectors)[order], clusterer.fit_predict(vectors[order])) == 1
    )


def test_a_missing_or_wrong_network_is_an_error(tmp_path):
    X = np.eye(4)
    with pytest.raises(ConfigError, match="needs a network: train one with recipes/train_set"):
        build_clusterer("learned").fit(X)
    with pytest.raises(ModelError, match="no network of attractors"):
        build_clusterer("learned", network=str(tmp_path / "none")).fit(X)
    table = {"n_inputs": 3, "width": 8, "n_layers": 2}
    save_weights(build_cluster_network(table, "table"), tmp_path / "weights.safetensors")
    write_config(tmp_path, {"network": table})
    with pytest.raises(ModelError, match="a network of the family attractors is needed"):
        build_clusterer("learned", network=str(tmp_path)).fit(X)
