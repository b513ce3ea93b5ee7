"""What every embedding network promises, and what it gives at any of its layers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

from torch import Tensor, nn

from diarize.errors import ConfigError

Outputs = Literal["embeddings", "logits", "cosines"]


class Network(nn.Module, ABC):
    """Log-mel spectrograms (batch, n_frames, n_mels) to outputs (batch, dim).

    Attributes
    ----------
    context, stride : int
        Input frames that an output frame sees, and from one to the next. Where a network has no output
        frames, both are 1, and a segment of n frames takes n frames of input.
    n_frames : int or None
        Input frames of a segment, where the network takes no other number.
    """

    context: int = 1
    stride: int = 1
    n_frames: int | None = None

    @property
    @abstractmethod
    def gives(self) -> Outputs:
        """What ``forward`` returns: embeddings of length 1, or logits or cosines of the training speakers."""

    @abstractmethod
    def forward(self, mel: Tensor) -> Tensor:
        """Outputs (batch, dim) of log-mel spectrograms (batch, n_frames, n_mels)."""

    def layers(self, mel: Tensor) -> dict[str, Tensor]:
        """The activations that the network names, each (batch, dim); output as by ``forward``."""
        return {"output": self(mel)}


def layer_output(network: nn.Module, layer: str | None, *inputs: Tensor) -> Tensor:
    """What a network gives for its inputs, or (with `layer`) what that layer gives on the way.

    A layer is a name of ``network.layers(...)``, or the name of a module, such as "blocks.1".

    Raises
    ------
    ConfigError
        When the network has no such layer, or its output is no tensor.
    """
    if layer is None:
        output: Tensor = network(*inputs)
        return output
    modules = dict(network.named_modules())
    seen: list[object] = []
    hook = None
    if layer in modules:
        hook = modules[layer].register_forward_hook(lambda *call: seen.append(call[-1]))
    try:
        # One run, so that normalisations count a batch once.
        named: dict[str, Tensor] = getattr(network, "layers", lambda *x: {"output": network(*x)})(*inputs)
    finally:
        if hook is not None:
            hook.remove()
    found = named.get(layer, seen[-1] if seen else None)
    if not isinstance(found, Tensor):
        known = [*named, *(name for name in modules if name and name not in named)]
        raise ConfigError(f"{type(network).__name__} has no layer '{layer}'; known: {', '.join(known)}")
    return found
