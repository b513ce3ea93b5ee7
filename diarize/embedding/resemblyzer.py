"""The network of the package Resemblyzer, with the weights in its wheel.

The package is not imported: `FEATURES` are its features by librosa, and its network is three LSTM layers.

References
----------
Wan et al., "Generalized end-to-end loss for speaker verification", ICASSP 2018.
"""

from __future__ import annotations

import pickle
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor, nn

from diarize.audio import Samples
from diarize.audio.features import FeatureConfig, Frames, log_mel
from diarize.embedding.catalog import RESEMBLYZER, RESEMBLYZER_DIM, RESEMBLYZER_REMEDY, find_resemblyzer
from diarize.embedding.protocol import Vectors
from diarize.errors import ModelError

FEATURES = FeatureConfig(n_fft=400, window=400, hop=160, n_mels=40, f_min=0, f_max=8000, compression="none")
FRAMES = 160
"""Frames of the network's input, in training as well: 1.6 s."""
_MARGIN = 2  # frames on each side whose 25 ms would reach beyond the samples
_LOUDNESS = 10 ** (-30 / 20)  # RMS; quieter windows are raised to it
_STEP = 77  # frames between the parts of an utterance: 1.3 parts in a second
_COVERAGE = 0.75  # share of the last part that must hold samples


class LSTM(nn.Module):
    """Mel spectrograms (batch, frames, mels) to embeddings (batch, 256) of length 1, none negative."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES.n_mels, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, RESEMBLYZER_DIM)

    def forward(self, mel: Tensor) -> Tensor:
        """The last state of the last layer, through a linear layer and ReLU, normalised to length 1."""
        _, (hidden, _) = self.lstm(mel)
        return nn.functional.normalize(self.linear(hidden[-1]).relu(), dim=1)


class ResemblyzerNetwork:
    """Resemblyzer's embeddings of the 1.6 s around the middle of each window.

    Raises
    ------
    ModelError
        If the package is not installed, or its weights are not those of version 0.1.4.
    """

    name = RESEMBLYZER
    backend = verifier = None
    dim = RESEMBLYZER_DIM
    min_samples = max_samples = (FRAMES + 2 * _MARGIN - 1) * FEATURES.hop

    def __init__(self, device: str = "cpu") -> None:
        path = find_resemblyzer()
        if path is None:
            raise ModelError(f"model {self.name}: the package is not installed; {RESEMBLYZER_REMEDY}")
        self.device, self.network = device, LSTM()
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
            self.network.load_state_dict({name: state[name] for name in self.network.state_dict()})
        except (RuntimeError, KeyError, pickle.UnpicklingError) as error:
            raise ModelError(f"{path}: not the weights of Resemblyzer 0.1.4") from error
        self.network.to(device).eval()
        self.fingerprint = sha256(path.read_bytes()).hexdigest()[:12]

    def embed(self, samples: Samples) -> Vectors:
        """The embeddings (n, 256) of windows (n, min_samples); quiet windows are raised to -30 dBFS."""
        loudness = np.sqrt(np.square(samples).mean(axis=1))
        gain = np.maximum(1, _LOUDNESS / np.maximum(loudness, 1e-10)).astype(np.float32)
        mel = np.stack([log_mel(window, FEATURES) for window in samples * gain[:, None]])
        return self._forward(mel[:, _MARGIN : _MARGIN + FRAMES])

    def utterance(self, samples: Samples) -> Vectors:
        """The embedding (256,) of samples (n_samples,): the mean over parts of 1.6 s, 1.3 in a second.

        Volume and pauses are not changed. The last part counts if samples fill at least three quarters of it.
        """
        n_frames = -(-(len(samples) + 1) // FEATURES.hop)
        starts = list(range(0, max(1, n_frames - FRAMES + _STEP + 1), _STEP))
        if len(starts) > 1 and len(samples) / FEATURES.hop - starts[-1] < _COVERAGE * FRAMES:
            starts.pop()
        needed = (starts[-1] + FRAMES) * FEATURES.hop
        mel = log_mel(np.pad(samples, (0, max(0, needed - len(samples)))), FEATURES)
        mean = self._forward(np.stack([mel[start : start + FRAMES] for start in starts])).mean(axis=0)
        return mean / np.linalg.norm(mean)

    @torch.inference_mode()
    def _forward(self, mel: Frames) -> Vectors:
        return self.network(torch.from_numpy(mel).to(self.device)).cpu().numpy()
