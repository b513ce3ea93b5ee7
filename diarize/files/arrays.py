"""Files of NumPy arrays, read without pickle. A damaged one is an error of one line."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.errors import FormatError

_ALWAYS, _MOST_COMPRESSED = 2**26, 100
"""Bytes of numbers that any file may have, and how many times its own size a larger one may have."""


def read_arrays(path: str | Path, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """The arrays with these names that a NumPy archive, npz, has.

    Raises
    ------
    FormatError
        If the file cannot be read, or is no archive of plain arrays.
    """
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            refuse_bomb(path, sum(member.file_size for member in archive.zip.infolist()))
            return {name: archive[name] for name in names if name in archive.files}
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or 'damaged'})") from error
    except FormatError:
        raise
    except Exception as error:
        # NumPy returns an array, not a context manager, for .npy, and raises errors of many kinds: ValueError
        # for pickled objects, those of Python's own tokenizer for damaged headers, of zipfile and of zlib.
        raise FormatError(f"{path}: not a NumPy archive of plain arrays") from error


def map_array(path: Path) -> NDArray[Any]:
    """The array of a NumPy file, npy, memory-mapped.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FormatError
        If the file cannot be read, or is no file of one plain array.
    """
    try:
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return mapped
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or 'damaged'})") from error
    except Exception as error:  # as in `read_arrays`
        raise FormatError(f"{path}: not a NumPy file of one plain array") from error


def refuse_bomb(path: str | Path, n_bytes: int) -> None:
    """Check that a file does not claim far more bytes than it can hold: embeddings can hardly be compressed.

    Raises
    ------
    FormatError
        If it does.
    """
    size = Path(path).stat().st_size
    if n_bytes > max(_ALWAYS, _MOST_COMPRESSED * size):
        raise FormatError(f"{path}: claims {n_bytes} bytes of numbers in {size} bytes; it is damaged")
