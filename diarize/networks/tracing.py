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

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from diarize.networks.gradients import plain_gradients

N_LEVELS = 16
"""Levels of a response that the entropy distinguishes."""


def feature_response(activations: Callable[[Tensor], Tensor], mel: Tensor) -> Tensor:
    """The feature response (batch, frames, mels) to log-mel spectrograms (batch, frames, mels).

    Half the square of the activations, those of a network's layer, is sent back to the input by guided
    backpropagation: a ReLU passes only positive gradients. A network without a ReLU has the plain gradient.

    Examples
    --------
    >>> import torch
    >>> from diarize.embedding.models import load_model
    >>> feature_response(load_model().network.frames, torch.zeros(1, 100, 64)).shape
    torch.Size([1, 100, 64])
    """
    with plain_gradients(), _GuidedReLU():
        x = mel.detach().requires_grad_()
        (response,) = torch.autograd.grad(activations(x).square().sum() / 2, x)
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
        is_level = (levels == level).float().unsqueeze(1)
        share = F.avg_pool2d(F.avg_pool2d(is_level, (size, 1), stride=1), (1, size), stride=1)
        entropy = entropy - torch.special.xlogy(share, share)
    assert isinstance(entropy, Tensor)
    return entropy.mean(dim=(1, 2, 3)) / math.log(2)


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
            return _PositiveGradients.apply(args[0])  # type: ignore[no-untyped-call]
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
