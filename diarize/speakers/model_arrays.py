"""Arrays that belong to the weights of one network, in a file beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from diarize.errors import ModelError
from diarize.files.atomic import write_bytes
from diarize.files.text import shorten

Arrays = dict[str, NDArray[np.float64]]


def arrays_file(model: Path, name: str) -> Path:
    """The path of a model's NAME.safetensors: in the model folder, or FILE.NAME.safetensors for FILE.onnx."""
    name = f"{name}.safetensors"
    return model.with_suffix(f".{name}") if model.suffix.lower() == ".onnx" else model / name


def save_arrays(arrays: Mapping[str, NDArray[np.floating]], path: Path, fingerprint: str) -> None:
    """Write arrays as float32, with the fingerprint of the weights to which they belong."""
    arrays32 = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    write_bytes(save(arrays32, {"weights": fingerprint}), path)


def load_arrays(path: Path, shapes: Mapping[str, str], fingerprint: str, what: str) -> Arrays | None:
    """The named arrays of a file; None if there is no such file. `what` has them, for messages.

    Each shape has a character for each axis: a digit is its length, and axes with one letter are of one
    length, as in ``{"projection": "dn", "spread": "n", "tail": "m2"}``.

    Raises
    ------
    ModelError
        If the file is damaged, an array has another shape or is not finite, or it was made for other weights.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, "numpy") as file:
            weights = (file.metadata() or {}).get("weights")
            arrays = {name: file.get_tensor(name).astype(np.float64) for name in shapes}
    except (SafetensorError, TypeError, AttributeError) as error:  # NumPy has not all types of numbers
        raise ModelError(f"{path}: not a {what} ({shorten(str(error), 200)}); {_remedy(what)}") from error
    if weights != fingerprint:
        raise ModelError(f"{path}: belongs to other weights; {_remedy(what)}")
    lengths: dict[str, int] = {}
    for name, axes in shapes.items():
        shape = arrays[name].shape
        is_right = len(shape) == len(axes) and bool(np.isfinite(arrays[name]).all())
        for axis, n in zip(axes, shape, strict=False):
            is_right &= n == (int(axis) if axis.isdigit() else lengths.setdefault(axis, n))
        if not is_right:
            raise ModelError(f"{path}: {name} has another shape or is not finite; {_remedy(what)}")
    return arrays


def _remedy(what: str) -> str:
    return f"remove it or run recipes/train_{what.replace(' ', '')}.py"
