"""The base class of embedding networks, and the output of any layer."""

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
        Input frames that an output frame depends on, and from one output frame to the next. If a network has
        no output frames, both are 1, and a segment of n frames takes n frames of input.
    n_frames : int or None
        Input frames of a segment, if the network takes no other number.
    """

    context: int = 1
    stride: int = 1
    n_frames: int | None = None

    @property
    @abstractmethod
    def gives(self) -> Outputs:
        """The kind of ``forward``'s output: embeddings of length 1, or logits or cosines of the speakers."""

    @abstractmethod
    def forward(self, mel: Tensor) -> Tensor:
        """Outputs (batch, dim) of log-mel spectrograms (batch, n_frames, n_mels)."""

    def layers(self, mel: Tensor) -> dict[str, Tensor]:
        """The activations that the network names, each (batch, dim); output is that of ``forward``."""
        return {"output": self(mel)}


def layer_output(network: nn.Module, layer: str | None, *inputs: Tensor) -> Tensor:
    """The output of a network for its inputs, or that of `layer`.

    A layer is a name of ``network.layers(...)``, or the name of a module, such as "blocks.1".

    Raises
    ------
    ConfigError
        If the network has no such layer, or the layer's output is not a tensor.
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
        # One pass, so that normalisations count a batch once.
        named: dict[str, Tensor] = getattr(network, "layers", lambda *x: {"output": network(*x)})(*inputs)
    finally:
        if hook is not None:
            hook.remove()
    found = named.get(layer, seen[-1] if seen else None)
    if not isinstance(found, Tensor):
        known = [*named, *(name for name in modules if name and name not in named)]
        raise ConfigError(f"{type(network).__name__} has no layer '{layer}'; known: {', '.join(known)}")
    return found
