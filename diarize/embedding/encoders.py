"""Ways from windows of a recording to vectors, by model: ``find_encoder``."""

from __future__ import annotations

from pathlib import Path

from diarize.embedding.campplus import CampplusNetwork
from diarize.embedding.catalog import CAMPPLUS, RESEMBLYZER
from diarize.embedding.models import Model, load_model
from diarize.embedding.onnx import OnnxNetwork
from diarize.embedding.protocol import Encoder
from diarize.embedding.resemblyzer import ResemblyzerNetwork
from diarize.embedding.running import RunningEncoder
from diarize.embedding.separate import SeparateEncoder


def find_encoder(model: str | Path | Model | None = None, device: str = "cpu") -> Encoder:
    """The encoder of a model: a folder, a bundled one by name, FILE.onnx, "campplus" or "resemblyzer".

    Raises
    ------
    ModelError
        When there is no such model, it cannot be read, or it embeds no windows.
    ConfigError
        For an unknown or impossible setting of it.
    """
    if isinstance(model, Model):
        return RunningEncoder(model, device)
    if model in (CAMPPLUS, RESEMBLYZER) or (model is not None and Path(model).suffix.lower() == ".onnx"):
        return SeparateEncoder(find_network(model, device))
    return RunningEncoder(load_model(model, device), device)


def find_network(
    model: str | Path, device: str = "cpu"
) -> OnnxNetwork | CampplusNetwork | ResemblyzerNetwork:
    """The network of others that a model is: "campplus", "resemblyzer", or FILE.onnx.

    Raises
    ------
    ModelError
        When it is missing or cannot be read.
    ConfigError
        For an unknown or impossible setting of it.
    """
    if model == CAMPPLUS:
        return CampplusNetwork(device)
    return ResemblyzerNetwork(device) if model == RESEMBLYZER else OnnxNetwork(Path(model), device)
