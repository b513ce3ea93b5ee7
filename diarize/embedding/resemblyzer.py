"""The network of the package Resemblyzer, whose weights come in its wheel.

That package is not imported: its features by librosa are those of `FEATURES`, its network is three layers.

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
"""What the network was trained on and takes: 1.6 s."""
_MARGIN = 2  # frames on each side whose 25 ms would reach over the samples' ends
_LOUDNESS = 10 ** (-30 / 20)  # RMS; quieter windows are raised to it
_STEP = 77  # frames between the parts of an utterance: 1.3 a second
_COVERAGE = 0.75  # of the last part, that it counts


class LSTM(nn.Module):
    """Mel spectrograms (batch, frames, mels) to vectors (batch, 256) of length 1, nowhere negative."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES.n_mels, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, RESEMBLYZER_DIM)

    def forward(self, mel: Tensor) -> Tensor:
        """The last layer's last state, through a layer and ReLU, of length 1."""
        _, (hidden, _) = self.lstm(mel)
        return nn.functional.normalize(self.linear(hidden[-1]).relu(), dim=1)


class ResemblyzerNetwork:
    """Resemblyzer's vectors of the 1.6 s around each window's middle, at the window's own volume.

    Raises
    ------
    ModelError
        When the package is not installed, or its weights are others.
    """

    name = RESEMBLYZER
    backend = None
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
        """Vectors (n, 256) of length 1 of windows (n, min_samples); quiet ones are raised to -30 dBFS."""
        loudness = np.sqrt(np.square(samples).mean(axis=1))
        gain = np.maximum(1, _LOUDNESS / np.maximum(loudness, 1e-10)).astype(np.float32)
        mel = np.stack([log_mel(window, FEATURES) for window in samples * gain[:, None]])
        return self._forward(mel[:, _MARGIN : _MARGIN + FRAMES])

    def utterance(self, samples: Samples) -> Vectors:
        """One vector (256,) of length 1 of samples (n_samples,): the mean over parts of 1.6 s, 1.3 a second.

        Volume and pauses are left as they are; a last part counts when it is filled to three quarters.
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
