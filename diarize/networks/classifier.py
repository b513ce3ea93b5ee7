"""The last layer of a network that is trained to classify its training speakers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Classifier(nn.Module):
    """One logit or one cosine for each speaker, in the weights' own precision even under autocast.

    Parameters
    ----------
    dim, n_speakers : int
        Length of the input; number of training speakers.
    output : str
        "linear": logits, with a bias. "cosine": cosines between the input and each speaker's weights, for
        losses with an angular margin.
    scale : float
        Factor of the cosines before the softmax.

    Raises
    ------
    ValueError
        If `output` is unknown.
    """

    def __init__(self, dim: int, n_speakers: int, output: str = "linear", scale: float = 30.0) -> None:
        super().__init__()
        if output not in ("linear", "cosine"):
            raise ValueError(f"output is linear or cosine, got {output!r}")
        self.cosine, self.scale = output == "cosine", scale
        self.layer = nn.Linear(dim, n_speakers, bias=not self.cosine)
        glorot_uniform(self.layer)

    def forward(self, x: Tensor) -> Tensor:
        """Logits or cosines (batch, n_speakers) of inputs (batch, dim)."""
        # In bfloat16 a logit of 5 is exact to 0.02 only: too coarse for a softmax or an angle.
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.layer.weight.dtype)
            if self.cosine:
                return F.normalize(x, dim=1) @ F.normalize(self.layer.weight, dim=1).T
            return self.layer(x)

    def probabilities(self, output: Tensor) -> Tensor:
        """The softmax of the output of ``forward``; cosines are first multiplied by ``scale``."""
        return (self.scale * output if self.cosine else output).softmax(dim=1)


def glorot_uniform(layer: nn.Linear | nn.Conv2d) -> None:
    """Draw a layer's weights from Glorot's uniform distribution and clear its bias.

    References
    ----------
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010, eq. 16.
    """
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
