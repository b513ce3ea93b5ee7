"""Objectives of networks whose outputs are logits or cosines of the training speakers."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from diarize.errors import ConfigError
from diarize.training.contract import Facts, LossConfig, NamedObjective
from diarize.training.losses import angular_margin_loss, pairwise_kl_loss
from diarize.training.samplers import SegmentBatch


class CrossEntropy(NamedObjective):
    """Cross entropy of the logits of the training speakers."""

    takes = "logits"

    def __init__(self, config: LossConfig, facts: Facts) -> None:
        super().__init__(config, facts)
        if facts.dim != facts.n_speakers:
            raise ConfigError(
                f"[loss] kind = '{config.kind}' takes a logit for each of {facts.n_speakers} speakers, "
                f"but layer '{config.layer or 'output'}' gives {facts.dim}"
            )

    def forward(self, outputs: Tensor, batch: SegmentBatch, share: float = 1.0) -> dict[str, Tensor]:
        """The loss by its name, of outputs (batch, n_speakers)."""
        return {"cross-entropy": F.cross_entropy(outputs, speakers_of(batch, outputs))}


class PairwiseKLConfig(LossConfig):
    """The [loss] table of kind pairwise-kl."""

    margin: float = Field(
        0.2, ge=0, description="divergence beyond which the loss of different speakers is 0"
    )


class PairwiseKL(NamedObjective):
    """Kullback-Leibler divergence between the softmax outputs of all pairs of a batch."""

    settings = PairwiseKLConfig
    takes = "logits"
    config: PairwiseKLConfig

    def forward(self, outputs: Tensor, batch: SegmentBatch, share: float = 1.0) -> dict[str, Tensor]:
        """The loss by its name, of outputs (batch, dim)."""
        speakers = speakers_of(batch, outputs)
        return {"pairwise-kl": pairwise_kl_loss(outputs.softmax(dim=1), speakers, self.config.margin)}


class AngularMarginConfig(LossConfig):
    """The [loss] table of kind angular-margin."""

    scale: float = Field(30.0, gt=0, description="factor of the cosines before the softmax")
    sphere: float = Field(1.0, ge=1, description="factor of the angle (SphereFace)")
    arc: float = Field(0.0, ge=0, description="radians added to the angle (ArcFace)")
    cos: float = Field(0.0, ge=0, description="subtracted from the cosine (CosFace)")


class AngularMargin(NamedObjective):
    """Cross entropy of cosines, with a margin on the angle to the item's own speaker."""

    settings = AngularMarginConfig
    takes = "cosines"
    config: AngularMarginConfig

    def forward(self, outputs: Tensor, batch: SegmentBatch, share: float = 1.0) -> dict[str, Tensor]:
        """The loss by its name, of outputs (batch, n_speakers), with a `share` of the margins."""
        config = self.config
        margins = {
            "sphere": 1 + share * (config.sphere - 1),
            "arc": share * config.arc,
            "cos": share * config.cos,
        }
        speakers = speakers_of(batch, outputs)
        return {"angular-margin": angular_margin_loss(outputs, speakers, **margins, scale=config.scale)}


def speakers_of(batch: SegmentBatch, outputs: Tensor) -> Tensor:
    """The speakers' numbers (batch,) of a batch, on the device of its outputs."""
    return torch.from_numpy(batch.speaker).to(outputs.device)
