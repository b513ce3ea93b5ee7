"""The training of the network of local speakers on packed conversations."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from diarize.config import Settings
from diarize.networks.local_network import FrameLocalNetwork, LocalNetwork
from diarize.training.contract import Objective
from diarize.training.local_windows import Classes, LocalBatch, LocalSampler, PackedConversations
from diarize.training.loop import train
from diarize.training.optimizers import TrainingConfig

Network = LocalNetwork | FrameLocalNetwork

AT_ONCE = 32
"""Windows of the validation that go through the network at once."""


class LocalLossConfig(Settings):
    """The targets of the network; the [loss] table."""

    teacher: float = Field(0.0, ge=0, le=1, description="weight of the teacher; the truth has the rest")


class LocalObjective(Objective):
    """The cross entropy of the powerset classes under the permutation of speakers with the least.

    References
    ----------
    Fujita et al., "End-to-end neural speaker diarization with permutation-free objectives", Interspeech 2019;
    Plaquet and Bredin, "Powerset multi-class cross entropy loss for neural speaker diarization",
    Interspeech 2023.
    """

    def __init__(self, config: LocalLossConfig, classes: Classes) -> None:
        super().__init__(config)
        n_local = max(map(max, classes[1:])) + 1
        number = {each: index for index, each in enumerate(classes)}
        self.orders = torch.tensor(
            [
                [number[tuple(sorted(order[k] for k in each))] for each in classes]
                for order in permutations(range(n_local))
            ]
        )  # (n_permutations, n_classes)

    def forward(self, outputs: Tensor, batch: LocalBatch, share: float = 1.0) -> dict[str, Tensor]:
        """The loss of log-probabilities (batch, n_outputs, n_classes)."""
        targets = torch.from_numpy(batch.targets).to(outputs.device)
        # Sum over frames of the log-probability of class i where the target is class j: (batch, i, j).
        fit = torch.einsum("bti,btj->bij", outputs, targets)
        orders = self.orders.to(outputs.device)
        columns = torch.arange(orders.shape[1], device=outputs.device)
        sums = fit[:, orders, columns].sum(2)  # (batch, n_permutations)
        return {"classes": -sums.max(dim=1).values.sum() / targets.sum().clamp_min(1.0)}


def local_errors(classes: Classes, outputs: Tensor, targets: NDArray[np.float32]) -> NDArray[np.int64]:
    """Frames of missed, false and confused speech, and of speech, of one window's most probable classes."""
    speaks = np.array([[k in each for k in range(max(map(max, classes[1:])) + 1)] for each in classes])
    known = targets.sum(1) > 0
    said = speaks[outputs.argmax(1).numpy()][known]
    truth = speaks[targets.argmax(1)][known]
    common = said.T.astype(np.int64) @ truth
    rows, columns = linear_sum_assignment(-common)
    right = (said[:, rows] & truth[:, columns]).sum(1)
    n_said, n_true = said.sum(1), truth.sum(1)
    missed, false = np.maximum(n_true - n_said, 0), np.maximum(n_said - n_true, 0)
    confused = np.minimum(n_true, n_said) - right
    return np.array([missed.sum(), false.sum(), confused.sum(), n_true.sum()])


class DevLosses:
    """The mean loss on a window of each conversation of a set, against the truth, and the errors there."""

    def __init__(
        self, dev: PackedConversations, objective: LocalObjective, classes: Classes, n_outputs: int
    ) -> None:
        self.sampler = LocalSampler(dev, classes, 1, n_outputs, 0, augment=False)
        self.objective, self.classes = objective, classes
        self.errors = np.zeros(4)

    @torch.no_grad()
    def __call__(self, network: Network) -> dict[str, float]:
        """The loss, by its name in the curve."""
        total, n = 0.0, len(self.sampler.conversations)
        self.errors[:] = 0
        for first in range(0, n, AT_ONCE):
            rows = np.arange(first, min(first + AT_ONCE, n))
            batch = self.sampler.windows(rows, np.random.default_rng([0, first]))
            total += len(rows) * float(self.objective.losses(network, batch)["classes"])
            device = next(network.parameters()).device
            outputs = network(*(each.to(device) for each in batch.inputs)).cpu()
            for one, targets in zip(outputs, batch.targets, strict=True):
                self.errors += local_errors(self.classes, one, targets)
        return {"dev_classes": total / n}

    def shares(self, step: int, network: Network) -> dict[str, float]:
        """The errors at the last call in % of the speech."""
        missed, false, confused = (100 * self.errors[:3] / max(1.0, self.errors[3])).tolist()
        return {"missed": missed, "false": false, "confused": confused, "der": missed + false + confused}


def train_local(
    network: Network,
    conversations: PackedConversations,
    dev: PackedConversations,
    config: TrainingConfig,
    folder: str | Path,
    *,
    loss: LocalLossConfig | None = None,
    seconds: float = 10.0,
    device: str = "cpu",
    start: Path | None = None,
) -> Network:
    """Train a network on windows of packed conversations, as `diarize.training.loop.train` does."""
    loss = loss or LocalLossConfig()
    objective = LocalObjective(loss, network.classes)
    n_outputs = round(seconds * 25)
    sampler = LocalSampler(
        conversations,
        network.classes,
        config.batch_size,
        n_outputs,
        config.seed,
        teacher=loss.teacher,
        augment=config.augment,
    )
    validation = DevLosses(dev, objective, network.classes, n_outputs)
    return train(
        network,
        sampler,
        objective,
        config,
        folder,
        validation=validation,
        on_checkpoint=validation.shares,
        device=device,
        start=start,
    )
