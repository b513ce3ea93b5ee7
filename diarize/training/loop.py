"""The training loop: batches in, weights out; interrupted at any moment, it goes on as if it had not been."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from diarize.errors import ConfigError, ModelError
from diarize.machine.devices import mixed_precision
from diarize.networks import Network
from diarize.networks.cnn import CNN
from diarize.networks.weights import load_weights, save_weights
from diarize.training.checkpoints import (
    Progress,
    append_curve,
    cut_curve,
    load_checkpoint,
    load_start,
    save_checkpoint,
)
from diarize.training.objectives import LossConfig, build_objective
from diarize.training.optimizers import TrainingConfig, build_optimizer, learning_rate_at, update_average
from diarize.training.samplers import Batch, PackedFeatures, SentenceSampler, SpeakerSampler

OnCheckpoint = Callable[[int, Network], dict[str, float]]
LossesOf = Callable[[Network, Batch], dict[str, Tensor]]

_drawing = Lock()
"""Held while torch's random numbers are those of one training."""


def train(
    network: Network,
    features: PackedFeatures,
    config: TrainingConfig,
    folder: str | Path,
    *,
    loss: LossConfig | None = None,
    validation: PackedFeatures | None = None,
    targets: NDArray[np.float32] | None = None,
    frame_rate: float = 100.0,
    device: str = "cpu",
    on_checkpoint: OnCheckpoint | None = None,
    start: Path | None = None,
) -> Network:
    """Train a network and return it with the averaged weights, where there are, in evaluation mode.

    `folder` receives checkpoint.safetensors, from which a later call goes on; curve.tsv, a line a checkpoint
    with the step, the seconds, the learning rate, the mean losses since the previous line, the loss on
    `validation` and what `on_checkpoint` (step, network) returns; best.safetensors, the weights with the best
    validation loss; and snapshots/<step>.safetensors. `start` is the checkpoint of another training: its
    weights, averaged where they were, are the first ones.

    Under `torchrun`, once torch.distributed is initialised, each process takes batches of its own and their
    gradients are averaged; the first process writes.

    Raises
    ------
    ModelError
        When the folder's checkpoint, or that of `start`, belongs to other settings, another network or
        other speakers, or the folder's has had more batches than are asked for.
    ConfigError
        When there are fewer speakers than a batch needs, or the loss does not fit network and batches, or
        the segments do not fit the network, or nobody trains a speaker of `validation`.
    """
    folder, loss = Path(folder), loss or LossConfig()
    rank, n_processes = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    with _seeded(config.seed, device):
        objective = build_objective(loss, network, features.n_speakers, config.n_segments, targets).to(device)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    modules = nn.ModuleDict({"network": network, "objective": objective})
    if start is not None:
        load_start(start, modules)
    average = copy.deepcopy(network) if config.average else network
    if config.average:
        modules["average"] = average
    parameters = [*network.parameters(), *objective.parameters()]
    optimizer = build_optimizer(config, parameters)
    shortest, longest = (input_frames(network, seconds, frame_rate) for seconds in config.seconds)
    _check(network, features, config, loss, validation, {shortest, longest})
    sampler = build_sampler(features, config)
    validation_batches = []
    if validation is not None:
        batches = "speakers" if loss.needs_speakers else "sentences"
        held_out = build_sampler(validation, config.model_copy(update={"batches": batches, "augment": False}))
        validation_batches = [
            held_out.batch(number, (longest, longest)) for number in range(config.validation_batches)
        ]

    def losses_of(network: Network, batch: Batch, share: float = 1.0) -> dict[str, Tensor]:
        with mixed_precision(device, config.mixed_precision):
            outputs = network(torch.from_numpy(batch.mel).to(device))
        losses: dict[str, Tensor] = objective(outputs.float(), batch, share)
        return losses

    # Where the rate does not hang on their number, more batches only go on from fewer.
    apart = {"n_steps"} if config.schedule == "constant" else set()
    settings = json.dumps([config.model_dump(exclude=apart), loss.model_dump(), n_processes])
    progress = load_checkpoint(folder, modules, optimizer, settings)
    if progress.step > config.n_steps:
        raise ModelError(
            f"{folder}: has {progress.step} batches already, asked for {config.n_steps}; use another folder"
        )
    if rank == 0:
        cut_curve(folder, progress.step)
    started = time.monotonic() - progress.seconds
    stopped = bool(validation_batches) and has_stopped(progress, config)
    sums: dict[str, float] = {}
    summed_from = progress.step  # the last line need not lie at a multiple of save_every
    network.train()
    while progress.step < config.n_steps and not stopped:
        rate = learning_rate_at(config, progress.step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        number = progress.step * n_processes + rank
        share = min(1.0, (progress.step + 1) / loss.ramp) if loss.ramp else 1.0
        batch = sampler.batch(number, (shortest, longest))
        with _seeded(config.seed * 1_000_003 + number, device):  # for dropout: depends on the batch alone
            losses = losses_of(network, batch, share)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        if n_processes > 1:
            _average_gradients(parameters, n_processes)
        if config.clip_gradient:
            nn.utils.clip_grad_norm_(parameters, config.clip_gradient)
        optimizer.step()
        progress.step = step = progress.step + 1
        if config.average:
            # Early on the average forgets faster, so that the random start does not linger.
            update_average(average, network, min(config.average, step / (step + 10)))
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if rank == 0 and config.snapshot_every and step % config.snapshot_every == 0:
            save_weights(average, folder / "snapshots" / f"{step:06d}.safetensors")
        if step % config.save_every and step < config.n_steps:
            continue
        if rank == 0:
            progress.seconds = time.monotonic() - started
            line = {"step": float(step), "seconds": progress.seconds, "learning_rate": rate}
            line |= {name: value / (step - summed_from) for name, value in sums.items()}
            if validation_batches:
                line["validation_loss"] = _validation_loss(average, losses_of, validation_batches)
                if line["validation_loss"] < progress.best_loss:
                    progress.best_loss, progress.best_step = line["validation_loss"], step
                    save_weights(average, folder / "best.safetensors")
            if on_checkpoint is not None:
                line |= on_checkpoint(step, average.eval())
            append_curve(folder, line)
            save_checkpoint(folder, modules, optimizer, settings, progress)
        network.train()
        sums, summed_from = {}, step
        stopped = _first_process_says(bool(validation_batches) and has_stopped(progress, config), device)
    if config.keep == "best" and validation_batches:
        load_weights(average, folder / "best.safetensors")
    return average.eval()


@contextmanager
def _seeded(seed: int, device: str) -> Iterator[None]:
    """Let torch draw random numbers from a seed; its generators are of the process, and restored."""
    gpus = [torch.device(device)] if device.startswith("cuda") else []
    with _drawing, torch.random.fork_rng(gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield


def build_sampler(features: PackedFeatures, config: TrainingConfig) -> SpeakerSampler | SentenceSampler:
    """The batches of a [training] table."""
    if config.batches == "sentences":
        return SentenceSampler(features, config.batch_size, config.seed, config.shuffle)
    return SpeakerSampler(
        features, config.n_speakers, config.n_segments, config.seed, config.shuffle, augment=config.augment
    )


def input_frames(network: Network, seconds: float, frame_rate: float) -> int:
    """Input frames that pool to `seconds`: every output covers `stride` frames, the context comes on top."""
    n_outputs = round(seconds * frame_rate / network.stride)
    return network.context + network.stride * (n_outputs - 1)


def _check(
    network: Network,
    features: PackedFeatures,
    config: TrainingConfig,
    loss: LossConfig,
    validation: PackedFeatures | None,
    n_frames: set[int],
) -> None:
    """Raise a ConfigError for settings of which each is possible, but not together."""
    if loss.needs_speakers and config.batches != "speakers":
        raise ConfigError(
            f"[loss] prototypical = {loss.prototypical:g} needs [training] batches = 'speakers'; set it to 0"
        )
    if isinstance(network, CNN) and n_frames != {network.n_frames}:
        raise ConfigError(
            f"[training] seconds = {list(config.seconds)} are {min(n_frames)} to {max(n_frames)} frames, "
            f"but [network] n_frames = {network.n_frames}; make them equal"
        )
    if validation is not None and not np.isin(validation.speaker, features.speaker).all():
        raise ConfigError("a speaker is held out whole; keep sentences of every speaker for training")


@torch.no_grad()
def _validation_loss(network: Network, losses_of: LossesOf, batches: list[Batch]) -> float:
    """The mean loss of a network on given batches."""
    network.eval()
    return float(np.mean([float(sum(losses_of(network, batch).values())) for batch in batches]))


def has_stopped(progress: Progress, config: TrainingConfig) -> bool:
    """Whether the validation loss has not improved for `patience` checkpoints."""
    return 0 < config.patience * config.save_every <= progress.step - progress.best_step


def _average_gradients(parameters: list[nn.Parameter], n_processes: int) -> None:
    """Replace the gradients of every process by their mean."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= n_processes
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def _first_process_says(value: bool, device: str) -> bool:
    """The first process's value, in every process."""
    if not dist.is_initialized():
        return value
    flag = torch.tensor(int(value), device=device)
    dist.broadcast(flag, 0)
    return bool(flag)
