"""The kinds of [loss] by name, ``read_loss`` and ``build_objective``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diarize.config import validate
from diarize.config.registry import find_class
from diarize.errors import ConfigError
from diarize.networks import Network
from diarize.networks.contract import layer_output
from diarize.training.contract import Facts, LossConfig, NamedObjective

# kind: module and class
OBJECTIVES = {
    "embedding": ("diarize.training.embedding_objective", "EmbeddingObjective"),
    "cross-entropy": ("diarize.training.speaker_objectives", "CrossEntropy"),
    "pairwise-kl": ("diarize.training.speaker_objectives", "PairwiseKL"),
    "angular-margin": ("diarize.training.speaker_objectives", "AngularMargin"),
}


def objective_class(kind: str) -> type[NamedObjective]:
    """The objective of a kind of loss.

    Raises
    ------
    ConfigError
        For an unknown kind, with the known ones.
    """
    found: type[NamedObjective] = find_class(OBJECTIVES, kind, "loss")
    return found


def read_loss(table: Mapping[str, Any], source: str) -> LossConfig:
    """The settings of a [loss] table; `source` is named in errors.

    What only other kinds of loss know is passed over, so that another kind can be set over a file.

    Raises
    ------
    ConfigError
        For an unknown kind, a setting that no kind has, and an impossible value.
    """
    try:
        kinds = {kind: objective_class(kind).settings for kind in OBJECTIVES}
        settings = objective_class(table.get("kind", "embedding")).settings
    except ConfigError as error:
        raise ConfigError(f"{source}: [loss]: {error}") from error
    of_others = {name for each in kinds.values() for name in each.model_fields} - set(settings.model_fields)
    own = {name: value for name, value in table.items() if name not in of_others}
    return validate(settings, own, f"{source}: [loss]")


def check_loss(config: LossConfig, network: Network) -> None:
    """Raise a ConfigError where a kind of loss does not take what the network gives."""
    objective = objective_class(config.kind)
    if config.layer is not None and objective.takes == "cosines":
        raise ConfigError(
            f"[loss] kind = '{config.kind}' takes cosines, which the last layer alone gives; leave out layer"
        )
    if config.layer is None and objective.takes not in (network.gives, "anything"):
        fitting = [kind for kind in OBJECTIVES if objective_class(kind).takes in (network.gives, "anything")]
        raise ConfigError(
            f"[loss] kind = '{config.kind}' does not fit the network {type(network).__name__}: it takes "
            f"{objective.takes}, the network gives {network.gives}; take another kind ({', '.join(fitting)}) "
            "or another network"
        )


def build_objective(
    config: LossConfig,
    network: Network,
    mel: Tensor,
    n_speakers: int,
    n_segments: int,
    targets: NDArray[np.float32] | None = None,
) -> NamedObjective:
    """The objective of a [loss] table for a network; the network hears `mel` (1, n_frames, n_mels) once.

    Raises
    ------
    ConfigError
        When the kind of loss and the network's outputs do not belong together, or nothing is minimised.
    """
    check_loss(config, network)
    objective = objective_class(config.kind)
    training = network.training
    with torch.no_grad():
        shape = tuple(layer_output(network.eval(), config.layer, mel).shape[1:])
    network.train(training)
    if len(shape) != 1 and objective.takes != "anything":
        raise ConfigError(
            f"[loss] layer = '{config.layer}' gives {shape} numbers for a segment; name a layer that gives "
            "one vector"
        )
    return objective(config, Facts(shape[-1], n_speakers, n_segments, targets))
