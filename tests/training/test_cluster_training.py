"""The training of networks that partition sets: the loss against loops, and what a small network learns."""

import math

import numpy as np
import pytest
import torch
from planted import curve_without_seconds

from diarize.networks import build_cluster_network
from diarize.networks.cluster_network import most_likely_clusters
from diarize.scoring.clusterings import misclassification_rate
from diarize.training.checkpoints import read_curve
from diarize.training.cluster_training import (
    ClusterLossConfig,
    ClusterObjective,
    pair_loss,
    pair_probabilities,
    pair_weights,
    share_within,
    train_clustering,
)
from diarize.training.optimizers import TrainingConfig
from diarize.training.sets import Items, Labels, PointSampler, SetBatch, SetSampler

N_MOST = 3


def outputs_of(seed: int = 0, n_items: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random log-probabilities (1, n_items, 3, 3), and the P(k) and P(l | x, k) that they are made of."""
    random = torch.Generator().manual_seed(seed)
    number = torch.rand(N_MOST, generator=random, dtype=torch.float64).softmax(dim=0)
    scores = torch.randn(n_items, N_MOST, N_MOST, generator=random, dtype=torch.float64)
    scores = scores.masked_fill(~torch.ones(N_MOST, N_MOST, dtype=torch.bool).tril(), -torch.inf)
    clusters = scores.softmax(dim=2)
    return (number[:, None] * clusters).log()[None], number, clusters


def batch_of(labels: list[int]) -> SetBatch:
    return SetBatch(np.zeros((1, len(labels), 2), np.float32), np.array([labels]))


@pytest.mark.parametrize("share", [0.2, 0.45, 0.9])
def test_the_loss_is_the_papers_double_loop(share):
    outputs, number, clusters = outputs_of()
    labels = [0, 1, 1, 0, 2]
    c = 2 / (math.sqrt(1 - share) + math.sqrt(share))
    total, n_pairs = 0.0, 0
    for i in range(5):
        for j in range(i):
            p = sum(
                float(number[k]) * float(clusters[i, k, cluster]) * float(clusters[j, k, cluster])
                for k in range(N_MOST)
                for cluster in range(k + 1)
            )
            same = labels[i] == labels[j]
            total -= (
                c * math.sqrt(1 - share) * math.log(p) if same else c * math.sqrt(share) * math.log(1 - p)
            )
            n_pairs += 1
    losses = ClusterObjective(ClusterLossConfig(), share)(outputs, batch_of(labels))
    assert losses["pairs"].item() == pytest.approx(5 * total / n_pairs, rel=1e-9)
    assert losses["number"].item() == pytest.approx(-math.log(number[2]), rel=1e-9)
    assert set(losses) == {"number", "pairs"}


def test_the_loss_for_the_known_number_leaves_the_others_out():
    outputs, _, clusters = outputs_of()
    labels = [0, 1, 1, 0, 1]
    expected = 0.0
    for i in range(5):
        for j in range(i):
            p = float(clusters[i, 1] @ clusters[j, 1])
            expected -= math.log(p if labels[i] == labels[j] else 1 - p) / 10
    losses = ClusterObjective(ClusterLossConfig(known=3.0), 0.5)(outputs, batch_of(labels))
    assert losses["known"].item() == pytest.approx(3 * expected, rel=1e-9)


def test_the_loss_does_not_depend_on_the_names_of_clusters_nor_on_the_order_of_items():
    outputs, _, _ = outputs_of()
    objective, order = ClusterObjective(ClusterLossConfig(known=1.0), 0.4), [3, 0, 4, 1, 2]
    labels = np.array([0, 1, 1, 0, 2])
    expected = objective(outputs, batch_of(labels.tolist()))
    renamed = objective(outputs, batch_of(np.array([2, 0, 1])[labels].tolist()))
    moved = objective(outputs[:, order], batch_of(labels[order].tolist()))
    for name, loss in expected.items():
        torch.testing.assert_close(renamed[name], loss)
        torch.testing.assert_close(moved[name], loss)


def test_the_clusters_of_the_network_may_be_exchanged():
    outputs, _, _ = outputs_of()
    exchanged = outputs.clone()
    exchanged[:, :, 2] = outputs[:, :, 2][:, :, [1, 2, 0]]
    torch.testing.assert_close(pair_probabilities(exchanged), pair_probabilities(outputs))


def test_certain_outputs_have_a_finite_loss_and_gradient():
    logits = torch.zeros(1, 4, 2, 2)
    logits[0, :, 0, 1] = -torch.inf
    logits[0, :, 1] = torch.tensor([[200.0, -200.0], [200.0, -200.0], [-200.0, 200.0], [-200.0, 200.0]])
    logits.requires_grad_()
    outputs = torch.tensor([-300.0, 0.0])[None, None, :, None] + logits.log_softmax(dim=3)
    same = torch.tensor([[0, 0, 1, 1]]) == torch.tensor([[0], [0], [1], [1]])
    right = pair_loss(pair_probabilities(outputs), same[None], 1, 1)
    wrong = pair_loss(pair_probabilities(outputs), torch.zeros(1, 4, 4) > 0, 1, 1)
    assert right.item() < 1e-5
    assert wrong.item() == pytest.approx(-math.log(1e-7) / 3, rel=0.02)
    (right + wrong).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_the_weights_sum_to_two_and_favour_the_rarer_pairs():
    for share in (0.1, 0.45, 0.5, 0.8):
        within, across = pair_weights(share)
        assert within + across == pytest.approx(2)
        assert within / across == pytest.approx(math.sqrt((1 - share) / share))


def test_the_share_of_pairs_is_that_of_the_sets():
    """n points in k clusters have k n/k (n/k - 1) ordered pairs within; k from 1 to 3 are as likely."""
    exact = np.mean([k * (12 // k) * (12 // k - 1) / (12 * 11) for k in (1, 2, 3)])
    assert share_within(PointSampler(4, (12, 12), 3, 1)) == pytest.approx(exact, abs=0.005)


class Line(SetSampler):
    """Two groups of numbers on a line, or one."""

    def labels(self, n_items: int, random: np.random.Generator) -> Labels:
        k = int(random.integers(1, 3))
        return random.permutation(np.arange(n_items) % k)

    def draw(self, labels: Labels, random: np.random.Generator) -> Items:
        return (np.array([-1.0, 1.0])[labels] + 0.1 * random.normal(size=len(labels)))[:, None].astype(
            np.float32
        )


FAMILIES = {
    "residual-lstm": {"width": 16, "n_layers": 2, "count_hidden": 8, "count_width": 16},
    "attractors": {"width": 16, "heads": 2, "n_layers": 1, "n_pool": 1},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_small_network_learns_to_cluster(family, tmp_path):
    torch.manual_seed(1)
    table = {"family": family, "n_inputs": 1, "n_most": 2} | FAMILIES[family]
    train, dev = Line(16, (6, 6), 2, 1), Line(64, (6, 6), 2, 2)
    config = TrainingConfig(
        n_steps=200, learning_rate=0.01, warm_up=5, weight_decay=0.0, average=0.9, save_every=100,
        validation_batches=1, mixed_precision=False,
    )  # fmt: skip
    objective = ClusterObjective(ClusterLossConfig(known=1.0), share_within(train))
    network = train_clustering(
        build_cluster_network(table, "table"), train, dev, objective, config, tmp_path / "whole"
    )
    batch = dev.batch(7)
    found = most_likely_clusters(network(*batch.inputs)).numpy()
    rates = [misclassification_rate(*pair) for pair in zip(batch.labels, found, strict=True)]
    assert np.mean(rates) < 0.02
    curve = read_curve(tmp_path / "whole" / "curve.tsv")
    assert list(curve[-1])[3:] == ["number", "pairs", "known", "dev_number", "dev_pairs", "dev_known"]
    assert curve[-1]["dev_pairs"] < curve[0]["dev_pairs"]


def test_an_interrupted_training_ends_with_the_same_curve(tmp_path):
    def run(folder: str, n_steps: int) -> None:
        torch.manual_seed(1)
        table = {"n_inputs": 1, "n_most": 2} | FAMILIES["residual-lstm"]
        config = TrainingConfig(
            n_steps=n_steps, schedule="constant", save_every=2, validation_batches=1, mixed_precision=False
        )
        sampler = Line(4, (4, 8), 2, 1)
        objective = ClusterObjective(ClusterLossConfig(), 0.6)
        train_clustering(
            build_cluster_network(table, "table"), sampler, sampler, objective, config, tmp_path / folder
        )

    run("whole", 6)
    run("parts", 2)
    run("parts", 6)
    assert curve_without_seconds(tmp_path / "whole") == curve_without_seconds(tmp_path / "parts")
