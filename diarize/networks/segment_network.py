"""Networks of fixed segments, such as CNN and BLSTM, run over a whole recording."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from diarize.errors import ConfigError
from diarize.networks.contract import Network
from diarize.networks.frame_network import FrameNetwork


class SegmentNetwork(FrameNetwork):
    """Speaker embeddings from a layer of a network: its mean over the segments of a window, of length 1.

    ::

        frames      .....[==== segment ====].....
                    ..........[==== segment ====]    `hop` frames later
        features         one of the layer for each segment, at its middle

    Parameters
    ----------
    network : Network
        Takes segments (batch, n_frames, n_mels) of log-mel spectrograms.
    n_mels : int
        Mel bands of the input.
    n_frames : int
        Input frames of a segment.
    hop : int
        Input frames from one segment to the next.
    layer : str
        One of the activations that ``network.layers`` names.

    Raises
    ------
    ConfigError
        If the network names no such layer, or takes other segments.

    References
    ----------
    Lukic et al., "Learning embeddings for speaker clustering based on voice equality", MLSP 2017 (the mean).
    """

    def __init__(self, network: Network, n_mels: int, n_frames: int, hop: int, layer: str = "output") -> None:
        super().__init__()
        if network.n_frames not in (None, n_frames):
            raise ConfigError(f"segments have {n_frames} frames, the network takes {network.n_frames}")
        self.network, self.layer = network, layer
        self.widen(n_frames, hop)
        device = next(network.parameters()).device
        with torch.inference_mode():
            self.dim = self._activations(torch.zeros(1, n_frames, n_mels, device=device)).shape[1]

    def frames(self, mel: Tensor) -> Tensor:
        """The layer's activations (batch, n_segments, dim) of spectrograms (batch, n_frames, n_mels)."""
        segments = mel.unfold(1, self.context, self.stride).transpose(2, 3)  # (batch, n, context, n_mels)
        return self._activations(segments.flatten(0, 1)).unflatten(0, segments.shape[:2])

    def attention(self, features: Tensor) -> Tensor:  # type: ignore[override]
        """The same weight for each segment: zeros (..., n_segments, 1)."""
        return features.new_zeros(*features.shape[:-1], 1)

    def _embed(self, mean: Tensor, square: Tensor) -> Tensor:
        return F.normalize(mean, dim=1)

    def _activations(self, segments: Tensor) -> Tensor:
        named = self.network.layers(segments)
        if self.layer not in named:
            raise ConfigError(f"the network has no layer '{self.layer}'; known: {', '.join(named)}")
        return named[self.layer]
