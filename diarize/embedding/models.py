"""Model folders: weights.safetensors, config.toml with the tables of MODEL_TABLES, MODEL_CARD.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import nn

from diarize.audio.features import FeatureConfig
from diarize.config import MODEL_TABLES, Settings, load_tables, validate
from diarize.config.toml import format_toml
from diarize.embedding.catalog import DEFAULT_MODEL, About, bundled_models
from diarize.errors import ConfigError, ModelError
from diarize.files.bundled import BUNDLED
from diarize.files.text import write_text
from diarize.networks import DEFAULT_FAMILY, Network, build_network
from diarize.networks.weights import load_weights, save_weights
from diarize.speakers.enrolment import Verifier, load_verifier
from diarize.speakers.plda import Backend, load_backend


class SegmentsConfig(Settings):
    """The table [segments] of a config.toml: how a network of fixed segments, a cnn or blstm, embeds."""

    seconds: float = Field(gt=0, le=60, description="length of a segment")
    hop: float = Field(0.1, ge=0.01, le=60, description="from one segment to the next, in seconds")
    layer: str = Field("output", description="the layer whose mean over the segments is the embedding")


@dataclass(frozen=True)
class Model:
    """An embedding network in evaluation mode, and the features that it was trained on."""

    name: str
    network: Network
    features: FeatureConfig
    fingerprint: str
    """The first 12 hexadecimal digits of the SHA-256 of the weights file."""
    backend: Backend | None = None
    """How its embeddings vary within and between speakers; None if the folder has no back end."""
    segments: SegmentsConfig | None = None
    """How a network of fixed segments embeds; None for others."""
    verifier: Verifier | None = None
    """The law of the scores of known voices; None if the folder has none."""


def load_model(model: str | Path | None = None, device: str = "cpu") -> Model:
    """A model from its folder, a bundled model by its name or, for None, the default one.

    Raises
    ------
    ModelError
        If there is no such folder, a part of it is missing, or the weights do not fit its config.
    ConfigError
        If a setting in its config is unknown or impossible.
    """
    name = str(DEFAULT_MODEL if model is None else model)
    folder = BUNDLED / name if name in bundled_models() else Path(name)
    config_path, weights_path = folder / "config.toml", folder / "weights.safetensors"
    if not folder.is_dir():
        raise ModelError(f"no model folder {name}; bundled models: {', '.join(bundled_models())}")
    for path in (config_path, weights_path):
        if not path.is_file():
            raise ModelError(f"model folder {folder}: no {path.name}")
    tables = load_tables(config_path, MODEL_TABLES)
    features = validate(FeatureConfig, tables["features"], str(config_path))
    validate(About, tables["about"], str(config_path))
    network = build_from_config(tables["network"], features, str(config_path))
    load_weights(network, weights_path)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    digest = sha256(weights_path.read_bytes()).hexdigest()[:12]
    segments = validate(SegmentsConfig, tables["segments"], str(config_path)) if tables["segments"] else None
    backend, verifier = load_backend(folder, digest), load_verifier(folder, digest)
    return Model(folder.name, network.eval(), features, digest, backend, segments, verifier)


def build_from_config(table: Mapping[str, Any], features: FeatureConfig, source: str) -> Network:
    """A network with initial weights, from a [network] table, for these features. Errors name `source`.

    Raises
    ------
    ConfigError
        If a setting is unknown or impossible, or the number of mels is not that of the features.
    """
    values = {"family": DEFAULT_FAMILY, "n_mels": features.n_mels, **table}
    if values["n_mels"] != features.n_mels:
        raise ConfigError(
            f"{source}: [network] takes {values['n_mels']} mels, [features] has {features.n_mels}"
        )
    try:
        return build_network(**values)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


def save_model(
    folder: str | Path,
    network: nn.Module,
    features: FeatureConfig,
    network_table: Mapping[str, Any],
    card: str,
    segments: SegmentsConfig | None = None,
) -> None:
    """Write a model folder. `network_table` has the arguments of `build_network`; `card` is Markdown."""
    folder = Path(folder)
    save_weights(network, folder / "weights.safetensors")
    tables = {"features": features.model_dump(), "network": network_table}
    write_config(folder, tables | ({} if segments is None else {"segments": segments.model_dump()}))
    write_text(card, folder / "MODEL_CARD.md")


def write_config(folder: Path, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the config.toml of a model folder from its tables."""
    write_text(format_toml(tables), folder / "config.toml")
