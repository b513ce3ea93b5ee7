"""Silero's network, with the weights that the wheel of silero-vad holds in an ONNX file.

In torch, it takes a third of the time that onnxruntime takes for that file.

References
----------
Silero Team, "Silero VAD: pre-trained enterprise-grade voice activity detector", 2024,
https://github.com/snakers4/silero-vad.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diarize.errors import ModelError
from diarize.machine.onnx_files import read_graph

N_INPUTS = 576
"""Samples at 16 kHz of a frame: 64 before it, and its own 512."""

State = tuple[Tensor, Tensor]
"""The hidden state and the cell of the LSTM, (1, 128) each."""

_WIDTH = 128
_BINS = 129


class SileroNetwork(nn.Module):
    """The probability of speech in consecutive frames of 32 ms.

    ::

        576 samples --reflected at the end--> 640 --4 spectra--> 129 magnitudes --4 convolutions--> 128
        128 features of each frame --LSTM over the frames--> 128 --> probability
    """

    def __init__(self) -> None:
        super().__init__()
        self.spectra = nn.Conv1d(1, 2 * _BINS, 256, stride=128, bias=False)  # real parts, then imaginary ones
        self.encoder = nn.ModuleList(
            nn.Conv1d(n_inputs, n_outputs, 3, stride=stride, padding=1)
            for n_inputs, n_outputs, stride in ((_BINS, 128, 1), (128, 64, 2), (64, 64, 2), (64, _WIDTH, 1))
        )
        self.lstm = nn.LSTM(_WIDTH, _WIDTH)
        self.output = nn.Linear(_WIDTH, 1)

    def forward(self, frames: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Probabilities (n_frames,) of frames (n_frames, 576), and the state after them.

        `state` is the one after the frames before; by default, that of a beginning.
        """
        spectra = self.spectra(F.pad(frames.unsqueeze(1), (0, 64), "reflect"))  # (n_frames, 258, 4)
        x = (spectra[:, :_BINS].square() + spectra[:, _BINS:].square()).sqrt()
        for convolution in self.encoder:
            x = convolution(x).relu()
        x, state = self.lstm(x.squeeze(2), state)
        return self.output(x.relu()).sigmoid().squeeze(1), state


def load_silero(path: Path) -> SileroNetwork:
    """The network in evaluation mode, with the weights of ``silero_vad_16k_sequence.onnx``.

    Raises
    ------
    ModelError
        If the file cannot be read, or holds another network.
    """
    network = SileroNetwork()
    try:
        tensors, nodes = read_graph(path)
        (lstm,) = (inputs for operator, inputs in nodes if operator == "LSTM")
        names = {
            "spectra.weight": "stft.forward_basis_buffer",
            **{f"encoder.{i}.{kind}": f"encoder.{i}.{kind}" for i in range(4) for kind in ("weight", "bias")},
            "output.weight": "output.weight",
            "output.bias": "output.bias",
        }
        state = {name: torch.from_numpy(tensors[in_file]) for name, in_file in names.items()}
        state["output.weight"] = state["output.weight"].squeeze(2)
        inputs, hidden, biases = (torch.from_numpy(tensors[name])[0] for name in lstm[1:4])
        state["lstm.weight_ih_l0"], state["lstm.weight_hh_l0"] = _gates(inputs), _gates(hidden)
        state["lstm.bias_ih_l0"], state["lstm.bias_hh_l0"] = map(_gates, biases.chunk(2))
        network.load_state_dict(state)
    except (OSError, ValueError, KeyError, IndexError, RuntimeError) as error:
        raise ModelError(
            f"{path}: not the weights of silero-vad 6.2.3; pip install silero-vad==6.2.3"
        ) from error
    return network.eval()


def _gates(rows: Tensor) -> Tensor:
    """The rows of an LSTM's gates in the order of torch: ONNX has input, output, forget, cell."""
    i, o, f, c = rows.chunk(4)
    return torch.cat([i, f, c, o])
