"""The training of a network that partitions sets of items."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from diarize.config import Settings
from diarize.training.contract import Objective
from diarize.training.loop import Validation, train
from diarize.training.optimizers import TrainingConfig
from diarize.training.sets import SetBatch, SetSampler

WIDEST = 0.005
"""Width of the 95 % interval of the share of pairs within a cluster, at which its estimation ends."""

EPSILON = 1e-7
"""Distance of a probability from 0 and 1."""


class ClusterLossConfig(Settings):
    """The [loss] table of a network that partitions sets."""

    pairs: float = Field(5.0, gt=0, description="weight of the loss of pairs; that of the number has 1")
    known: float = Field(
        0.0, ge=0, description="weight of the loss of pairs for the true number of clusters, whatever P(k) is"
    )


class ClusterObjective(Objective):
    """The loss of the number of clusters, and of whether the items of each pair are in one cluster.

    Parameters
    ----------
    config : ClusterLossConfig
    share : float
        The expected share of pairs within a cluster, by `share_within`.

    References
    ----------
    Meier et al., "Learning neural models for end-to-end clustering", ANNPR 2018.
    """

    config: ClusterLossConfig

    def __init__(self, config: ClusterLossConfig, share: float) -> None:
        super().__init__(config)
        self.within, self.across = pair_weights(share)

    def forward(self, outputs: Tensor, batch: SetBatch, share: float = 1.0) -> dict[str, Tensor]:
        """The losses by name, of the outputs (batch, n_items, n_most, n_most) of a `ClusterNetwork`."""
        labels, numbers = (
            torch.from_numpy(each).to(outputs.device) for each in (batch.labels, batch.numbers)
        )
        number = outputs[:, 0].logsumexp(dim=2)  # (batch, n_most)
        same = labels[:, :, None] == labels[:, None]
        pairs = pair_loss(pair_probabilities(outputs), same, self.within, self.across)
        losses = {"number": F.nll_loss(number, numbers - 1), "pairs": self.config.pairs * pairs}
        if self.config.known:
            rows = torch.arange(len(labels), device=outputs.device)
            clusters = (outputs[rows, :, numbers - 1] - number[rows, numbers - 1, None, None]).exp()
            known = pair_loss(clusters @ clusters.transpose(1, 2), same, self.within, self.across)
            losses["known"] = self.config.known * known
        return losses


def pair_probabilities(outputs: Tensor) -> Tensor:
    """The probability (batch, n_items, n_items) that two items are in one cluster.

    P_ij = sum_k P(k) sum_l P(l | x_i, k) P(l | x_j, k), of log-probabilities log P(k) P(l | x_i, k).
    """
    number = outputs.logsumexp(dim=3, keepdim=True)  # log P(k)
    root = (outputs - number / 2).exp().flatten(2)  # P(k)^1/2 P(l | x_i, k)
    return root @ root.transpose(1, 2)


def pair_loss(probabilities: Tensor, same: Tensor, within: float, across: float) -> Tensor:
    """Weighted binary cross entropy, the mean over the pairs i < j of each set.

    Parameters
    ----------
    probabilities, same : Tensor
        Of all pairs (batch, n_items, n_items): that they are in one cluster, and whether they are.
    within, across : float
        Weights of pairs in one cluster and in two.
    """
    p = probabilities.clamp(EPSILON, 1 - EPSILON)
    costs = torch.where(same, -within * p.log(), -across * (1 - p).log())
    i, j = torch.triu_indices(p.shape[1], p.shape[1], offset=1)
    return costs[:, i, j].mean()


def pair_weights(share: float) -> tuple[float, float]:
    """Weights of pairs within a cluster and across two, if this share of the pairs is within one.

    c (1 - share)^1/2 and c share^1/2, with c so that their sum is 2.
    """
    within, across = math.sqrt(1 - share), math.sqrt(share)
    c = 2 / (within + across)
    return c * within, c * across


def share_within(sets: SetSampler) -> float:
    """The share of pairs in one cluster, by as many random sets as a 95 % interval of 0.005 takes."""
    random = np.random.default_rng([sets.seed, 0])
    shares: list[float] = []
    while True:
        for _ in range(1000):
            labels = sets.labels(sets.size(random), random)
            sizes = np.bincount(labels)
            shares.append(float((sizes * (sizes - 1)).sum()) / (len(labels) * (len(labels) - 1)))
        if 2 * 1.96 * np.std(shares, ddof=1) / math.sqrt(len(shares)) <= WIDEST:
            return float(np.mean(shares))


def train_clustering(
    network: nn.Module,
    sampler: SetSampler,
    dev: SetSampler,
    objective: Objective,
    config: TrainingConfig,
    folder: str | Path,
    *,
    device: str = "cpu",
    start: Path | None = None,
) -> nn.Module:
    """Train a network on sets, as `diarize.training.loop.train` does; sets of `dev` validate it.

    Raises
    ------
    ModelError
        As `train` does.
    """
    batches = [dev.batch(number) for number in range(config.validation_batches)]
    validation = validate_on(objective, batches)
    return train(
        network, sampler, objective, config, folder, validation=validation, device=device, start=start
    )


def validate_on(objective: Objective, batches: list[SetBatch]) -> Validation:
    """The mean losses on given batches, named dev_number, dev_pairs, ..."""

    @torch.no_grad()
    def losses_on_dev(network: nn.Module) -> dict[str, float]:
        found = [objective.losses(network, batch) for batch in batches]
        return {f"dev_{name}": float(np.mean([float(each[name]) for each in found])) for name in found[0]}

    return losses_on_dev
