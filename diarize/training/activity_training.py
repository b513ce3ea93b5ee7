"""The training of the network of speech and overlap on packed conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from diarize.config import Settings, validate
from diarize.errors import ConfigError, DiarizeError
from diarize.files.arrays import map_array
from diarize.networks.activity_network import ActivityNetwork
from diarize.speech.activity import pad_frames
from diarize.training.augment import mask, tilt
from diarize.training.contract import Objective
from diarize.training.loop import Validation, train
from diarize.training.optimizers import TrainingConfig
from diarize.training.samplers import ConversationRows

MUTED = 0.2
"""Share of the conversations without Silero's probability, so that the network does not rely on it alone."""

UNUSED = ("batches", "n_speakers", "n_segments", "shuffle", "seconds", "validation_batches")
"""Settings of a [training] table that concern batches of segments."""


class ActivityLossConfig(Settings):
    """The targets of the network; the [loss] table."""

    teacher_speech: float = Field(
        0.0, ge=0, le=1, description="weight of the teacher in the target of speech"
    )
    teacher_overlap: float = Field(
        0.0, ge=0, le=1, description="the same for overlap; the reference has the rest"
    )

    @property
    def needs_teacher(self) -> bool:
        """Whether a teacher's probabilities are part of the targets."""
        return max(self.teacher_speech, self.teacher_overlap) > 0


@dataclass(frozen=True)
class ConversationBatch:
    """Whole conversations, with the silence that the network adds around a recording.

    Attributes
    ----------
    mel : (batch_size, n_frames, n_mels) float32
    silero : (batch_size, n_frames) float32
    voices : (batch_size, n_outputs) int
        Number of speakers who speak.
    teacher : (batch_size, n_outputs, 2) float32 or None
        A teacher's probabilities of speech and of overlapping speech.
    """

    mel: NDArray[np.float32]
    silero: NDArray[np.float32]
    voices: NDArray[np.uint8]
    teacher: NDArray[np.float32] | None

    @property
    def inputs(self) -> tuple[Tensor, Tensor]:
        """The spectrograms and Silero's probabilities."""
        return torch.from_numpy(self.mel), torch.from_numpy(self.silero)


