"""A network that hears a window of seconds and says which of its speakers talk, frame by frame.

The speakers of a window are *local*: their order says nothing about other windows. A frame belongs to one
class of the powerset: nobody, one speaker, or several at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from diarize.errors import ConfigError
from diarize.networks import make_network
from diarize.networks.resnet import ResNet

EVERY = 5
"""Outputs from one embedding to the next in a `FrameLocalNetwork`."""


def powerset(n_local: int, n_together: int) -> tuple[tuple[int, ...], ...]:
    """The classes: all sets of at most `n_together` of `n_local` speakers, the smaller ones first.

    References
    ----------
    Plaquet and Bredin, "Powerset multi-class cross entropy loss for neural speaker diarization",
    Interspeech 2023.
    """
    return tuple(each for size in range(n_together + 1) for each in combinations(range(n_local), size))


def members_of(classes: Sequence[Sequence[int]], n_local: int) -> NDArray[np.bool_]:
    """Whether each local speaker is in a class, (n_classes, n_local)."""
    return np.array([[k in each for k in range(n_local)] for each in classes])


class LocalNetwork(nn.Module):
    """Log-probabilities of the powerset classes every 40 ms from log-mel frames every 10 ms.

    ::

        mel --2 convolutions over time and mels--> --2 over time--> LSTM layers, both ways --> classes

    Parameters
    ----------
    n_mels : int
        Mel bands of the input, a multiple of 4.
    channels : tuple of int
        Width of the two convolutions over time and mels.
    width : int
        Width of the convolutions over time.
    hidden : int
        Units of an LSTM layer in each direction.
    n_layers : int
        Number of LSTM layers.
    n_local : int
        Speakers that are distinguished in a window.
    n_together : int
        Speakers that talk at the same time, at most.

    References
    ----------
    Bredin, "pyannote.audio 2.1 speaker diarization pipeline: principle, benchmark, and recipe",
    Interspeech 2023 (LSTM layers over windows).
    """

    def __init__(
        self,
        n_mels: int = 64,
        channels: tuple[int, int] = (8, 16),
        width: int = 128,
        hidden: int = 64,
        n_layers: int = 2,
        n_local: int = 4,
        n_together: int = 3,
    ) -> None:
        super().__init__()
        if n_mels % 4:
            raise ValueError(f"n_mels is a multiple of 4, got {n_mels!r}")
        if len(channels) != 2:
            raise ValueError(f"channels are two numbers, got {channels!r}")
        narrow, wide = channels
        self.n_mels, self.n_local = n_mels, n_local
        self.classes = powerset(n_local, n_together)
        self.input_norm = nn.BatchNorm1d(n_mels)
        self.first = nn.Conv2d(1, narrow, 3, stride=2, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(narrow)
        self.second = nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(wide)
        self.entry = nn.Conv1d(wide * n_mels // 4, width, 1, bias=False)
        self.entry_norm = nn.BatchNorm1d(width)
        self.third = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.third_norm = nn.BatchNorm1d(width)
        self.lstm = nn.LSTM(width, hidden, n_layers, batch_first=True, bidirectional=True)
        self.hidden = nn.Linear(2 * hidden, width)
        self.outputs = nn.Linear(width, len(self.classes))

    def forward(self, mel: Tensor) -> Tensor:
        """Log-probabilities (batch, n_frames / 4, n_classes) of mel (batch, n_frames, n_mels)."""
        x = self.input_norm(mel.transpose(1, 2)).transpose(1, 2).unsqueeze(1)  # (batch, 1, frames, mels)
        x = F.relu(self.first_norm(self.first(x)))
        x = F.relu(self.second_norm(self.second(x)))  # (batch, wide, frames / 4, mels / 4)
        x = x.permute(0, 1, 3, 2).flatten(1, 2)
        x = F.relu(self.entry_norm(self.entry(x)))
        x = x + F.relu(self.third_norm(self.third(x)))
        x = x.transpose(1, 2)  # (batch, outputs, width)
        x, _ = self.lstm(x)
        return F.log_softmax(self.outputs(F.relu(self.hidden(x))), dim=-1)


class FrameLocalNetwork(nn.Module):
    """Log-probabilities of the powerset classes every 40 ms from what an embedding network computes.

    The embedding network, the *trunk*, is trained before and does not change. It runs once over a recording,
    and gives the features of each frame and the embeddings of the seconds around it; only the layers after it
    run for each window::

        mel --trunk--> features every 40 ms --principal components--+
                 |                                                  +--> linear layer --> attention layers -->
                 +---> embeddings of the spans around --whitened----+    LSTM layers, both ways --> classes

    Parameters
    ----------
    n_mels, trunk_channels, trunk_dim : int, tuple of int, int
        Of the trunk, a `ResNet`, whose embeddings have `trunk_dim` dimensions.
    n_components : int
        Principal components of the trunk's features, each scaled to a variance of 1.
    spans : tuple of int
        Frames of the embeddings, odd numbers.
    n_voice : int
        Dimensions of an embedding after the projection of its back end.
    width : int
        Width of the linear and the attention layers.
    n_attention, heads : int
        Number of attention layers, and of heads in each.
    hidden, n_layers : int
        Units of an LSTM layer in each direction, and number of layers.
    n_local, n_together : int
        Speakers that are distinguished in a window, and that talk at the same time, at most.
    dropout : float
        Share of the values after the linear layers that training sets to zero.

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017 (the attention layers; without positions).
    """

    mean: Tensor
    components: Tensor
    voice_mean: Tensor
    projection: Tensor

    def __init__(
        self,
        n_mels: int = 64,
        trunk_channels: tuple[int, int, int] = (32, 64, 128),
        trunk_dim: int = 192,
        n_components: int = 128,
        spans: tuple[int, ...] = (15, 37),
        n_voice: int = 64,
        width: int = 128,
        n_attention: int = 0,
        heads: int = 4,
        hidden: int = 64,
        n_layers: int = 2,
        n_local: int = 4,
        n_together: int = 3,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if not spans or any(span % 2 == 0 for span in spans):
            raise ValueError(f"spans are odd numbers, one or more, got {spans!r}")
        if width % heads:
            raise ValueError(f"heads divide the width {width}, got {heads!r}")
        self.n_mels, self.n_local, self.spans, self.n_components = n_mels, n_local, spans, n_components
        self.classes = powerset(n_local, n_together)
        self.n_inputs = n_components + len(spans) * n_voice
        self.entry = nn.Linear(self.n_inputs + len(spans) * n_voice, width)
        self.attention = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 2 * width, dropout, batch_first=True, norm_first=True)
            for _ in range(n_attention)
        )
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(width, hidden, n_layers, batch_first=True, bidirectional=True)
        self.hidden = nn.Linear(2 * hidden, width)
        self.outputs = nn.Linear(width, len(self.classes))
        self.trunk = ResNet(n_mels, trunk_channels, dim=trunk_dim).requires_grad_(False)
        self.context = self.trunk.context + (max(spans) - 1) * self.trunk.stride
        self.register_buffer("mean", torch.zeros(self.trunk.n_features))
        self.register_buffer("components", torch.zeros(self.trunk.n_features, n_components))
        self.register_buffer("voice_mean", torch.zeros(trunk_dim))
        self.register_buffer("projection", torch.zeros(trunk_dim, n_voice))

    def frames(self, mel: Tensor) -> Tensor:
        """What the trunk says (batch, n_outputs, n_inputs) of mel (batch, n_frames, n_mels).

        n_outputs = (n_frames - context) // trunk.stride + 1. An embedding is that of the middle one of five
        outputs.
        """
        self.trunk.eval()  # its normalization does not change
        features = self.trunk.frames(mel)
        border = max(self.spans) // 2
        n_outputs = features.shape[1] - 2 * border
        inner = features[:, border : border + n_outputs]
        found = [(inner - self.mean) @ self.components]
        outputs = torch.arange(n_outputs, device=features.device)
        middles = (outputs[::EVERY] + EVERY // 2).clamp_max(n_outputs - 1) + border
        for span in self.spans:
            voices = self.trunk.pool_around(features, span, middles - span // 2)
            found.append(((voices - self.voice_mean) @ self.projection)[:, outputs // EVERY])
        return torch.cat(found, dim=2)

    def forward(self, frames: Tensor) -> Tensor:
        """Log-probabilities (batch, n_outputs, n_classes) of frames (batch, n_outputs, n_inputs)."""
        voices = frames[:, :, self.n_components :]
        x = torch.cat([frames, voices - voices.mean(dim=1, keepdim=True)], dim=2)
        x = self.dropout(F.relu(self.entry(x)))
        for layer in self.attention:
            x = layer(x)
        x, _ = self.lstm(x)
        return F.log_softmax(self.outputs(self.dropout(F.relu(self.hidden(x)))), dim=-1)


def principal_components(features: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The mean (n_features,) and the first `n` components (n_features, n) of features (n_frames, n_features).

    Features less the mean, times the components, have a variance of 1 each.
    """
    mean = features.mean(dim=0)
    variances, directions = torch.linalg.eigh(torch.cov((features - mean).T.double()))
    best = variances.argsort(descending=True)[:n]
    return mean, (directions[:, best] / variances[best].sqrt()).float()


FAMILIES: dict[str, type[LocalNetwork] | type[FrameLocalNetwork]] = {
    "mel": LocalNetwork,
    "frames": FrameLocalNetwork,
}
"""The networks by the name of their family in [network]."""


def make_local_network(name: str, settings: Mapping[str, Any]) -> LocalNetwork | FrameLocalNetwork:
    """The network of a [network] table with fresh weights; error messages begin with `name`.

    Raises
    ------
    ConfigError
        If the family or a parameter is unknown, or a value is impossible.
    """
    parameters = dict(settings)
    family = parameters.pop("family", "mel")
    if family not in FAMILIES:
        raise ConfigError(f"{name}: no family '{family}'; known: {', '.join(FAMILIES)}")
    network: LocalNetwork | FrameLocalNetwork = make_network(FAMILIES[family], name, parameters)
    return network
