"""Gradients of a network in evaluation mode with respect to its input, on any device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch

_cudnn = Lock()
"""Held while cuDNN is off, because turning it off affects the whole process."""


@contextmanager
def plain_gradients() -> Iterator[None]:
    """Gradients are recorded, without cuDNN, which has no backward pass of an LSTM in evaluation mode."""
    with _cudnn, torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        yield
