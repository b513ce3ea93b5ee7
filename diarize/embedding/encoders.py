"""The choice of the encoders for a model: `find_encoders`."""

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


def find_encoders(model: str | Path | Model | None = None, device: str = "cpu") -> list[Encoder]:
    """The encoders of a model: one as in `find_encoder`, or those of several joined by "+", such as
    "campplus+voices". The name of a folder or file may have a "+" in it.

    Raises
    ------
    ModelError
        As `find_encoder`.
    ConfigError
        As `find_encoder`.
    """
    if isinstance(model, str) and "+" in model and not Path(model).exists():
        return [find_encoder(each, device) for each in model.split("+")]
    return [find_encoder(model, device)]


def find_encoder(model: str | Path | Model | None = None, device: str = "cpu") -> Encoder:
    """The encoder of a model: a folder, a bundled one by name, FILE.onnx, "campplus" or "resemblyzer".

    Raises
    ------
    ModelError
        If there is no such model, it cannot be read, or it cannot embed windows.
    ConfigError
        If one of its settings is unknown or impossible.
    """
    if isinstance(model, Model):
        return RunningEncoder(model, device)
    if model in (CAMPPLUS, RESEMBLYZER) or (model is not None and Path(model).suffix.lower() == ".onnx"):
        return SeparateEncoder(find_network(model, device))
    return RunningEncoder(load_model(model, device), device)


def find_network(
    model: str | Path, device: str = "cpu"
) -> OnnxNetwork | CampplusNetwork | ResemblyzerNetwork:
    """The third-party network of a model: "campplus", "resemblyzer", or FILE.onnx.

    Raises
    ------
    ModelError
        If it is missing or cannot be read.
    ConfigError
        If one of its settings is unknown or impossible.
    """
    if model == CAMPPLUS:
        return CampplusNetwork(device)
    return ResemblyzerNetwork(device) if model == RESEMBLYZER else OnnxNetwork(Path(model), device)
