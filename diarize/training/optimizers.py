"""Settings of a training, its optimizer, learning rate and averaged weights."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import nn

from diarize.config import Settings
from diarize.machine.quiet_imports import import_torch_compiler


class TrainingConfig(Settings):
    """The settings of a training; the [training] table of a recipe."""

    n_steps: int = Field(9000, ge=1, description="batches")
    batches: Literal["speakers", "sentences"] = Field(
        "speakers",
        description="speakers: n_segments of each of n_speakers; sentences: batch_size of any clips",
    )
    n_speakers: int = Field(32, ge=2, description="speakers in a batch")
    n_segments: int = Field(2, ge=2, description="segments of each speaker")
    batch_size: int = Field(100, ge=2, description="segments in a batch of sentences")
    augment: bool = Field(
        True, description="random tilts and masks of the spectrograms, for batches of speakers"
    )
    shuffle: Literal["none", "segment", "utterance"] = Field(
        "none", description="frames in random order: within a segment, or drawn from its whole sentence"
    )
    seconds: tuple[float, float] = Field((1.0, 2.2), description="shortest and longest segment, in seconds")
    optimizer: Literal["adamw", "adam", "adadelta", "nesterov", "sgd"] = "adamw"
    learning_rate: float = Field(2e-3, gt=0, description="the highest rate")
    schedule: Literal["cosine", "constant"] = Field("cosine", description="cosine: falls to 0 at the end")
    cycles: int = Field(1, ge=1, description="times that the rate warms up and follows its schedule")
    warm_up: int = Field(300, ge=0, description="steps")
    weight_decay: float = Field(0.02, ge=0)
    clip_gradient: float = Field(5.0, ge=0, description="largest norm of a gradient; 0: no limit")
    average: float = Field(0.998, ge=0, lt=1, description="decay of the averaged weights; 0: no average")
    mixed_precision: bool = Field(
        True, description="bfloat16 if it is safe and fast; weights and losses stay float32"
    )
    save_every: int = Field(250, ge=1, description="steps between checkpoints")
    snapshot_every: int = Field(
        0, ge=0, description="steps between snapshots of the weights; 0: no snapshots"
    )
    validation_batches: int = Field(
        10, ge=1, description="number of batches of the validation loss, which are always the same"
    )
    patience: int = Field(
        0, ge=0, description="checkpoints without a better validation loss after which to stop; 0: never"
    )
    keep: Literal["last", "best"] = Field("last", description="best: the weights of the best validation loss")
    seed: int = Field(1, ge=0, le=2**32 - 1)

    @field_validator("seconds")
    @classmethod
    def _is_a_range(cls, seconds: tuple[float, float]) -> tuple[float, float]:
        if not 0 < seconds[0] <= seconds[1]:
            raise ValueError("input should be the shortest and the longest, both above 0")
        return seconds


def build_optimizer(config: TrainingConfig, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer of a [training] table; other values are those of the papers of these systems."""
    import_torch_compiler()  # otherwise torch imports it, which creates a folder
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "adadelta":
        return torch.optim.Adadelta(parameters, rate, rho=0.95, eps=1e-6, weight_decay=decay)
    if config.optimizer in ("sgd", "nesterov"):
        momentum = 0.9 if config.optimizer == "nesterov" else 0.0
        return torch.optim.SGD(parameters, rate, momentum, weight_decay=decay, nesterov=momentum > 0)
    adam = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return adam(parameters, rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=decay)


def learning_rate_at(config: TrainingConfig, step: int) -> float:
    """The learning rate of batch number `step`, counted from 0.

    References
    ----------
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017 (cycles).
    """
    n_steps = -(-config.n_steps // config.cycles)
    step %= n_steps
    if step < config.warm_up:
        return config.learning_rate * (step + 1) / config.warm_up
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - config.warm_up) / max(1, n_steps - config.warm_up)
    return config.learning_rate * (0.5 + 0.5 * math.cos(math.pi * done)) + 1e-6


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the network's: decay * average + (1 - decay) * network."""
    weights = network.state_dict()
    for name, tensor in average.state_dict().items():
        current = weights[name]
        if tensor.dtype.is_floating_point:
            tensor.lerp_(current, 1 - decay)
        else:
            tensor.copy_(current)
