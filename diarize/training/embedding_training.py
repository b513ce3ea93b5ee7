"""The training of embedding networks on packed features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.errors import ConfigError
from diarize.networks import Network
from diarize.training.contract import LossConfig, Objective
from diarize.training.embedding_objective import EmbeddingLossConfig
from diarize.training.loop import Validation, seeded, train
from diarize.training.objectives import build_objective, check_loss
from diarize.training.optimizers import TrainingConfig
from diarize.training.packed import PackedFeatures
from diarize.training.samplers import SegmentBatch, SentenceSampler, SpeakerSampler


def train_embedding(
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
    on_checkpoint: Callable[[int, Network], dict[str, float]] | None = None,
    start: Path | None = None,
) -> Network:
    """Train a network on packed features, as `diarize.training.loop.train` does.

    The loss on `validation`, other clips of the same speakers, is the column validation_loss of the curve.
    `targets` (n_clips, n_speeds, dim) come from a teacher.

    Raises
    ------
    ModelError
        As `train` does.
    ConfigError
        If there are fewer speakers than a batch needs, the loss does not fit the network or the batches, the
        segments do not fit the network, or a speaker of `validation` has no clips for training.
    """
    loss = loss or EmbeddingLossConfig()
    shortest, longest = (input_frames(network, seconds, frame_rate) for seconds in config.seconds)
    _check(network, features, config, loss, validation, {shortest, longest})
    mel = torch.zeros(1, longest, features.mel.shape[1], device=next(network.parameters()).device)
    with seeded(config.seed, device):
        objective = build_objective(loss, network, mel, features.n_speakers, config.n_segments, targets)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    sampler = build_sampler(features, config, (shortest, longest))
    validate = None
    if validation is not None:
        batches = "speakers" if loss.needs_speakers else "sentences"
        changes = {"batches": batches, "augment": False}
        held_out = build_sampler(validation, config.model_copy(update=changes), (longest, longest))
        held_out_batches = [held_out.batch(number) for number in range(config.validation_batches)]
        validate = _validation(objective, held_out_batches, config.mixed_precision)
    return train(
        network,
        sampler,
        objective,
        config,
        folder,
        validation=validate,
        device=device,
        on_checkpoint=on_checkpoint,
        start=start,
    )


def build_sampler(
    features: PackedFeatures, config: TrainingConfig, n_frames: tuple[int, int]
) -> SpeakerSampler | SentenceSampler:
    """The batches of a [training] table, each with a random length between two numbers of frames."""
    if config.batches == "sentences":
        return SentenceSampler(features, config.batch_size, n_frames, config.seed, config.shuffle)
    return SpeakerSampler(
        features,
        config.n_speakers,
        config.n_segments,
        n_frames,
        config.seed,
        config.shuffle,
        augment=config.augment,
    )


def input_frames(network: Network, seconds: float, frame_rate: float) -> int:
    """Input frames that pool to `seconds`: `stride` frames for every output, plus the context."""
    n_outputs = round(seconds * frame_rate / network.stride)
    return network.context + network.stride * (n_outputs - 1)


def _validation(objective: Objective, batches: list[SegmentBatch], mixed: bool) -> Validation:
    """The mean loss of a network on given batches."""

    @torch.no_grad()
    def validate(network: Network) -> dict[str, float]:
        losses = [sum(objective.losses(network, batch, mixed=mixed).values()) for batch in batches]
        return {"validation_loss": float(np.mean([float(loss) for loss in losses]))}

    return validate


def _check(
    network: Network,
    features: PackedFeatures,
    config: TrainingConfig,
    loss: LossConfig,
    validation: PackedFeatures | None,
    n_frames: set[int],
) -> None:
    """Raise a ConfigError if settings contradict each other."""
    check_loss(loss, network)
    if loss.needs_speakers and config.batches != "speakers":
        raise ConfigError(
            f"[loss] kind = '{loss.kind}' compares segments of one speaker and needs [training] "
            "batches = 'speakers'" + ("; set it, or prototypical = 0" if loss.kind == "embedding" else "")
        )
    if network.n_frames is not None and n_frames != {network.n_frames}:
        raise ConfigError(
            f"[training] seconds = {list(config.seconds)} are {min(n_frames)} to {max(n_frames)} frames, "
            f"but [network] n_frames = {network.n_frames}; make them equal"
        )
    if validation is not None and not np.isin(validation.speaker, features.speaker).all():
        raise ConfigError(
            "all sentences of a speaker are held out; keep sentences of every speaker for training"
        )
