"""Networks that partition a set of items: what they give, their order, their metrics."""

import pytest
import torch

from diarize.errors import ConfigError
from diarize.machine.devices import mixed_precision
from diarize.networks import CLUSTER_NETWORKS, build_cluster_network
from diarize.networks.cluster_network import (
    METRICS,
    Metric,
    SnippetEncoder,
    most_likely_clusters,
    most_likely_number,
)

TINY = {
    "residual-lstm": {"width": 8, "n_layers": 3, "count_hidden": 4, "count_width": 6},
    "attractors": {"width": 8, "heads": 2, "n_layers": 2, "n_pool": 1},
}
"""Settings of a tiny network of each family."""


def tiny(family: str = "residual-lstm", **changes: object) -> torch.nn.Module:
    torch.manual_seed(5)
    table = {"family": family, "n_inputs": 3, "n_most": 4} | TINY[family] | changes
    return build_cluster_network(table, "conf.toml: [network]").eval()


@pytest.mark.parametrize("family", CLUSTER_NETWORKS)
def test_the_outputs_of_an_item_are_a_distribution_over_numbers_and_clusters(family):
    outputs = tiny(family)(torch.randn(2, 7, 3))
    assert outputs.shape == (2, 7, 4, 4)
    torch.testing.assert_close(outputs.exp().sum(dim=(2, 3)), torch.ones(2, 7))
    number, cluster = torch.tril_indices(4, 4)
    assert outputs[:, :, number, cluster].isfinite().all()
    above, beyond = torch.triu_indices(4, 4, offset=1)
    assert (outputs[:, :, above, beyond] == -torch.inf).all()
    numbers = outputs.logsumexp(dim=3)
    torch.testing.assert_close(numbers, numbers[:, :1].expand_as(numbers))


@pytest.mark.parametrize("family", CLUSTER_NETWORKS)
def test_gradients_are_finite_in_mixed_precision(family):
    network = tiny(family).train()
    with mixed_precision("cpu"):  # single precision on a CPU that has no LSTM in bfloat16
        outputs = network(torch.randn(2, 7, 3))
    assert outputs.dtype == torch.float32
    outputs[outputs.isfinite()].sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


def test_attractors_do_not_depend_on_the_order():
    network, items = tiny("attractors"), torch.randn(2, 9, 3)
    order = torch.randperm(9)
    torch.testing.assert_close(network(items[:, order]), network(items)[:, order])


def test_the_number_and_the_clusters_are_the_most_likely():
    p = torch.zeros(1, 3, 3, 3)
    p[0, :, 0, 0] = 0.2
    p[0, :, 1, :2] = torch.tensor([[0.4, 0.3], [0.1, 0.6], [0.5, 0.2]])
    p[0, :, 2] = torch.tensor([[0.04, 0.03, 0.03]] * 3)
    assert most_likely_number(p.log()).tolist() == [2]
    assert most_likely_clusters(p.log()).tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("kind", METRICS[1:])
def test_distances_are_those_of_a_double_loop(kind):
    torch.manual_seed(0)
    metric, x = Metric(4, kind).double(), torch.randn(2, 5, 4, dtype=torch.float64)
    matrix = torch.eye(4, dtype=torch.float64) / 4
    if kind != "euclidean":
        metric.matrix.data.add_(torch.randn(metric.matrix.shape, dtype=torch.float64) * 0.1)
        matrix = metric.matrix.detach()
        matrix = torch.diag(matrix) if kind == "mahalanobis" else matrix
    found = metric.eval()(x)
    for batch in range(2):
        for i in range(5):
            for j in range(5):
                difference = x[batch, i] - x[batch, j]
                torch.testing.assert_close(found[batch, i, j], difference @ matrix @ difference)


@pytest.mark.parametrize("kind", ["mahalanobis", "full"])
def test_training_projects_to_the_nearest_positive_semidefinite_matrix(kind):
    metric = Metric(2, kind).train()
    metric.matrix.data = torch.tensor([2.0, -3.0] if kind == "mahalanobis" else [[0.0, 2.0], [2.0, 0.0]])
    metric(torch.randn(1, 3, 2))
    expected = torch.tensor([2.0, 0.0] if kind == "mahalanobis" else [[1.0, 1.0], [1.0, 1.0]])
    torch.testing.assert_close(metric.matrix.data, expected)  # eigenvalues 2 and -2: the second becomes 0


@pytest.mark.parametrize("metric", METRICS)
def test_snippets_are_encoded_before_the_metric(metric):
    network = tiny(n_inputs=16, encoder="cnn", metric=metric, n_items=5, n_frames=24, n_embedding=6)
    assert network(torch.randn(2, 5, 24, 16)).shape == (2, 5, 4, 4)
    assert SnippetEncoder(16, 24, 6)(torch.randn(3, 24, 16)).shape == (3, 6)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"family": "lstm"}, "unknown network 'lstm'; known: residual-lstm, attractors"),
        ({"encoder": "rnn"}, "encoder is none or cnn, got 'rnn'"),
        ({"metric": "cosine"}, "metric is none, euclidean, mahalanobis, full, got 'cosine'"),
        ({"width": 7}, "width is even and n_layers at least 2, got 7 and 14"),
        ({"encoder": "cnn", "n_inputs": 4}, "a snippet has 8 or more mels and frames, got 4 and 128"),
        ({"family": "attractors", "heads": 3}, "heads divide the width 64, got 3"),
        ({"layers": 3}, "unknown setting 'layers'; known: n_inputs"),
    ],
)
def test_impossible_settings_are_errors(table, message):
    with pytest.raises(ConfigError, match=f"^conf.toml: {message}"):
        build_cluster_network(table, "conf.toml")
