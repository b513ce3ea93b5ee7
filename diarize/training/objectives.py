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
    """The class of the objective of a kind of loss.

    Raises
    ------
    ConfigError
        If the kind is unknown; the message lists the known ones.
    """
    found: type[NamedObjective] = find_class(OBJECTIVES, kind, "loss")
    return found


def read_loss(table: Mapping[str, Any], source: str) -> LossConfig:
    """The settings of a [loss] table; error messages begin with `source`.

    Settings of other kinds of loss are ignored, so that the kind in a file can be overridden.

    Raises
    ------
    ConfigError
        If the kind is unknown, no kind has a setting, or a value is impossible.
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
    """Raise a ConfigError if a kind of loss does not take the outputs of the network."""
    objective = objective_class(config.kind)
    if config.layer is not None and objective.takes == "cosines":
        raise ConfigError(
            f"[loss] kind = '{config.kind}' takes cosines, which only the last layer gives; leave out layer"
        )
    if config.layer is None and objective.takes not in (network.gives, "anything"):
        fitting = [kind for kind in OBJECTIVES if objective_class(kind).takes in (network.gives, "anything")]
        raise ConfigError(
            f"[loss] kind = '{config.kind}' does not fit the network {type(network).__name__}: it takes "
            f"{objective.takes}, but the network gives {network.gives}; "
            f"choose another kind ({', '.join(fitting)}) or another network"
        )


def build_objective(
    config: LossConfig,
    network: Network,
    mel: Tensor,
    n_speakers: int,
    n_segments: int,
    targets: NDArray[np.float32] | None = None,
) -> NamedObjective:
    """The objective of a [loss] table for a network, which runs once on `mel` (1, n_frames, n_mels).

    Raises
    ------
    ConfigError
        If the kind of loss does not fit the network's outputs, or every weight is 0.
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
