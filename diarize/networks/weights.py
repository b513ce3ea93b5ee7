"""The weights of a network as a file: safetensors, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from diarize.errors import ModelError
from diarize.files.atomic import write_bytes
from diarize.files.text import shorten

_SCALE = ".int8_scale"  # ends the name of the factor of an int8 tensor


def save_weights(network: nn.Module, path: Path, *, int8: bool = False) -> None:
    """Write the weights of a network as safetensors.

    With `int8`, every matrix and kernel is rounded to 8 bits, with one factor for each of its outputs, a
    quarter of the size. `read_weights` multiplies them again.
    """
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    if int8:
        for name, tensor in list(tensors.items()):
            scale = _largest(tensor) / 127
            if (
                tensor.is_floating_point() and scale.numel() < tensor.numel()
            ):  # a bias is as large as its scale
                tensors[name] = (tensor / scale.clamp_min(1e-12)).round().to(torch.int8)
                tensors[name + _SCALE] = scale
    write_bytes(save(tensors), path)


def _largest(tensor: Tensor) -> Tensor:
    """The largest absolute weight of each output, with axes of size 1 for the others.

    Outputs are the first axis, as in torch's layers; of three axes, as in a BidirectionalLSTM, the last.
    """
    axes = (1,) if tensor.ndim == 3 else tuple(range(1, tensor.ndim))
    return tensor.abs().amax(dim=axes, keepdim=True) if axes else tensor.abs()


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights in a file of `save_weights`, by name.

    Raises
    ------
    OSError, SafetensorError
        If the file cannot be read, or is no such file.
    RuntimeError
        If it has complex numbers, or the factor of an int8 tensor does not fit it.
    """
    tensors = load_file(path)
    if any(tensor.is_complex() for tensor in tensors.values()):
        raise RuntimeError("complex numbers")  # torch would drop their imaginary parts
    scales = [name for name in tensors if name.endswith(_SCALE) and name.removesuffix(_SCALE) in tensors]
    for name in scales:
        tensors[name.removesuffix(_SCALE)] = tensors[name.removesuffix(_SCALE)] * tensors.pop(name)
    return tensors


def load_weights(network: nn.Module, path: Path) -> None:
    """Load the weights of a file that `save_weights` wrote into a network.

    Raises
    ------
    ModelError
        If there is no such file, or its weights do not fit the network.
    """
    try:
        network.load_state_dict(read_weights(path))
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such weights file") from error
    except (RuntimeError, SafetensorError) as error:
        reason = shorten(str(error).splitlines()[-1], 200)
        raise ModelError(f"{path}: weights do not fit config.toml ({reason})") from error