class PackedConversations:
    """The output of `pack_conversations.py`, memory-mapped, optionally with a teacher's probabilities.

    Raises
    ------
    DiarizeError
        If the folder has no conversations, their number of mels differs, or its files do not fit together.
    """

    def __init__(self, folder: Path, *, teacher: bool = False, n_mels: int | None = None) -> None:
        names = ["mel", "silero", "voices"] + ["teacher"] * teacher
        try:
            arrays = {name: map_array(folder / f"{name}.npy") for name in names}
        except FileNotFoundError as error:
            option = " --teacher FILE" if Path(error.filename).stem == "teacher" else ""
            raise DiarizeError(
                f"{error.filename}: missing; make it with recipes/pack_conversations.py{option}"
            ) from error
        self.mel, self.silero, self.voices = (arrays[name] for name in names[:3])
        self.teacher = arrays.get("teacher")
        n, n_frames, packed = self.mel.shape
        if n_mels not in (None, packed):
            raise DiarizeError(
                f"{folder}: packed with {packed} mels, but the network takes {n_mels}; pack them again"
            )
        outputs = (n, n_frames // 2)
        expected = {"silero": (n, n_frames), "voices": outputs, "teacher": (*outputs, 2)}
        for name in names[1:]:
            if arrays[name].shape != expected[name] or n_frames % 2:
                raise DiarizeError(
                    f"{folder / name}.npy: {arrays[name].shape} does not fit mel.npy with "
                    f"{self.mel.shape}, of an even number of frames; pack them again"
                )
        if not n:
            raise DiarizeError(f"{folder}: no conversations; pack one or more")

    def __len__(self) -> int:
        return len(self.mel)

    def batch(
        self, rows: NDArray[np.intp], context: int, random: Generator | None = None
    ) -> ConversationBatch:
        """The conversations of the given rows, augmented if a random generator is given."""
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
        teacher = None if self.teacher is None else self.teacher[rows].astype(np.float32)
        return ConversationBatch(np.stack(mels), np.stack(sileros), self.voices[rows], teacher)


class ConversationSampler:
    """Batches of random conversations (`ConversationRows`) for a network with this `context`."""

    def __init__(
        self,
        conversations: PackedConversations,
        batch_size: int,
        context: int,
        seed: int,
        *,
        augment: bool = True,
    ) -> None:
        self.conversations, self.context, self.augment = conversations, context, augment
        self.rows = ConversationRows(len(conversations), batch_size, seed)

    def batch(self, number: int) -> ConversationBatch:
        """Batch number `number`, from 0."""
        rows, random = self.rows.draw(number)
        return self.conversations.batch(rows, self.context, random if self.augment else None)


class ActivityObjective(Objective):
    """The mean binary cross entropy of speech and of overlap."""

    config: ActivityLossConfig

    def __init__(self, config: ActivityLossConfig) -> None:
        super().__init__(config)
        self.teacher_share = np.array([config.teacher_speech, config.teacher_overlap], np.float32)

    def targets(self, batch: ConversationBatch) -> Tensor:
        """The target probabilities of speech and of overlapping speech: (batch, n_outputs, 2)."""
        truth = np.stack([batch.voices > 0, batch.voices > 1], axis=2).astype(np.float32)
        if self.config.needs_teacher:
            assert batch.teacher is not None
            truth += self.teacher_share * (batch.teacher - truth)
        return torch.from_numpy(truth)

    def forward(self, outputs: Tensor, batch: ConversationBatch, share: float = 1.0) -> dict[str, Tensor]:
        """The losses of logits (batch, n_outputs, 2), by name."""
        targets = self.targets(batch).to(outputs.device)
        losses = F.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean((0, 1))
        return {"speech": losses[0], "overlap": losses[1]}


def validate_on(
    dev: PackedConversations, objective: ActivityObjective, batch_size: int, context: int
) -> Validation:
    """The mean losses on all conversations of a set, named dev_speech and dev_overlap."""

    @torch.no_grad()
    def losses_on_dev(network: ActivityNetwork) -> dict[str, float]:
        sums: dict[str, float] = {}
        for first in range(0, len(dev), batch_size):
            rows = np.arange(first, min(first + batch_size, len(dev)))
            losses = objective.losses(network, dev.batch(rows, context))
            for name, loss in losses.items():
                sums[f"dev_{name}"] = sums.get(f"dev_{name}", 0.0) + len(rows) * float(loss)
        return {name: value / len(dev) for name, value in sums.items()}

    return losses_on_dev


def train_activity(
    network: ActivityNetwork,
    conversations: PackedConversations,
    dev: PackedConversations,
    config: TrainingConfig,
    folder: str | Path,
    *,
    loss: ActivityLossConfig | None = None,
    device: str = "cpu",
    start: Path | None = None,
) -> ActivityNetwork:
    """Train a network on packed conversations, as `diarize.training.loop.train` does.

    The sum of the losses on `dev`, conversations of other speakers, is the validation loss.

    Raises
    ------
    ModelError
        As `train` does.
    ConfigError
        If there are fewer conversations than a batch needs.
    """
    objective = ActivityObjective(loss or ActivityLossConfig())
    sampler = ConversationSampler(
        conversations, config.batch_size, network.context, config.seed, augment=config.augment
    )
    validation = validate_on(dev, objective, config.batch_size, network.context)
    return train(
        network, sampler, objective, config, folder, validation=validation, device=device, start=start
    )


def read_training(
    table: Mapping[str, Any],
    source: str,
    unused: Sequence[str] = UNUSED,
    why: str = "a batch has whole conversations, and the validation loss is that of all of --dev",
) -> TrainingConfig:
    """The settings of a [training] table for batches of other things than segments.

    Raises
    ------
    ConfigError
        If a setting does not apply to these batches, and as `validate` does.
    """
    if found := [name for name in table if name in unused]:
        raise ConfigError(f"{source}: setting 'training.{found[0]}' is not used: {why}; remove it")
    return validate(TrainingConfig, table, source)
