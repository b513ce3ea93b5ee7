"""Losses that make embeddings of one speaker alike and those of different speakers unlike."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ArcFace(nn.Module):
    """Cross entropy over the training speakers with an additive angular margin.

    Parameters
    ----------
    dim, n_speakers : int
        Length of an embedding; number of speakers.
    margin : float
        Radians added to the angle between an embedding and its own speaker's weight.
    scale : float
        Factor of the cosines before the softmax.

    References
    ----------
    Deng et al., "ArcFace: Additive angular margin loss for deep face recognition", CVPR 2019, eq. 3.
    """

    def __init__(self, dim: int, n_speakers: int, margin: float = 0.2, scale: float = 30.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_speakers, dim))
        nn.init.xavier_normal_(self.weight)
        self.margin, self.scale = margin, scale

    def forward(self, embeddings: Tensor, speakers: Tensor) -> Tensor:
        """The loss of embeddings (batch, dim) of length 1 and their speakers' numbers (batch,)."""
        cosine = embeddings @ F.normalize(self.weight, dim=1).T  # (batch, n_speakers)
        own = cosine.gather(1, speakers[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
        # Beyond pi - margin the shifted cosine would rise again: there it stays at -1.
        angle = (own.arccos() + self.margin).clamp_max(torch.pi)
        return F.cross_entropy(self.scale * cosine.scatter(1, speakers[:, None], angle.cos()), speakers)


class Prototypical(nn.Module):
    """Cross entropy of telling, for each segment, which speaker's other segment belongs to it.

    References
    ----------
    Chung et al., "In defence of metric learning for speaker recognition", Interspeech 2020, eq. 6
    (angular prototypical, two segments a speaker; here in both directions).
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(10.0))
        self.offset = nn.Parameter(torch.tensor(-5.0))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The loss of two segments of the same speakers, each (n_speakers, dim) of length 1."""
        logits = self.scale.clamp_min(1e-3) * (first @ second.T) + self.offset
        speakers = torch.arange(len(first), device=first.device)
        return (F.cross_entropy(logits, speakers) + F.cross_entropy(logits.T, speakers)) / 2


def distillation_loss(embeddings: Tensor, targets: Tensor) -> Tensor:
    """How far embeddings (batch, dim) are from a teacher's (batch, dim), both of length 1.

    The mean of 1 - cosine, plus the mean squared difference between the two matrices of cosines among
    the batch: the teacher's vectors and their mutual similarities are both to be met.

    References
    ----------
    Park et al., "Relational knowledge distillation", CVPR 2019 (the second term, on cosines).
    """
    direct = 1 - (embeddings * targets).sum(dim=1).mean()
    relations = F.mse_loss(embeddings @ embeddings.T, targets @ targets.T)
    return direct + relations
