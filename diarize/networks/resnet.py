"""A small ResNet over log-mel frames with attentive pooling: the default embedding network.

Its convolutions are *valid* in time: nothing is padded, so an output frame depends on exactly
``context`` input frames and on nothing else. A recording can then go through the network once, in blocks
that overlap by the context, and only the pooling is done for each window; training crops carry the same
context, so that both ways of running the network give the same vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ResNet(nn.Module):
    """Speaker embeddings from log-mel spectrograms.

    Parameters
    ----------
    n_mels : int
        Bands of the input, a multiple of 8.
    channels : tuple of int
        Width of the three stages, one residual block each. The stem halves frequency and time, the second
        stage both again, the third frequency alone.
    heads : int
        Groups of features that share one attention weight a frame; divides channels[2] * n_mels / 8.
    dim : int
        Length of an embedding.

    Raises
    ------
    ValueError
        When the numbers do not fit each other.

    References
    ----------
    He et al., "Deep residual learning for image recognition", CVPR 2016 (the blocks);
    Okabe et al., "Attentive statistics pooling for deep speaker embedding", Interspeech 2018 (the pooling).
    """

    def __init__(
        self,
        n_mels: int = 64,
        channels: tuple[int, int, int] = (32, 64, 128),
        heads: int = 8,
        dim: int = 256,
    ) -> None:
        super().__init__()
        if len(channels) != 3:
            raise ValueError(f"channels are three numbers, got {channels!r}")
        narrow, middle, wide = channels
        if n_mels % 8:
            raise ValueError(f"n_mels is a multiple of 8, got {n_mels!r}")
        self.n_features = wide * n_mels // 8
        if self.n_features % heads:
            raise ValueError(f"heads divide the {self.n_features} features, got {heads!r}")
        self.stem = nn.Conv2d(1, narrow, 3, stride=2, padding=(1, 0), bias=False)
        self.stem_norm = nn.BatchNorm2d(narrow)
        self.blocks = nn.Sequential(
            Block(narrow, narrow, (1, 1)), Block(narrow, middle, (2, 2)), Block(middle, wide, (2, 1))
        )
        # A convolution of three that steps by s, over frames that lie `stride` inputs apart,
        # widens the context by 2 * stride and multiplies the stride by s.
        self.context, self.stride = 1, 1
        for step in (2, 1, 1, 2, 1, 1, 1):
            self.context += 2 * self.stride
            self.stride *= step
        self.attention = nn.Sequential(nn.Linear(self.n_features, 128), nn.Tanh(), nn.Linear(128, heads))
        self.pool_norm = nn.BatchNorm1d(2 * self.n_features)
        self.embedding = nn.Linear(2 * self.n_features, dim)

    def frames(self, mel: Tensor) -> Tensor:
        """Frame-level features (batch, n_outputs, n_features) of spectrograms (batch, n_frames, n_mels).

        n_outputs = (n_frames - context) // stride + 1; output j sees the `context` frames from j * stride on.
        """
        x = mel.transpose(1, 2).unsqueeze(1)  # (batch, 1, mels, frames)
        x = self.blocks(F.relu(self.stem_norm(self.stem(x))))
        return x.flatten(1, 2).transpose(1, 2)  # (batch, frames, features)

    def pool(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Embeddings (batch, dim) of length 1 of frame-level features (batch, frames, n_features).

        `mask` (batch, frames) is true where a frame counts.
        """
        logits = self.attention(features)
        if mask is not None:
            logits = logits.masked_fill(~mask.unsqueeze(-1), -torch.inf)
        weights = logits.softmax(dim=1)  # (batch, frames, heads), Okabe et al. eq. 3
        grouped = features.unflatten(2, (weights.shape[2], -1))  # (batch, frames, heads, features / heads)
        mean = torch.einsum("bth,bthf->bhf", weights, grouped).flatten(1)  # eq. 5
        square = torch.einsum("bth,bthf->bhf", weights, grouped.square()).flatten(1)
        deviation = (square - mean.square()).clamp_min(1e-5).sqrt()  # eq. 6
        statistics = self.pool_norm(torch.cat([mean, deviation], dim=1))
        return F.normalize(self.embedding(statistics), dim=1)

    def forward(self, mel: Tensor) -> Tensor:
        """Embeddings (batch, dim) of length 1 of spectrograms (batch, n_frames, n_mels)."""
        return self.pool(self.frames(mel))


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut, halving frequency or time on the way; valid in time."""

    def __init__(self, width_in: int, width: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv2d(width_in, width, 3, stride=stride, padding=(1, 0), bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=(1, 0), bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != (1, 1) or width_in != width:
            self.shortcut = nn.Sequential(nn.Conv2d(width_in, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, mels / stride, shorter) of (batch, width_in, mels, frames)."""
        y = F.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        # Output j is centred on frame j + 1 of the first convolution: on input (j + 1) * stride + 1.
        # The slice steps, not the convolution: with few channels (under 16), channels last, the backward pass
        # of oneDNN's strided 1x1 kernel writes out of bounds.
        step_mels, step = self.stride
        first, length = step + 1, (y.shape[3] - 1) * step + 1
        return F.relu(y + self.shortcut(x[:, :, ::step_mels, first : first + length : step]))
