"""The weights of a network as a file: safetensors, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from diarize.errors import ModelError
from diarize.files.atomic import atomic_path


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the weights of a network as safetensors."""
    with atomic_path(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, temporary)


def load_weights(network: nn.Module, path: Path) -> None:
    """Load the weights of a file that `save_weights` wrote into a network.

    Raises
    ------
    ModelError
        If there is no such file, or its weights do not fit the network.
    """
    try:
        network.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such weights file") from error
    except (RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(f"{path}: weights do not fit config.toml ({reason})") from error
