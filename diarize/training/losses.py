"""Losses that make embeddings of one speaker similar and those of different speakers dissimilar."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ArcFace(nn.Module):
    """Cross entropy over the training speakers with an additive angular margin.

    Parameters
    ----------
    dim, n_speakers : int
        Size of an embedding; number of speakers.
    margin : float
        Radians added to the angle between an embedding and its own speaker's weight.
    scale : float
        Factor of the cosines before the softmax.
    n_centres : int
        Number of weight vectors of each speaker; the nearest is used. Wrongly labelled clips of a speaker may
        then have one of their own.

    References
    ----------
    Deng et al., "ArcFace: Additive angular margin loss for deep face recognition", CVPR 2019, eq. 3;
    Deng et al., "Sub-center ArcFace: Boosting face recognition by large-scale noisy web faces", ECCV 2020.
    """

    def __init__(
        self, dim: int, n_speakers: int, margin: float = 0.2, scale: float = 30.0, n_centres: int = 1
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_speakers * n_centres, dim))
        nn.init.xavier_normal_(self.weight)
        self.margin, self.scale, self.n_centres = margin, scale, n_centres

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Cosines (batch, n_speakers) of embeddings (batch, dim) to the nearest centre of each speaker."""
        cosines = embeddings @ F.normalize(self.weight, dim=1).T
        return cosines.unflatten(1, (-1, self.n_centres)).amax(dim=2) if self.n_centres > 1 else cosines

    def forward(self, embeddings: Tensor, speakers: Tensor, share: float = 1.0) -> Tensor:
        """The loss of embeddings (batch, dim) and their speakers (batch,), with a share of the margin."""
        cosines = self.cosines(embeddings)
        return angular_margin_loss(cosines, speakers, arc=share * self.margin, scale=self.scale)


class Prototypical(nn.Module):
    """Cross entropy of finding, for each segment, the other segment of its speaker.

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
        """The loss of two segments for each speaker, each (n_speakers, dim) of length 1."""
        logits = self.scale.clamp_min(1e-3) * (first @ second.T) + self.offset
        speakers = torch.arange(len(first), device=first.device)
        return (F.cross_entropy(logits, speakers) + F.cross_entropy(logits.T, speakers)) / 2


def distillation_loss(embeddings: Tensor, targets: Tensor) -> Tensor:
    """The distance of embeddings (batch, dim) from a teacher's (batch, dim), both of length 1.

    The mean of 1 - cosine, plus the mean squared difference between the two matrices of cosines within the
    batch, so that both the teacher's embeddings and their mutual similarities are matched.

    References
    ----------
    Park et al., "Relational knowledge distillation", CVPR 2019 (the second term, on cosines).
    """
    direct = 1 - (embeddings * targets).sum(dim=1).mean()
    relations = F.mse_loss(embeddings @ embeddings.T, targets @ targets.T)
    return direct + relations


def angular_margin_loss(
    cosines: Tensor,
    speakers: Tensor,
    *,
    sphere: float = 1.0,
    arc: float = 0.0,
    cos: float = 0.0,
    scale: float = 30.0,
) -> Tensor:
    """Cross entropy over the training speakers, with a margin on the angle to the item's own speaker.

    If theta is the angle to its own speaker, an item's logit is psi(sphere theta + arc) - cos, where psi is
    the cosine up to pi and continues to fall beyond:

        psi(phi) = (-1)^k cos(phi) - 2k,  k = floor(phi / pi).

    Parameters
    ----------
    cosines, speakers : Tensor
        Cosines to each speaker's weights (batch, n_speakers); each item's own speaker (batch,).
    sphere, arc, cos : float
        Factor of the angle (SphereFace); radians added to it (ArcFace); amount subtracted from its cosine
        (CosFace).
    scale : float
        Factor of the logits before the softmax.

    References
    ----------
    Liu et al., "SphereFace: Deep hypersphere embedding for face recognition", CVPR 2017, eq. 7 (psi);
    Wang et al., "CosFace: Large margin cosine loss for deep face recognition", CVPR 2018, eq. 4;
    Deng et al., "ArcFace: Additive angular margin loss for deep face recognition", CVPR 2019, eq. 3, 4.
    """
    cosines = _at_least_float32(cosines)
    # The slope of arccos is infinite at 1; at this distance from 1 it is 2000.
    own = cosines.gather(1, speakers[:, None]).clamp(-1 + 1e-7, 1 - 1e-7)
    phi = sphere * own.arccos() + arc
    k = (phi / torch.pi).floor()
    psi = (1 - 2 * (k % 2)) * phi.cos() - 2 * k
    return F.cross_entropy(scale * cosines.scatter(1, speakers[:, None], psi - cos), speakers)


def pairwise_kl_loss(probabilities: Tensor, speakers: Tensor, margin: float) -> Tensor:
    """A loss of similar outputs of different speakers, and of dissimilar outputs of one speaker, in a batch.

    Two items p, q of one speaker cost KL(p||q), two of different speakers max(0, margin - KL(p||q)), and
    the same with p and q exchanged; the mean over all pairs of items.

    Parameters
    ----------
    probabilities : Tensor
        Softmax outputs (batch, n_classes) of at least two items.
    speakers : Tensor
        Their speakers' numbers (batch,).
    margin : float
        Divergence in nats beyond which the loss of different speakers is 0.

    Raises
    ------
    ValueError
        If there are fewer than two items.

    References
    ----------
    Lukic et al., "Learning embeddings for speaker clustering based on voice equality", MLSP 2017, eq. 1-3;
    Stadelmann et al., "Capturing suprasegmental features of a voice with RNNs for improved speaker
    clustering", ANNPR 2018 (with a margin of 3); both after Hsu and Kira, "Neural network-based clustering
    using pairwise constraints", 2015.
    """
    n_items = len(probabilities)
    if n_items < 2:
        raise ValueError(f"a pair needs two items, got {n_items!r}")
    p = _at_least_float32(probabilities) + 1e-16
    log_p = p.log()
    # KL(p||q) = sum p log p - sum p log q, row p and column q. Autocast would round it to three digits.
    with torch.autocast(p.device.type, enabled=False):
        kl = (p * log_p).sum(dim=1, keepdim=True) - p @ log_p.T
    costs = torch.where(speakers[:, None] == speakers, kl, (margin - kl).clamp_min(0))
    return (costs.sum() - costs.diagonal().sum()) / (n_items * (n_items - 1) / 2)


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
