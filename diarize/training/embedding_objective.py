"""The objective of networks whose outputs are embeddings: a weighted sum of losses."""

from __future__ import annotations

from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from diarize.errors import ConfigError
from diarize.training.contract import Facts, LossConfig, NamedObjective
from diarize.training.losses import ArcFace, Prototypical, distillation_loss, pairwise_kl_loss
from diarize.training.samplers import SegmentBatch


class EmbeddingLossConfig(LossConfig):
    """The [loss] table of kind embedding."""

    margin: float = Field(0.2, ge=0, description="margin of ArcFace, in radians")
    scale: float = Field(30.0, gt=0, description="factor of the cosines before the softmax")
    arcface: float = Field(1.0, ge=0, description="weight of ArcFace")
    centres: int = Field(1, ge=1, description="centres of a training speaker; the nearest is used")
    prototypical: float = Field(1.0, ge=0, description="weight of the prototypical loss")
    distillation: float = Field(0.0, ge=0, description="weight of distillation; needs a teacher's targets")
    pairwise_kl: float = Field(
        0.0, ge=0, description="weight of the pairwise KL loss of the softmax over speakers"
    )
    divergence: float = Field(2.0, ge=0, description="margin of the pairwise KL loss")

    @model_validator(mode="after")
    def _teacher_has_one_layer(self) -> Self:
        if self.distillation and self.layer is not None:
            raise ValueError("distillation needs the network's embeddings; leave out layer")
        return self

    @property
    def needs_speakers(self) -> bool:
        """Whether there is a prototypical loss, which compares segments of one speaker in a batch."""
        return self.prototypical > 0

    @property
    def needs_targets(self) -> bool:
        """Whether there is a distillation from a teacher."""
        return self.distillation > 0


class EmbeddingObjective(NamedObjective):
    """The weighted sum of the losses of a [loss] table on embeddings.

    The embeddings of a network have length 1; those of a named layer are scaled to it.

    Raises
    ------
    ConfigError
        If every weight is 0.
    ValueError
        If there is a distillation but no targets of a teacher.
    """

    settings = EmbeddingLossConfig
    takes = "embeddings"
    config: EmbeddingLossConfig

    def __init__(self, config: EmbeddingLossConfig, facts: Facts) -> None:
        super().__init__(config, facts)
        if not any((config.arcface, config.prototypical, config.distillation, config.pairwise_kl)):
            raise ConfigError("[loss] every weight is 0; set at least one above 0")
        if config.distillation and facts.targets is None:
            raise ValueError("distillation needs targets, got None")
        self.arcface = ArcFace(facts.dim, facts.n_speakers, config.margin, config.scale, config.centres)
        self.prototypical = Prototypical()

    def forward(self, outputs: Tensor, batch: SegmentBatch, share: float = 1.0) -> dict[str, Tensor]:
        """Each weighted loss by its name, for embeddings (P * K, dim), with a `share` of the margin."""
        config, targets = self.config, self.facts.targets
        embeddings = outputs if self.layer is None else F.normalize(outputs, dim=1)
        speaker = torch.from_numpy(batch.speaker).to(embeddings.device)
        losses = {}
        if config.arcface:
            losses["arcface"] = config.arcface * self.arcface(embeddings, speaker, share)
        if config.prototypical:
            segments = embeddings.reshape(-1, self.facts.n_segments, embeddings.shape[1])  # (P, K, dim)
            losses["prototypical"] = config.prototypical * self.prototypical(segments[:, 0], segments[:, 1])
        if config.distillation:
            assert targets is not None
            speed = batch.speaker // (self.facts.n_speakers // targets.shape[1])
            taught = torch.from_numpy(targets[batch.clip, speed]).to(embeddings.device)
            losses["distillation"] = config.distillation * distillation_loss(embeddings, taught)
        if config.pairwise_kl:
            probabilities = (config.scale * self.arcface.cosines(embeddings)).softmax(dim=1)
            cost = pairwise_kl_loss(probabilities, speaker, config.divergence)
            losses["pairwise_kl"] = config.pairwise_kl * cost
        return losses
