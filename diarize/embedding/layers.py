"""The output of any layer of a network of this project, for windows one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from diarize.audio import SAMPLE_RATE, Samples
from diarize.audio.features import log_mel
from diarize.embedding.models import Model
from diarize.embedding.protocol import Encoder, Vectors
from diarize.embedding.running import RunningEncoder
from diarize.embedding.separate import SeparateEncoder
from diarize.errors import ConfigError
from diarize.networks.contract import layer_output
from diarize.networks.frame_network import FrameNetwork


def layer_encoder(model: Model, layer: str, device: str) -> Encoder:
    """An encoder whose embeddings are the output of a layer, of length 1.

    Raises
    ------
    ConfigError
        If the network has no such layer, or its output has another shape.
    """
    if isinstance(model.network, FrameNetwork):
        return SeparateEncoder(LayerNetwork(model, layer, device))
    if model.segments is None:  # the error of the encoder says what is missing
        return RunningEncoder(model, device)
    return RunningEncoder(replace(model, segments=model.segments.model_copy(update={"layer": layer})), device)


class LayerNetwork:
    """The output of a layer for windows: (n, dim), or the mean over time and frequency of (n, dim, ., .)."""

    max_samples = 60 * SAMPLE_RATE
    backend = verifier = None
    """The back end and the law of scores of the embeddings do not fit other layers."""

    def __init__(self, model: Model, layer: str, device: str) -> None:
        self.network, self.features, self.layer, self.device = model.network, model.features, layer, device
        self.name, self.fingerprint = f"{model.name}:{layer}", model.fingerprint
        self.min_samples = round(self.network.context / model.features.frame_rate * SAMPLE_RATE)
        self.dim = self.embed(np.zeros((1, self.min_samples), np.float32)).shape[1]

    @torch.inference_mode()
    def embed(self, samples: Samples) -> Vectors:
        """The outputs (n, dim), of length 1, of windows (n, n_samples).

        Raises
        ------
        ConfigError
            If the network has no such layer, or its output has another shape.
        """
        mel = np.stack([log_mel(window, self.features) for window in samples])  # (n, n_frames, n_mels)
        found = layer_output(self.network, self.layer, torch.from_numpy(mel).to(self.device))
        if found.ndim == 4:
            found = found.mean(dim=(2, 3))
        if found.ndim != 2 or len(found) != len(samples):
            shape = ", ".join(map(str, found.shape[1:]))
            raise ConfigError(f"layer '{self.layer}' gives (n, {shape}), not one row for each window")
        vectors: Vectors = found.cpu().numpy()
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
