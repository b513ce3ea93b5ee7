"""The training loop: batches in, weights out; interrupted at any moment, it goes on as if it had not been."""

from __future__ import annotations

import copy
import json
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from diarize.batches import Batch, PackedFeatures, SpeakerSampler
from diarize.config import Settings
from diarize.errors import ModelError
from diarize.formats.atomic import atomic_path
from diarize.losses import ArcFace, Prototypical, distillation_loss
from diarize.networks.resnet import ResNet

logger = logging.getLogger(__name__)


class TrainingConfig(Settings):
    """How a network is trained; the [training] table of a recipe."""

    n_steps: int = Field(9000, ge=1)
    n_speakers: int = Field(32, ge=2, description="speakers a batch")
    n_segments: int = Field(2, ge=2, description="segments of each speaker")
    seconds: tuple[float, float] = Field((1.0, 2.2), description="shortest and longest pooled segment")
    learning_rate: float = Field(2e-3, gt=0, description="the highest; a cosine leads down to nothing")
    warm_up: int = Field(300, ge=0, description="steps")
    weight_decay: float = Field(0.02, ge=0)
    margin: float = Field(0.2, ge=0, description="ArcFace, radians")
    scale: float = Field(30.0, gt=0)
    prototypical: float = Field(1.0, ge=0, description="weight beside ArcFace")
    distillation: float = Field(0.0, ge=0, description="weight beside ArcFace; needs a teacher's targets")
    average: float = Field(0.998, ge=0, lt=1, description="decay of the averaged weights")
    save_every: int = Field(250, ge=1, description="steps between checkpoints")
    seed: int = 1


