"""What a network responds to in its input, and how disordered this response is.

The response to natural input is concentrated on structures such as harmonics. An adversarial change is spread
over the whole input, and so is the response, which the local entropy measures.

References
----------
Amirian, Schwenker, Stadelmann: Trace and detect adversarial attacks on CNNs using feature response maps,
ANNPR 2018.
Springenberg, Dosovitskiy, Brox, Riedmiller: Striving for simplicity: the all convolutional net, ICLR workshop
2015 (guided backpropagation).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from diarize.networks.contract import layer_output
from diarize.networks.gradients import plain_gradients

N_LEVELS = 16
"""Levels of a response that the entropy distinguishes."""


def feature_response(network: nn.Module, mel: Tensor, layer: str | None = None) -> Tensor:
    """The feature response (batch, frames, mels) of a network to log-mel spectrograms (batch, frames, mels).

    The squared output, or that of `layer`, is sent back to the input by guided backpropagation: a ReLU passes
    only positive gradients. Networks without a ReLU have the plain gradient.

    Raises
    ------
    ConfigError
        If the network has no such layer.
    ValueError
        If the network is in training mode, because its output is then random.
    """
    if network.training:
        raise ValueError("the network is in training mode; call network.eval() first")
    with plain_gradients(), _GuidedReLU():
        x = mel.detach().requires_grad_()
        (response,) = torch.autograd.grad(layer_output(network, layer, x).square().sum() / 2, x)
    return response


def local_entropy(maps: Tensor, size: int = 9) -> Tensor:
    """The average local spatial entropy (batch,) in bits of maps (batch, height, width).

    The magnitude of each map, relative to its largest, has `N_LEVELS` levels; the entropy of the levels in
    each square of `size` x `size` is averaged over the map.

    Raises
    ------
    ValueError
        If the maps are smaller than a square.
    """
    if min(maps.shape[1:]) < size:
        raise ValueError(f"maps are {size} x {size} or larger, got {tuple(maps.shape)}")
    magnitude = maps.abs()
    largest = magnitude.amax(dim=(1, 2), keepdim=True).clamp_min(1e-30)
    levels = (magnitude / largest * N_LEVELS).long().clamp_max(N_LEVELS - 1)
    entropy: Tensor | float = 0.0
    for level in range(N_LEVELS):
        share = F.avg_pool2d((levels == level).float().unsqueeze(1), size, stride=1)[:, 0]
        entropy = entropy - torch.special.xlogy(share, share)
    assert isinstance(entropy, Tensor)
    return entropy.mean(dim=(1, 2)) / torch.log(torch.tensor(2.0))


class _GuidedReLU(TorchFunctionMode):
    """Makes every ReLU pass only positive gradients."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in (F.relu, torch.relu, Tensor.relu):
            return _PositiveGradients.apply(args[0])
        return func(*args, **(kwargs or {}))


class _PositiveGradients(torch.autograd.Function):
    """A ReLU whose backward pass is a ReLU as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp_min(0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradients[0].clamp_min(0) * (x > 0)
