"""The gradient of a network's output with respect to its input."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from diarize.audio.features import Frames
from diarize.networks.contract import layer_output
from diarize.networks.gradients import plain_gradients


def saliency(network: nn.Module, mel: Frames, unit: int | None = None, layer: str | None = None) -> Frames:
    """The gradient (frames, mels) of one output of a network with respect to its input mel (frames, mels).

    The output is number `unit` of ``network(mel)``, or of a named layer of ``network.layers(mel)``; without
    `unit`, the largest one. If the magnitude of the gradient is large, a small change of the input there
    changes the output most.

    Raises
    ------
    ValueError
        If the network is in training mode, because its output is then random, or has no such unit.

    References
    ----------
    Simonyan, Vedaldi, Zisserman: Deep inside convolutional networks: visualising image classification models
    and saliency maps, ICLR workshop 2014.
    """
    if network.training:
        raise ValueError("the network is in training mode; call network.eval() first")
    device = next(network.parameters()).device
    with plain_gradients():
        x = torch.from_numpy(np.array(mel, dtype=np.float32)).to(device).requires_grad_()
        batch = x.unsqueeze(0)  # (1, frames, mels)
        outputs = layer_output(network, layer, batch)[0]
        number = int(outputs.argmax()) if unit is None else unit
        if not 0 <= number < len(outputs):
            raise ValueError(f"the outputs are 0 to {len(outputs) - 1}, got {unit!r}")
        (gradient,) = torch.autograd.grad(outputs[number], x)
    return gradient.cpu().numpy()
