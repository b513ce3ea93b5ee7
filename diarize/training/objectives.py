"""The [loss] of a training: what is minimised, from a network's outputs and a batch."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from diarize.config import Settings
from diarize.errors import ConfigError
from diarize.networks import Network
from diarize.networks.frame_network import FrameNetwork
from diarize.training.losses import (
    ArcFace,
    Prototypical,
    angular_margin_loss,
    distillation_loss,
    pairwise_kl_loss,
)
from diarize.training.samplers import Batch


class LossConfig(Settings):
    """The [loss] table of a recipe."""

    kind: Literal["embedding", "cross-entropy", "pairwise-kl", "angular-margin"] = Field(
        "embedding",
        description="embedding: a weighted sum of losses on a network that ends in embeddings; "
        "the others: on one that ends in training speakers",
    )
    margin: float = Field(0.2, ge=0, description="ArcFace: radians; pairwise-kl: divergence")
    scale: float = Field(30.0, gt=0, description="factor of the cosines before the softmax")
    arcface: float = Field(1.0, ge=0, description="embedding: weight of ArcFace")
    centres: int = Field(1, ge=1, description="embedding: centres of a training speaker; the nearest counts")
    prototypical: float = Field(1.0, ge=0, description="embedding: weight of the prototypical loss")
    distillation: float = Field(
        0.0, ge=0, description="embedding: weight of distillation; needs a teacher's targets"
    )
    pairwise_kl: float = Field(
        0.0, ge=0, description="embedding: weight of the pairwise KL loss of the softmax over speakers"
    )
    divergence: float = Field(2.0, ge=0, description="embedding: margin of the pairwise KL loss")
    sphere: float = Field(1.0, ge=1, description="angular-margin: factor of the angle (SphereFace)")
    arc: float = Field(0.0, ge=0, description="angular-margin: radians added to the angle (ArcFace)")
    cos: float = Field(0.0, ge=0, description="angular-margin: taken from the cosine (CosFace)")
    ramp: int = Field(
        0, ge=0, description="batches over which angular margins grow to their size; 0: at once"
    )

    @property
    def needs_speakers(self) -> bool:
        """Whether a prototypical loss is part of it, which compares segments of one speaker in a batch."""
        return self.kind == "embedding" and self.prototypical > 0

    @property
    def needs_targets(self) -> bool:
        """Whether distillation from a teacher is part of it."""
        return self.kind == "embedding" and self.distillation > 0


class EmbeddingObjective(nn.Module):
    """The weighted sum of the losses of a [loss] table on embeddings of length 1.

    `targets` (n_clips, n_speeds, dim) come from a teacher; `n_segments` of a speaker stand side by side.
    """

    def __init__(
        self,
        config: LossConfig,
        dim: int,
        n_speakers: int,
        n_segments: int,
        targets: NDArray[np.float32] | None,
    ) -> None:
        super().__init__()
        if config.distillation and targets is None:
            raise ValueError("distillation needs targets, got None")
        self.config = config
        self.arcface = ArcFace(dim, n_speakers, config.margin, config.scale, config.centres)
        self.prototypical = Prototypical()
        self.targets = targets
        self.n_speakers, self.n_segments = n_speakers, n_segments

    def forward(self, embeddings: Tensor, batch: Batch, share: float = 1.0) -> dict[str, Tensor]:
        """Each weighted loss by its name, for embeddings (P * K, dim); of margins a share counts."""
        speaker = torch.from_numpy(batch.speaker).to(embeddings.device)
        losses = {}
        if self.config.arcface:
            losses["arcface"] = self.config.arcface * self.arcface(embeddings, speaker, share)
        if self.config.prototypical:
            segments = embeddings.reshape(-1, self.n_segments, embeddings.shape[1])  # (P, K, dim)
            losses["prototypical"] = self.config.prototypical * self.prototypical(
                segments[:, 0], segments[:, 1]
            )
        if self.config.distillation:
            assert self.targets is not None
            speed = batch.speaker // (self.n_speakers // self.targets.shape[1])
            targets = torch.from_numpy(self.targets[batch.clip, speed]).to(embeddings.device)
            losses["distillation"] = self.config.distillation * distillation_loss(embeddings, targets)
        if self.config.pairwise_kl:
            probabilities = (self.config.scale * self.arcface.cosines(embeddings)).softmax(dim=1)
            cost = pairwise_kl_loss(probabilities, speaker, self.config.divergence)
            losses["pairwise_kl"] = self.config.pairwise_kl * cost
        return losses


class SpeakerObjective(nn.Module):
    """One loss on a network's outputs for the training speakers: (batch, n_speakers) logits or cosines."""

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, outputs: Tensor, batch: Batch, share: float = 1.0) -> dict[str, Tensor]:
        """The loss by its name; `share` of an angular margin counts."""
        config, speaker = self.config, torch.from_numpy(batch.speaker).to(outputs.device)
        if config.kind == "cross-entropy":
            loss = F.cross_entropy(outputs, speaker)
        elif config.kind == "pairwise-kl":
            loss = pairwise_kl_loss(outputs.softmax(dim=1), speaker, config.margin)
        else:
            margins = {
                "sphere": 1 + share * (config.sphere - 1),
                "arc": share * config.arc,
                "cos": share * config.cos,
            }
            loss = angular_margin_loss(outputs, speaker, **margins, scale=config.scale)
        return {config.kind: loss}


def build_objective(
    config: LossConfig,
    network: Network,
    n_speakers: int,
    n_segments: int,
    targets: NDArray[np.float32] | None = None,
) -> nn.Module:
    """The objective of a [loss] table for a network.

    Raises
    ------
    ConfigError
        When the kind of loss and the network's outputs do not belong together, or nothing is minimised.
    """
    if (config.kind == "embedding") != isinstance(network, FrameNetwork):
        raise ConfigError(
            f"[loss] kind = '{config.kind}' does not fit the network {type(network).__name__}: "
            "'embedding' belongs to resnet and tdnn, the other kinds to cnn and blstm"
        )
    if isinstance(network, FrameNetwork):
        if not any((config.arcface, config.prototypical, config.distillation, config.pairwise_kl)):
            raise ConfigError("[loss] every weight is 0; leave one above")
        return EmbeddingObjective(config, network.embedding.out_features, n_speakers, n_segments, targets)
    if (config.kind == "angular-margin") != (network.gives == "cosines"):
        output = "cosine" if network.gives == "cosines" else "linear"
        raise ConfigError(
            f"[loss] kind = '{config.kind}' does not fit [network] output = '{output}': "
            "'angular-margin' belongs to 'cosine', the other kinds to 'linear'"
        )
    return SpeakerObjective(config)
