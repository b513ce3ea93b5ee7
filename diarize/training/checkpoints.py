"""The checkpoint of a training, from which it can resume, and its curve."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from diarize.errors import ModelError
from diarize.files.atomic import write_bytes
from diarize.files.text import append_text, shorten, write_text
from diarize.networks.weights import read_weights

logger = logging.getLogger(__name__)


@dataclass
class TrainingProgress:
    """How far a training has come."""

    step: int = 0
    seconds: float = 0.0
    best_loss: float = float("inf")
    best_step: int = 0


def save_checkpoint(
    folder: Path,
    modules: nn.Module,
    optimizer: torch.optim.Optimizer,
    settings: str,
    progress: TrainingProgress,
) -> None:
    """Write all that a later call needs to resume: weights, averages, the optimizer's state, progress."""
    tensors = {name: tensor.contiguous() for name, tensor in modules.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer.{index}.{key}": value.contiguous()
            for key, value in state.items()
            if value is not None
        }
    metadata = {"progress": json.dumps(asdict(progress)), "settings": settings}
    write_bytes(save(tensors, metadata), folder / "checkpoint.safetensors")


def load_checkpoint(
    folder: Path, modules: nn.Module, optimizer: torch.optim.Optimizer, settings: str
) -> TrainingProgress:
    """Restore the folder's checkpoint and return its progress; a fresh start if there is none.

    Raises
    ------
    ModelError
        If the file is not a checkpoint, or has other settings, another network or other speakers.
    """
    path = folder / "checkpoint.safetensors"
    if not path.is_file():
        return TrainingProgress()
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ModelError(
            f"{path}: not a checkpoint ({shorten(str(error), 200)}); remove it or use another folder"
        ) from error
    if metadata.get("settings") != settings:
        raise ModelError(f"{path}: written with other settings; remove it or use another folder")
    states: dict[int, dict[str, Tensor]] = {}
    for name in [name for name in tensors if name.startswith("optimizer.")]:
        _, index, key = name.split(".")
        states.setdefault(int(index), {})[key] = tensors.pop(name)
    try:
        modules.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(
            f"{path}: written for another network or other speakers; remove it or use another folder"
        ) from error
    optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
    progress = TrainingProgress(**json.loads(metadata["progress"]))
    logger.info("%s: resuming at step %d", path, progress.step)
    return progress


def load_start(path: Path, modules: nn.Module) -> None:
    """Load the weights of another training's checkpoint into modules, the averaged ones if it has them.

    If `path` is a model folder, its weights are the network's; the objective keeps its own.

    Raises
    ------
    ModelError
        If there is no checkpoint or model folder, or it has another network or other speakers.
    """
    names = modules.state_dict()
    try:
        if path.is_dir():
            weights = read_weights(path / "weights.safetensors")
            tensors = {name: names[name] for name in names if name.startswith("objective.")}
            tensors |= {f"network.{name}": tensor for name, tensor in weights.items()}
        else:
            tensors = load_file(path)
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = shorten(str(error), 200)
        raise ModelError(f"{path}: no checkpoint or model folder to start from ({reason})") from error
    taken = {name: tensors.get(name.replace("network.", "average.", 1), tensors.get(name)) for name in names}
    if any(tensor is None or tensor.shape != names[name].shape for name, tensor in taken.items()):
        raise ModelError(
            f"{path}: written for another network or other speakers; start from another checkpoint"
        )
    modules.load_state_dict(taken)


def append_curve(folder: Path, line: dict[str, float]) -> None:
    """Add a line to curve.tsv; its columns are those of all lines, nan if a line has no value."""
    path = folder / "curve.tsv"
    folder.mkdir(parents=True, exist_ok=True)
    rows = read_curve(path) if path.exists() else []
    names = list(dict.fromkeys([*(rows[0] if rows else []), *line]))
    if rows and list(rows[0]) == names:
        append_text(_curve_line(names, line), path)
    else:
        write_text("\t".join(names) + "\n" + "".join(_curve_line(names, row) for row in [*rows, line]), path)
    logger.info("  ".join(f"{name} {value:.4g}" for name, value in line.items()))


def _curve_line(names: list[str], line: dict[str, float]) -> str:
    return "\t".join(f"{line.get(name, math.nan):.6g}" for name in names) + "\n"


def cut_curve(folder: Path, step: int) -> None:
    """Drop the lines of curve.tsv after a step; an interrupted training writes them again."""
    path = folder / "curve.tsv"
    if not path.is_file():
        return
    header, *lines = _whole_lines(path) or [""]
    kept = [line for line in lines if float(line.split("\t")[0]) <= step]
    if kept:
        write_text("".join(f"{line}\n" for line in [header, *kept]), path)
    else:
        path.unlink()


def _whole_lines(path: Path) -> list[str]:
    """The lines of a growing file, without the last one if its end is not written yet."""
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def read_curve(path: Path) -> list[dict[str, float]]:
    """The lines of a curve.tsv as tables of numbers, except for one that is still being written.

    Raises
    ------
    ModelError
        If the file is missing or is not such a table.
    """
    try:
        header, *lines = _whole_lines(path) or [""]
        names = header.split("\t")
        return [dict(zip(names, map(float, line.split("\t")), strict=True)) for line in lines]
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not the curve of a training ({error})") from error
