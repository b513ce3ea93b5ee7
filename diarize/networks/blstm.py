"""The bidirectional LSTM of ANNPR 2018: from 0.4 seconds of speech to one of the training speakers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diarize.networks.classifier import Classifier, glorot_uniform
from diarize.networks.contract import Network, Outputs


class BLSTM(Network):
    """Training speakers from log-mel spectrograms; the last LSTM states serve as the embedding.

    Parameters
    ----------
    n_speakers : int
        Number of training speakers.
    n_mels : int
        Mel bands of the input.
    hidden : int
        Units of an LSTM in each direction.
    legacy_reshape : bool
        Read the (mels, frames) image row by row as if it were (frames, mels), as the published program did.
        A step is then a few bands over all frames, and the LSTM runs along frequency, not time.
    output, scale
        See `Classifier`.

    References
    ----------
    Stadelmann et al., "Capturing suprasegmental features of a voice with RNNs for improved speaker
    clustering", ANNPR 2018.
    """

    def __init__(
        self,
        n_speakers: int,
        n_mels: int = 128,
        hidden: int = 256,
        legacy_reshape: bool = False,
        output: str = "linear",
        scale: float = 30.0,
    ) -> None:
        super().__init__()
        self.n_mels, self.legacy_reshape = n_mels, legacy_reshape
        self.lstm1 = BidirectionalLSTM(n_mels, hidden)
        self.lstm2 = BidirectionalLSTM(2 * hidden, hidden)
        self.dense1 = nn.Linear(2 * hidden, 10 * n_speakers)
        self.dense2 = nn.Linear(10 * n_speakers, 5 * n_speakers)
        for layer in (self.dense1, self.dense2):
            glorot_uniform(layer)
        self.classifier = Classifier(5 * n_speakers, n_speakers, output, scale)

    @property
    def gives(self) -> Outputs:
        """Logits, or cosines for losses with an angular margin."""
        return "cosines" if self.classifier.cosine else "logits"

    def layers(self, mel: Tensor) -> dict[str, Tensor]:
        """The activations lstm2, dense1, dense2, output and softmax, each (batch, dim).

        lstm2 is the last states of both directions side by side; output is that of ``forward``.

        Raises
        ------
        ValueError
            If `mel` is not (batch, frames, n_mels) with at least one frame.
        """
        if mel.dim() != 3 or mel.shape[1] < 1 or mel.shape[2] != self.n_mels:
            raise ValueError(f"mel is (batch, frames, {self.n_mels}), got {tuple(mel.shape)}")
        if self.legacy_reshape:
            mel = mel.transpose(1, 2).reshape(mel.shape)
        sequence = F.dropout(self.lstm1(mel), 0.5, self.training)
        forward, backward = self.lstm2(sequence).chunk(2, dim=2)
        lstm2 = torch.cat([forward[:, -1], backward[:, 0]], dim=1)
        dense1 = self.dense1(lstm2)
        dense2 = self.dense2(F.dropout(dense1, 0.25, self.training))
        output = self.classifier(dense2)
        softmax = self.classifier.probabilities(output)
        return {"lstm2": lstm2, "dense1": dense1, "dense2": dense2, "output": output, "softmax": softmax}

    def forward(self, mel: Tensor) -> Tensor:
        """Logits or cosines (batch, n_speakers) of log-mel spectrograms (batch, frames, n_mels)."""
        return self.layers(mel)["output"]


class BidirectionalLSTM(nn.Module):
    """A Keras 2 LSTM in both directions: hard-sigmoid gates, one bias each; the forget gate's starts at 1.

    `torch.nn.LSTM` has logistic gates, two biases and another initialization, and cannot replace it.

    Parameters
    ----------
    n_inputs, hidden : int
        Features of a step; units in each direction.

    References
    ----------
    Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 1997;
    Gers et al., "Learning to forget", Neural Computation 2000 (the forget gate).
    """

    def __init__(self, n_inputs: int, hidden: int) -> None:
        super().__init__()
        # The leading 2 is the direction; the last axis holds input gate, forget gate, candidate, output gate.
        self.kernel = nn.Parameter(torch.empty(2, n_inputs, 4 * hidden))
        self.recurrent = nn.Parameter(torch.empty(2, hidden, 4 * hidden))
        self.bias = nn.Parameter(torch.zeros(2, 1, 4 * hidden))
        for kernel, recurrent in zip(self.kernel, self.recurrent, strict=True):
            nn.init.xavier_uniform_(kernel)
            nn.init.orthogonal_(recurrent)
        nn.init.ones_(self.bias[:, :, hidden : 2 * hidden])

    def forward(self, x: Tensor) -> Tensor:
        """States (batch, frames, 2 * hidden), forward beside backward, of (batch, frames, n_inputs)."""
        batch, frames, _ = x.shape
        steps = x.transpose(0, 1)  # (frames, batch, n_inputs)
        both = torch.stack([steps, steps.flip(0)])  # backward in time is forward on the flipped input
        gates = torch.baddbmm(self.bias, both.flatten(1, 2), self.kernel)
        gates = gates.unflatten(1, (frames, batch)).transpose(0, 1)  # (frames, 2, batch, 4 * hidden)
        # The cell, a sum over time, keeps the weights' own precision even under autocast.
        state = cell = self.recurrent.new_zeros(2, batch, self.recurrent.shape[1])
        states = []
        for step in gates.unbind():
            i, f, candidate, o = torch.baddbmm(step, state, self.recurrent).chunk(4, dim=2)
            cell = hard_sigmoid(f) * cell + hard_sigmoid(i) * candidate.tanh()
            state = hard_sigmoid(o) * cell.tanh()
            states.append(state)
        forward, backward = torch.stack(states, dim=2)  # (batch, frames, hidden)
        return torch.cat([forward, backward.flip(1)], dim=2)


def hard_sigmoid(x: Tensor) -> Tensor:
    """0.2 x + 0.5, clipped to 0..1: the gates of Keras 2."""
    return F.hardsigmoid(1.2 * x)  # PyTorch's is x / 6 + 0.5
