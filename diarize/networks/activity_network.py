"""A network that detects speech and overlapping speech every 20 ms.

Its convolutions are *valid* in time, like those of the embedding network: an output depends on exactly
``context`` input frames, so a recording can be processed in blocks of any size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ActivityNetwork(nn.Module):
    """Logits of speech and of overlapping speech from log-mel frames and Silero's probability.

    ::

        mel (frames, mels)   two 2-D convolutions, half the rate ----+
                                                                     +--> dilated convolutions --> 2 logits
        Silero's probability, as a logit, of the middle frame -------+

    Parameters
    ----------
    n_mels : int
        Mel bands of the input, a multiple of 4.
    channels : tuple of int
        Width of the two 2-D convolutions.
    width : int
        Width of the dilated convolutions.
    dilations : tuple of int
        Dilation of each residual block, in outputs.
    hears_silero : bool
        Whether Silero's probability of speech is an input beside the spectrogram.

    References
    ----------
    Bai et al., "An empirical evaluation of generic convolutional and recurrent networks for sequence
    modeling", arXiv 1803.01271 (dilated residual blocks; here not causal, with one convolution each).
    """

    stride = 2

    def __init__(
        self,
        n_mels: int = 64,
        channels: tuple[int, int] = (16, 32),
        width: int = 128,
        dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64),
        hears_silero: bool = True,
    ) -> None:
        super().__init__()
        if n_mels % 4:
            raise ValueError(f"n_mels is a multiple of 4, got {n_mels!r}")
        if len(channels) != 2:
            raise ValueError(f"channels are two numbers, got {channels!r}")
        narrow, wide = channels
        self.n_mels, self.hears_silero = n_mels, hears_silero
        self.input_norm = nn.BatchNorm1d(n_mels)
        self.first = nn.Conv2d(1, narrow, 3, stride=2, padding=(1, 0), bias=False)
        self.first_norm = nn.BatchNorm2d(narrow)
        self.second = nn.Conv2d(narrow, wide, 3, stride=(2, 1), padding=(1, 0), bias=False)
        self.second_norm = nn.BatchNorm2d(wide)
        self.entry = nn.Conv1d(wide * n_mels // 4 + hears_silero, width, 1)
        self.blocks = nn.ModuleList(Block(width, dilation) for dilation in dilations)
        self.outputs = nn.Conv1d(width, 2, 1)
        # Input frames: 3 for the first convolution, 4 more for the second, 4 for each unit of dilation.
        self.context = 7 + 4 * sum(dilations)

    def forward(self, mel: Tensor, silero: Tensor) -> Tensor:
        """Logits (batch, n_outputs, 2) of mel (batch, n_frames, n_mels) and silero (batch, n_frames).

        n_outputs = (n_frames - context) // 2 + 1; output j depends on the `context` frames from 2 j on.
        """
        x = self.input_norm(mel.transpose(1, 2)).unsqueeze(1)  # (batch, 1, mels, frames)
        x = F.relu(self.first_norm(self.first(x)))
        x = F.relu(self.second_norm(self.second(x))).flatten(1, 2)  # (batch, features, frames / 2)
        if self.hears_silero:
            # Output j of the two convolutions is centred on frame 2 j + 3.
            heard = torch.logit(silero[:, 3 : 3 + 2 * x.shape[2] : 2], eps=1e-3) / 4
            x = torch.cat([x, heard.unsqueeze(1).to(x.dtype)], dim=1)
        x = F.relu(self.entry(x))
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.outputs(x).transpose(1, 2)
        return logits


class Block(nn.Module):
    """A dilated convolution of three taps over time and a shortcut; 2 * dilation outputs shorter."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.convolution = nn.Conv1d(width, width, 3, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, shorter) of (batch, width, n)."""
        return x[:, :, self.dilation : -self.dilation] + F.relu(self.norm(self.convolution(x)))
