"""A small two-dimensional ResNet over log-mel frames; the network of the bundled model."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from diarize.networks.frame_network import FrameNetwork


class ResNet(FrameNetwork):
    """Speaker embeddings from log-mel spectrograms, by convolutions over time and frequency.

    Parameters
    ----------
    n_mels : int
        Mel bands of the input, a multiple of 8.
    channels : tuple of int
        Width of the three stages. The stem halves frequency and time, the second stage halves both again,
        the third halves frequency alone.
    blocks : tuple of int
        Residual blocks of the three stages.
    heads : int
        Groups of features, each with one attention weight for each frame; divides channels[2] * n_mels / 8.
    dim : int
        Length of an embedding.

    Raises
    ------
    ValueError
        If the numbers do not fit together.

    References
    ----------
    He et al., "Deep residual learning for image recognition", CVPR 2016 (the blocks).
    """

    def __init__(
        self,
        n_mels: int = 64,
        channels: tuple[int, int, int] = (32, 64, 128),
        blocks: tuple[int, int, int] = (1, 1, 1),
        heads: int = 8,
        dim: int = 256,
    ) -> None:
        if len(channels) != 3:
            raise ValueError(f"channels are three numbers, got {channels!r}")
        if len(blocks) != 3:
            raise ValueError(f"blocks are three numbers, got {blocks!r}")
        narrow, _, wide = channels
        if n_mels % 8:
            raise ValueError(f"n_mels is a multiple of 8, got {n_mels!r}")
        super().__init__()
        self.stem = nn.Conv2d(1, narrow, 3, stride=2, padding=(1, 0), bias=False)
        self.stem_norm = nn.BatchNorm2d(narrow)
        self.blocks = nn.Sequential()
        self.widen(3, 2)
        width_in = narrow
        for width, number, stride in zip(channels, blocks, ((1, 1), (2, 2), (2, 1)), strict=True):
            for step in [stride, *[(1, 1)] * (number - 1)]:
                self.blocks.append(Block(width_in, width, step))
                self.widen(3, step[1])
                self.widen(3)
                width_in = width
        self.add_pooling(wide * n_mels // 8, heads, dim)

    def frames(self, mel: Tensor) -> Tensor:
        """Frame-level features (batch, n_outputs, n_features) of spectrograms (batch, n_frames, n_mels)."""
        x = mel.transpose(1, 2).unsqueeze(1)  # (batch, 1, mels, frames)
        x = self.blocks(F.relu(self.stem_norm(self.stem(x))))
        return x.flatten(1, 2).transpose(1, 2)  # (batch, frames, features)


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut, which may halve frequency or time; valid in time."""

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
        # The slice has the step, not the convolution: with few channels (under 16), channels last, the
        # backward pass of oneDNN's strided 1x1 kernel writes out of bounds.
        step_mels, step = self.stride
        first, length = step + 1, (y.shape[3] - 1) * step + 1
        return F.relu(y + self.shortcut(x[:, :, ::step_mels, first : first + length : step]))