class Objective(nn.Module):
    """The sum of the losses of a batch; targets (n_clips, n_speeds, dim) come from a teacher."""

    def __init__(
        self, config: TrainingConfig, dim: int, n_speakers: int, targets: NDArray[np.float32] | None
    ) -> None:
        super().__init__()
        if config.distillation and targets is None:
            raise ValueError("distillation needs targets, got None")
        self.config = config
        self.arcface = ArcFace(dim, n_speakers, config.margin, config.scale)
        self.prototypical = Prototypical()
        self.targets = targets
        self.n_speakers = n_speakers

    def forward(self, embeddings: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Each weighted loss by its name; embeddings are (P * K, dim) of length 1."""
        speaker = torch.from_numpy(batch.speaker).to(embeddings.device)
        losses = {"arcface": self.arcface(embeddings, speaker)}
        if self.config.prototypical:
            segments = embeddings.reshape(-1, self.config.n_segments, embeddings.shape[1])  # (P, K, dim)
            losses["prototypical"] = self.config.prototypical * self.prototypical(
                segments[:, 0], segments[:, 1]
            )
        if self.config.distillation:
            assert self.targets is not None
            speed = batch.speaker // (self.n_speakers // self.targets.shape[1])
            targets = torch.from_numpy(self.targets[batch.clip, speed]).to(embeddings.device)
            losses["distillation"] = self.config.distillation * distillation_loss(embeddings, targets)
        return losses


def train(
    network: ResNet,
    features: PackedFeatures,
    config: TrainingConfig,
    folder: str | Path,
    *,
    targets: NDArray[np.float32] | None = None,
    frame_rate: float = 100.0,
    device: str = "cpu",
    on_checkpoint: Callable[[int, ResNet], dict[str, float]] | None = None,
) -> ResNet:
    """Train a network and return it with the averaged weights.

    `folder` receives checkpoint.safetensors, from which a later call goes on, and curve.tsv: a line a
    checkpoint with the step, the seconds, the learning rate, the mean losses and what `on_checkpoint`
    (step, averaged network) returns.

    Raises
    ------
    ModelError
        When the folder's checkpoint belongs to other settings, another network or other speakers.
    ConfigError
        When there are fewer speakers than a batch needs.
    """
    folder = Path(folder)
    torch.manual_seed(config.seed)
    objective = Objective(config, network.embedding.out_features, features.n_speakers, targets).to(device)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network)
    modules = nn.ModuleDict({"network": network, "average": average, "objective": objective})
    parameters = [*network.parameters(), *objective.parameters()]
    optimizer = torch.optim.AdamW(parameters, config.learning_rate, weight_decay=config.weight_decay)
    sampler = SpeakerSampler(features, config.n_speakers, config.n_segments, config.seed)
    lengths = [_input_frames(network, seconds, frame_rate) for seconds in config.seconds]

    step = load_checkpoint(folder, modules, optimizer, config)
    network.train()
    sums: dict[str, float] = {}
    started = time.monotonic()
    while step < config.n_steps:
        rate = _learning_rate(config, step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = sampler.batch(step, (lengths[0], lengths[1]))
        with torch.autocast(device, torch.bfloat16):
            pooled = network(torch.from_numpy(batch.mel).to(device))
        losses = objective(pooled.float(), batch)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        step += 1
        # Early on the average forgets faster, so that the random start does not linger.
        _update_average(average, network, min(config.average, step / (step + 10)))
        for name, loss in losses.items():
            sums[name] = sums.get(name, 0.0) + float(loss.detach())
        if step % config.save_every == 0 or step == config.n_steps:
            n_steps = (step - 1) % config.save_every + 1
            line = {"step": float(step), "seconds": time.monotonic() - started, "learning_rate": rate}
            line |= {name: value / n_steps for name, value in sums.items()}
            if on_checkpoint is not None:
                line |= on_checkpoint(step, average.eval())
            sums = {}
            _append_curve(folder, line)
            save_checkpoint(folder, modules, optimizer, config, step)
    return average.eval()


def save_checkpoint(
    folder: Path, modules: nn.ModuleDict, optimizer: torch.optim.Optimizer, config: TrainingConfig, step: int
) -> None:
    """Write all that a later call needs to go on: weights, averages, the optimizer's moments, the step."""
    tensors = {name: tensor.contiguous() for name, tensor in modules.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value.contiguous() for key, value in state.items()}
    metadata = {"step": str(step), "config": config.model_dump_json()}
    with atomic_path(folder / "checkpoint.safetensors") as path:
        save_file(tensors, path, metadata)


def load_checkpoint(
    folder: Path, modules: nn.ModuleDict, optimizer: torch.optim.Optimizer, config: TrainingConfig
) -> int:
    """Go back to the folder's checkpoint and give its step; 0 when there is none.

    Raises
    ------
    ModelError
        When it was written with other settings, for another network or for other speakers.
    """
    path = folder / "checkpoint.safetensors"
    if not path.is_file():
        return 0
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if json.loads(metadata["config"]) != json.loads(config.model_dump_json()):
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
    logger.info("%s: going on at step %s", path, metadata["step"])
    return int(metadata["step"])


def _input_frames(network: ResNet, seconds: float, frame_rate: float) -> int:
    """Input frames that pool to `seconds`: every output covers `stride` frames, the context comes on top."""
    n_outputs = round(seconds * frame_rate / network.stride)
    return network.context + network.stride * (n_outputs - 1)


def _learning_rate(config: TrainingConfig, step: int) -> float:
    if step < config.warm_up:
        return config.learning_rate * (step + 1) / config.warm_up
    done = (step - config.warm_up) / max(1, config.n_steps - config.warm_up)
    return config.learning_rate * (0.5 + 0.5 * math.cos(math.pi * done)) + 1e-6


@torch.no_grad()
def _update_average(average: ResNet, network: ResNet, decay: float) -> None:
    weights = network.state_dict()
    for name, tensor in average.state_dict().items():
        current = weights[name]
        if tensor.dtype.is_floating_point:
            tensor.lerp_(current, 1 - decay)
        else:
            tensor.copy_(current)


def _append_curve(folder: Path, line: dict[str, float]) -> None:
    path = folder / "curve.tsv"
    folder.mkdir(parents=True, exist_ok=True)
    header = "" if path.exists() else "\t".join(line) + "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(header + "\t".join(f"{value:.6g}" for value in line.values()) + "\n")
    logger.info("  ".join(f"{name} {value:.4g}" for name, value in line.items()))
