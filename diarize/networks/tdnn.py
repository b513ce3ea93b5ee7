"""A time-delay network: convolutions over time alone, dense or separable, whose outputs are all pooled."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diarize.networks.frame_network import FrameNetwork

STEM_KERNEL = 5  # frames that the first convolution covers; it moves by two


class TDNN(FrameNetwork):
    """Speaker embeddings from log-mel spectrograms, by dilated convolutions over time.

    From ECAPA-TDNN it takes the residual blocks, the aggregation of all blocks' outputs before the pooling
    and the attentive statistics. It omits the squeeze and excitation, which needs the whole recording.

    Parameters
    ----------
    n_mels : int
        Mel bands of the input.
    channels : int
        Width of the blocks.
    dilations : sequence of int
        One block for each, with a kernel of three taps that lie this many frames of 20 ms apart.
    separable : bool
        Each block convolves each channel by itself, then across the channels of a frame.
    n_features : int
        Features of an output frame, after the aggregation.
    heads : int
        Groups of features, each with one attention weight for each frame; divides n_features.
    dim : int
        Length of an embedding.

    Raises
    ------
    ValueError
        If `heads` does not divide `n_features`, or there is no dilation.

    References
    ----------
    Desplanques et al., "ECAPA-TDNN: Emphasized channel attention, propagation and aggregation in TDNN based
    speaker verification", Interspeech 2020;
    Howard et al., "MobileNets: Efficient convolutional neural networks for mobile vision applications", 2017
    (the separable convolutions).
    """

    def __init__(
        self,
        n_mels: int = 64,
        channels: int = 256,
        dilations: Sequence[int] = (1, 2, 3, 4),
        separable: bool = False,
        n_features: int = 768,
        heads: int = 8,
        dim: int = 256,
    ) -> None:
        if not dilations:
            raise ValueError("dilations needs one or more numbers, got none")
        super().__init__()
        self.stem = nn.Conv1d(n_mels, channels, STEM_KERNEL, stride=2, bias=False)
        self.stem_norm = nn.BatchNorm1d(channels)
        self.blocks = nn.ModuleList(Block(channels, dilation, separable) for dilation in dilations)
        self.aggregate = nn.Conv1d(channels * len(dilations), n_features, 1)
        self.widen(STEM_KERNEL, 2)
        for dilation in dilations:
            self.widen(3, dilation=dilation)
        self.add_pooling(n_features, heads, dim)

    def frames(self, mel: Tensor) -> Tensor:
        """Frame-level features (batch, n_outputs, n_features) of spectrograms (batch, n_frames, n_mels)."""
        x = F.relu(self.stem_norm(self.stem(mel.transpose(1, 2))))  # (batch, channels, frames)
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        # Each block drops as many frames at the start as at the end, so the middle frames are aligned.
        cut = [y.narrow(2, (y.shape[2] - x.shape[2]) // 2, x.shape[2]) for y in outputs]
        return F.relu(self.aggregate(torch.cat(cut, dim=1))).transpose(1, 2)


class Block(nn.Module):
    """A dilated convolution of three taps, one over the channels, and a shortcut; valid in time."""

    def __init__(self, channels: int, dilation: int, separable: bool) -> None:
        super().__init__()
        self.dilation = dilation
        groups = channels if separable else 1
        self.time = nn.Conv1d(channels, channels, 3, dilation=dilation, groups=groups, bias=False)
        self.time_norm = nn.BatchNorm1d(channels)
        self.mix = nn.Conv1d(channels, channels, 1, bias=False)
        self.mix_norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, frames - 2 dilation) of (batch, channels, frames)."""
        y = F.relu(self.time_norm(self.time(x)))
        y = self.mix_norm(self.mix(y))
        return F.relu(y + x[:, :, self.dilation : -self.dilation])
