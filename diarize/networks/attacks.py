"""Adversarial inputs: small changes of an input that change the output of a network most.

The input is anything that the objective can be differentiated by: log-mel spectrograms or samples.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from diarize.networks.gradients import plain_gradients

Objective = Callable[[Tensor], Tensor]
"""Of inputs (batch, ...), a number for each (batch,), which the attack makes as large as it can."""


def fgsm(objective: Objective, x: Tensor, size: float) -> Tensor:
    """Inputs (batch, ...) that differ from `x` by `size` everywhere: one step along the gradient's sign.

    Where the gradient is 0, nothing changes.

    References
    ----------
    Goodfellow, Shlens, Szegedy: Explaining and harnessing adversarial examples, ICLR 2015.
    """
    return x + size * _gradient(objective, x).sign()


def pgd(
    objective: Objective, x: Tensor, size: float, n_steps: int = 10, generator: torch.Generator | None = None
) -> Tensor:
    """Inputs (batch, ...) that differ from `x` by at most `size`: many short steps from a random start.

    Each step goes along the gradient's sign and back into the cube of half-width `size` around `x`. A step is
    2.5 size / n_steps long, so the steps can reach the cube's border from anywhere inside it.

    References
    ----------
    Madry, Makelov, Schmidt, Tsipras, Vladu: Towards deep learning models resistant to adversarial attacks,
    ICLR 2018.
    """
    noise = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    change = size * (2 * noise - 1)
    for _ in range(n_steps):
        change = change + 2.5 * size / n_steps * _gradient(objective, x + change).sign()
        change = change.clamp(-size, size)
    return x + change


def away_from(network: Callable[[Tensor], Tensor], target: Tensor) -> Objective:
    """The objective of an attack that hides a speaker: 1 - cosine to the embeddings `target` (batch, dim)."""
    return lambda x: 1 - F.cosine_similarity(network(x), target)


def towards(network: Callable[[Tensor], Tensor], target: Tensor) -> Objective:
    """The objective of an attack that imitates a speaker: the cosine to embeddings `target` (batch, dim)."""
    return lambda x: F.cosine_similarity(network(x), target)


def _gradient(objective: Objective, x: Tensor) -> Tensor:
    with plain_gradients():
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(objective(x).sum(), x)
    return gradient
