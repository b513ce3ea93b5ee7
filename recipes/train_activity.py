"""Train the network that finds speech and overlap on packed conversations, and write it as a model folder.

Writes OUT/curve.tsv and OUT/checkpoint.safetensors while it goes (started again, it goes on from there),
with the loss on the conversations of --dev, and OUT/model at the end.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from diarize.audio.features import FeatureConfig
from diarize.config import RECIPE_TABLES, Settings, load_tables, validate
from diarize.embedding.models import save_model
from diarize.errors import ConfigError, DiarizeError
from diarize.machine.devices import mixed_precision
from diarize.networks import make_network
from diarize.networks.activity_network import ActivityNetwork
from diarize.networks.weights import load_weights, save_weights
from diarize.speech.activity import pad_frames
from diarize.training.augment import mask, tilt
from diarize.training.checkpoints import append_curve, cut_curve, load_checkpoint, save_checkpoint
from diarize.training.loop import has_stopped
from diarize.training.optimizers import TrainingConfig, build_optimizer, learning_rate_at, update_average

MUTED = 0.2
"""Share of the conversations that are trained on without Silero: the network must hear for itself as well."""

UNUSED = ("batches", "n_speakers", "n_segments", "shuffle", "seconds", "validation_batches")
"""Settings of a [training] table that are of batches of segments."""


@dataclass(frozen=True)
class Batch:
    """Whole conversations with the silence around them that a recording has for the network.

    Attributes
    ----------
    mel : (batch_size, n_frames, n_mels) float32
    silero : (batch_size, n_frames) float32
    targets : (batch_size, n_outputs, 2) float32
        How probable it is that somebody speaks, and that several do.
    """

    mel: Tensor
    silero: Tensor
    targets: Tensor


class LossConfig(Settings):
    """What the network is to say; the [loss] table."""

    teacher_speech: float = Field(0.0, ge=0, le=1, description="share of the teacher in the target of speech")
    teacher_overlap: float = Field(0.0, ge=0, le=1, description="in that of overlap; the rest is the truth")


class Conversations:
    """What `pack_conversations.py` wrote to a folder, memory-mapped.

    Raises
    ------
    DiarizeError
        When the folder holds none, or not what the teacher hears where that has a share.
    """

    def __init__(self, folder: Path, loss: LossConfig) -> None:
        self.loss = loss
        self.teacher_share = np.array([loss.teacher_speech, loss.teacher_overlap], np.float32)
        names = ["mel", "silero", "voices"] + ["teacher"] * bool(self.teacher_share.any())
        try:
            arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
        except FileNotFoundError as error:
            option = " --teacher FILE" if Path(error.filename).stem == "teacher" else ""
            raise DiarizeError(
                f"{error.filename}: missing; make it with recipes/pack_conversations.py{option}"
            ) from error
        self.mel, self.silero, self.voices = (arrays[name] for name in names[:3])
        self.teacher = arrays.get("teacher")

    def batch(self, rows: NDArray[np.intp], context: int, random: Generator | None = None) -> Batch:
        """The conversations of some rows, augmented where there is a random generator."""
        mels, sileros = [], []
        for row in rows:
            mel = self.mel[row].astype(np.float32)
            silero = self.silero[row].astype(np.float32)
            if random is not None:
                mel = mask(tilt(mel, random), random)
                if random.random() < MUTED:
                    silero[:] = 0.5
            mel, silero = pad_frames(mel, silero, context // 2, context // 2)
            mels.append(mel)
            sileros.append(silero)
        voices = self.voices[rows]
        targets = np.stack([voices > 0, voices > 1], axis=2).astype(np.float32)
        if self.teacher is not None:
            targets += self.teacher_share * (self.teacher[rows].astype(np.float32) - targets)
        return Batch(*map(torch.from_numpy, (np.stack(mels), np.stack(sileros), targets)))


def draw_batch(conversations: Conversations, config: TrainingConfig, step: int, context: int) -> Batch:
    """Batch number `step`: it depends on the seed and the step alone."""
    random = np.random.default_rng([config.seed, step])
    rows = random.choice(len(conversations.mel), config.batch_size, replace=False)
    return conversations.batch(rows, context, random if config.augment else None)


def losses_of(network: nn.Module, batch: Batch, mixed: bool) -> dict[str, Tensor]:
    """The mean binary cross-entropy of both outputs."""
    with mixed_precision("cpu", mixed):
        logits = network(batch.mel, batch.silero)
    losses = F.binary_cross_entropy_with_logits(logits.float(), batch.targets, reduction="none").mean((0, 1))
    return {"speech": losses[0], "overlap": losses[1]}


@torch.no_grad()
def dev_losses(network: nn.Module, dev: Conversations, batch_size: int, context: int) -> dict[str, float]:
    """The mean losses on all conversations of a set, named dev_speech and dev_overlap."""
    network.eval()
    sums: dict[str, float] = {}
    n = len(dev.mel)
    for first in range(0, n, batch_size):
        rows = np.arange(first, min(first + batch_size, n))
        losses = losses_of(network, dev.batch(rows, context), mixed=False)
        for name, loss in losses.items():
            sums[f"dev_{name}"] = sums.get(f"dev_{name}", 0.0) + len(rows) * float(loss)
    return {name: value / n for name, value in sums.items()}


def train(
    network: ActivityNetwork,
    conversations: Conversations,
    dev: Conversations,
    config: TrainingConfig,
    folder: Path,
) -> nn.Module:
    """Train a network; returns it with the averaged weights, in evaluation mode.

    The sum of the losses on `dev` is the validation loss of the settings.
    """
    torch.manual_seed(config.seed)
    average = copy.deepcopy(network)
    modules = nn.ModuleDict({"network": network, "average": average})
    optimizer = build_optimizer(config, list(network.parameters()))
    settings = json.dumps({"training": config.model_dump(), "loss": conversations.loss.model_dump()})
    progress = load_checkpoint(folder, modules, optimizer, settings)
    cut_curve(folder, progress.step)
    started = time.monotonic() - progress.seconds
    sums: dict[str, float] = {}
    summed_from = progress.step
    network.train()
    while progress.step < config.n_steps and not has_stopped(progress, config):
        rate = learning_rate_at(config, progress.step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = draw_batch(conversations, config, progress.step, network.context)
        losses = losses_of(network, batch, config.mixed_precision)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        if config.clip_gradient:
            nn.utils.clip_grad_norm_(network.parameters(), config.clip_gradient)
        optimizer.step()
        progress.step = step = progress.step + 1
        update_average(average, network, min(config.average, step / (step + 10)))
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if config.snapshot_every and step % config.snapshot_every == 0:
            save_weights(average, folder / "snapshots" / f"{step:06d}.safetensors")
        if step % config.save_every and step < config.n_steps:
            continue
        progress.seconds = time.monotonic() - started
        line = {"step": float(step), "seconds": progress.seconds, "learning_rate": rate}
        line |= {name: value / (step - summed_from) for name, value in sums.items()}
        on_dev = dev_losses(average, dev, config.batch_size, network.context)
        if sum(on_dev.values()) < progress.best_loss:
            progress.best_loss, progress.best_step = sum(on_dev.values()), step
            save_weights(average, folder / "best.safetensors")
        append_curve(folder, line | on_dev)
        save_checkpoint(folder, modules, optimizer, settings, progress)
        sums, summed_from = {}, step
    if config.keep == "best":
        load_weights(average, folder / "best.safetensors")
    return average.eval()


def read_training(table: Mapping[str, Any], source: str, n_conversations: int) -> TrainingConfig:
    """The settings of the [training] table.

    Raises
    ------
    ConfigError
        For a setting that says nothing of whole conversations, and for a batch of more than there are.
    """
    if unused := [name for name in table if name in UNUSED]:
        raise ConfigError(
            f"{source}: setting 'training.{unused[0]}' is not used: a batch has whole conversations, the "
            "validation loss is that of all of --dev; remove it"
        )
    config = validate(TrainingConfig, table, source)
    if config.batch_size > n_conversations:
        raise ConfigError(
            f"{source}: batch_size = {config.batch_size}, but --data has {n_conversations} conversations"
        )
    return config


def main() -> None:
    """Read the command line, train, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of recipes/pack_conversations.py")
    parser.add_argument("--dev", type=Path, required=True, help="another one, of other speakers")
    parser.add_argument(
        "--config", type=Path, required=True, help="TOML: [features] [network] [loss] [training]"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.SETTING=VALUE", help="over the config"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, help="instead of the config's")
    arguments = parser.parse_args()

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    source = str(arguments.config)
    tables = load_tables(arguments.config, RECIPE_TABLES, arguments.set)
    features = validate(FeatureConfig, tables["features"], source)
    seed = {} if arguments.seed is None else {"seed": arguments.seed}
    loss = validate(LossConfig, tables["loss"], f"{source}: [loss]")
    conversations, dev = Conversations(arguments.data, loss), Conversations(arguments.dev, loss)
    config = read_training({**tables["training"], **seed}, source, len(conversations.mel))
    if conversations.mel.shape[2] != features.n_mels:
        raise ConfigError(
            f"{arguments.data}: packed with {conversations.mel.shape[2]} mels, "
            f"{source} asks for {features.n_mels}; pack them again"
        )
    torch.manual_seed(config.seed)
    network = make_network(
        ActivityNetwork, f"{source}: [network]", {"n_mels": features.n_mels, **tables["network"]}
    )
    trained = train(network, conversations, dev, config, arguments.out)
    card = f"# {arguments.out.name}\n\nTrained by recipes/train_activity.py with {arguments.config.name}.\n"
    save_model(arguments.out / "model", trained.half(), features, tables["network"], card)
    print(f"{arguments.out / 'model'}: written")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"train_activity.py: {error}") from error
