"""The training loop; an interrupted training resumes with the same result."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from diarize.errors import ConfigError, ModelError
from diarize.files.atomic import remove_leftovers
from diarize.networks.weights import load_weights, save_weights
from diarize.training.checkpoints import (
    TrainingProgress,
    append_curve,
    cut_curve,
    load_checkpoint,
    load_start,
    save_checkpoint,
)
from diarize.training.contract import Objective, Sampler
from diarize.training.optimizers import TrainingConfig, build_optimizer, learning_rate_at, update_average
from diarize.training.torchrun import average_gradients, first_process_says, rank_and_number

N = TypeVar("N", bound=nn.Module)
Validation = Callable[[Any], dict[str, float]]
"""Losses of a network in evaluation mode, the columns of the curve; the best step has the smallest sum."""
OnCheckpoint = Callable[[int, Any], dict[str, float]]

_REMEDY = "use another folder and a lower learning_rate"

_drawing = Lock()
"""Held while torch's random numbers belong to one training."""


def train(
    network: N,
    sampler: Sampler[Any],
    objective: Objective,
    config: TrainingConfig,
    folder: str | Path,
    *,
    validation: Validation | None = None,
    device: str = "cpu",
    on_checkpoint: OnCheckpoint | None = None,
    start: Path | None = None,
) -> N:
    """Train a network and return it in evaluation mode, with the averaged weights if there are any.

    `folder` receives checkpoint.safetensors, from which a later call resumes; curve.tsv, with a line for each
    checkpoint: the step, the seconds, the learning rate, the mean losses since the previous line, and the
    results of `validation` and `on_checkpoint` (step, network); best.safetensors, the weights with the best
    validation loss; and snapshots/<step>.safetensors. `start` is the checkpoint of another training, or a
    model folder. Its weights, the averaged ones if it has them, are the initial weights.

    Under `torchrun`, once torch.distributed is initialised, each process has batches of its own, the
    gradients are averaged, and the first process writes the files.

    Raises
    ------
    ConfigError
        If the config needs a validation loss and there is none.
    ModelError
        If the folder's checkpoint, or that of `start`, has other settings, another network or another
        objective; if the folder's has more batches than requested; or if a loss or a weight is not finite,
        in which case nothing more is written.
    """
    if validation is None and (config.patience or config.keep == "best"):
        setting = "patience" if config.patience else "keep = 'best'"
        raise ConfigError(f"setting 'training.{setting}' needs a validation loss: hold recordings out")
    folder = Path(folder)
    rank, n_processes = rank_and_number()
    network.to(device)
    objective.to(device)
    modules = nn.ModuleDict({"network": network, "objective": objective})
    if start is not None:
        load_start(start, modules)
    average = copy.deepcopy(network) if config.average else network
    if config.average:
        modules["average"] = average
    parameters = [*network.parameters(), *objective.parameters()]
    optimizer = build_optimizer(config, parameters)

    # If the rate does not depend on the number of batches, a training can be extended.
    apart = {"n_steps"} if config.schedule == "constant" else set()
    settings = json.dumps([config.model_dump(exclude=apart), objective.config.model_dump(), n_processes])
    progress = load_checkpoint(folder, modules, optimizer, settings)
    if progress.step > config.n_steps:
        raise ModelError(
            f"{folder}: already has {progress.step} batches, {config.n_steps} requested; use another folder"
        )
    if rank == 0:
        remove_leftovers(
            folder / name for name in ("checkpoint.safetensors", "best.safetensors", "curve.tsv")
        )
        cut_curve(folder, progress.step)
    started = time.monotonic() - progress.seconds
    stopped = validation is not None and _has_stopped(progress, config)
    sums: dict[str, float] = {}
    summed_from = progress.step  # the last line may lie between multiples of save_every
    network.train()
    while progress.step < config.n_steps and not stopped:
        rate = learning_rate_at(config, progress.step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        number = progress.step * n_processes + rank
        share = min(1.0, (progress.step + 1) / objective.ramp) if objective.ramp else 1.0
        batch = sampler.batch(number)
        with seeded(config.seed * 1_000_003 + number, device):  # for dropout: depends on the batch alone
            losses = objective.losses(network, batch, share, mixed=config.mixed_precision)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        if n_processes > 1:
            average_gradients(parameters)
        if config.clip_gradient:
            nn.utils.clip_grad_norm_(parameters, config.clip_gradient)
        optimizer.step()
        progress.step = step = progress.step + 1
        if config.average:
            # At first the decay is faster, so the random initial weights have no lasting influence.
            update_average(average, network, min(config.average, step / (step + 10)))
        _add_losses(sums, losses, f"{folder}: step {step}")
        if rank == 0 and config.snapshot_every and step % config.snapshot_every == 0:
            save_weights(average, folder / "snapshots" / f"{step:06d}.safetensors")
        if step % config.save_every and step < config.n_steps:
            continue
        _check_weights(network, f"{folder}: step {step}")
        if rank == 0:
            progress.seconds = time.monotonic() - started
            line = {"step": float(step), "seconds": progress.seconds, "learning_rate": rate}
            line |= {name: value / (step - summed_from) for name, value in sums.items()}
            if validation is not None:
                found = validation(average.eval())
                line |= found
                if sum(found.values()) < progress.best_loss:
                    progress.best_loss, progress.best_step = sum(found.values()), step
                    save_weights(average, folder / "best.safetensors")
            if on_checkpoint is not None:
                line |= on_checkpoint(step, average.eval())
            append_curve(folder, line)
            save_checkpoint(folder, modules, optimizer, settings, progress)
        network.train()
        sums, summed_from = {}, step
        stopped = first_process_says(validation is not None and _has_stopped(progress, config), device)
    if config.keep == "best" and validation is not None:
        load_weights(average, folder / "best.safetensors")
    return average.eval()


@contextmanager
def seeded(seed: int, device: str) -> Iterator[None]:
    """Seed torch's random generators, which belong to the process, and restore them afterwards."""
    gpus = [torch.device(device)] if device.startswith("cuda") else []
    with _drawing, torch.random.fork_rng(gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield


def _add_losses(sums: dict[str, float], losses: dict[str, Tensor], where: str) -> None:
    """Add the losses of a batch; raise a ModelError if one is not finite."""
    for name, loss in losses.items():
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ModelError(f"{where}: the loss '{name}' is {value:g}; {_REMEDY}")
        sums[name] = sums.get(name, 0.0) + value


def _check_weights(network: nn.Module, where: str) -> None:
    """Raise a ModelError if a weight is not finite: a gradient can be infinite when the loss is finite."""
    for name, weight in network.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise ModelError(f"{where}: the weights '{name}' are not finite; {_REMEDY}")


def _has_stopped(progress: TrainingProgress, config: TrainingConfig) -> bool:
    """Whether the validation loss has not improved for `patience` checkpoints."""
    return 0 < config.patience * config.save_every <= progress.step - progress.best_step
