"""The base class of networks that compute frame features first, then attentive pooling.

The convolutions of such a network are *valid* in time: nothing is padded, so an output frame depends on
exactly ``context`` input frames and on nothing else. The network therefore runs once over a recording, in
blocks that overlap by the context, and only the pooling runs for each window. Training crops carry the same
context, so both ways of running the network give the same embeddings.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diarize.networks.contract import Network, Outputs


class FrameNetwork(Network):
    """Speaker embeddings: features of frames, their weighted mean and deviation, a linear layer.

    Attributes
    ----------
    context, stride : int
        Input frames that an output frame depends on, and from one output frame to the next.
    n_features, dim : int
        Features of an output frame; length of an embedding.

    References
    ----------
    Okabe et al., "Attentive statistics pooling for deep speaker embedding", Interspeech 2018 (the pooling).
    """

    def __init__(self) -> None:
        super().__init__()
        self.context, self.stride = 1, 1

    @property
    def gives(self) -> Outputs:
        """Embeddings of length 1."""
        return "embeddings"

    def add_pooling(self, n_features: int, heads: int, dim: int) -> None:
        """Add the layers after the frame features, for embeddings of `dim` numbers.

        Each of the `heads` groups of features has one attention weight for each frame.

        Raises
        ------
        ValueError
            If `heads` does not divide `n_features`.
        """
        if n_features % heads:
            raise ValueError(f"heads divide the {n_features} features, got {heads!r}")
        self.n_features, self.dim = n_features, dim
        self.attention = nn.Sequential(nn.Linear(n_features, 128), nn.Tanh(), nn.Linear(128, heads))
        self.pool_norm = nn.BatchNorm1d(2 * n_features)
        self.embedding = nn.Linear(2 * n_features, dim)

    def widen(self, kernel: int, step: int = 1, dilation: int = 1) -> None:
        """Extend the context by a convolution: `kernel` taps, `dilation` inputs apart, in steps of `step`."""
        self.context += (kernel - 1) * dilation * self.stride
        self.stride *= step

    @abstractmethod
    def frames(self, mel: Tensor) -> Tensor:
        """Frame-level features (batch, n_outputs, n_features) of spectrograms (batch, n_frames, n_mels).

        n_outputs = (n_frames - context) // stride + 1; output j depends on the `context` frames from
        j * stride on.
        """

    def pool(self, features: Tensor, mask: Tensor | None = None, logits: Tensor | None = None) -> Tensor:
        """Embeddings (batch, dim) of length 1 of frame-level features (batch, frames, n_features).

        `mask` (batch, frames) is true for the frames to use. `logits` (batch, frames, heads) are the output
        of `attention` for the features, if it is already known.
        """
        if logits is None:
            logits = self.attention(features)
        if mask is not None:
            logits = logits.masked_fill(~mask.unsqueeze(-1), -torch.inf)
        weights = logits.softmax(dim=1)  # (batch, frames, heads), Okabe et al. eq. 3
        grouped = features.unflatten(2, (weights.shape[2], -1))  # (batch, frames, heads, features / heads)
        mean = torch.einsum("bth,bthf->bhf", weights, grouped).flatten(1)  # eq. 5
        square = torch.einsum("bth,bthf->bhf", weights, grouped.square()).flatten(1)
        return self._embed(mean, square)

    def pool_around(self, features: Tensor, span: int, first: Tensor) -> Tensor:
        """Embeddings (batch, n, dim) of `span` frames from each of the frames `first` (n,) on.

        They are those of `pool` for the same frames, of features (batch, frames, n_features).
        """
        weights = self.attention(features)
        weights = (weights - weights.amax(dim=1, keepdim=True)).clamp_min(-60).exp()

        def sums(values: Tensor) -> Tensor:
            return values.unfold(1, span, 1)[:, first].sum(dim=-1)  # (batch, n, ...)

        grouped = features.unflatten(2, (weights.shape[2], -1))
        total, each = sums(weights).unsqueeze(-1), weights.unsqueeze(-1)
        mean = (sums(each * grouped) / total).flatten(2)
        square = (sums(each * grouped.square()) / total).flatten(2)
        return self._embed(mean.flatten(0, 1), square.flatten(0, 1)).unflatten(0, mean.shape[:2])

    def _embed(self, mean: Tensor, square: Tensor) -> Tensor:
        """Embeddings (n, dim) of length 1 from the weighted means (n, n_features) of features and squares."""
        deviation = (square - mean.square()).clamp_min(1e-5).sqrt()  # eq. 6
        statistics = self.pool_norm(torch.cat([mean, deviation], dim=1))
        return F.normalize(self.embedding(statistics), dim=1)

    def forward(self, mel: Tensor) -> Tensor:
        """Embeddings (batch, dim) of length 1 of spectrograms (batch, n_frames, n_mels)."""
        return self.pool(self.frames(mel))
