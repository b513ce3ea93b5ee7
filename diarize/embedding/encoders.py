"""The choice of the encoders for a model: `find_encoders`."""

from __future__ import annotations

from pathlib import Path

from diarize.embedding.campplus import CampplusNetwork
from diarize.embedding.catalog import CAMPPLUS, RESEMBLYZER
from diarize.embedding.layers import layer_encoder
from diarize.embedding.models import Model, load_model
from diarize.embedding.onnx import OnnxNetwork
from diarize.embedding.protocol import Encoder, Precision
from diarize.embedding.resemblyzer import ResemblyzerNetwork
from diarize.embedding.running import RunningEncoder
from diarize.embedding.separate import SeparateEncoder
from diarize.errors import ConfigError


def find_encoders(
    model: str | Path | Model | None = None,
    device: str = "cpu",
    layer: str | None = None,
    precision: Precision = "float32",
) -> list[Encoder]:
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
        return [find_encoder(each, device, layer, precision) for each in model.split("+")]
    return [find_encoder(model, device, layer, precision)]


def find_encoder(
    model: str | Path | Model | None = None,
    device: str = "cpu",
    layer: str | None = None,
    precision: Precision = "float32",
) -> Encoder:
    """The encoder of a model: a folder, a bundled one by name, FILE.onnx, "campplus" or "resemblyzer".

    With `layer`, the embeddings are the output of that layer of a network of this project.

    Raises
    ------
    ModelError
        If there is no such model, it cannot be read, or it cannot embed windows.
    ConfigError
        If one of its settings is unknown or impossible.
    """
    if isinstance(model, Model):
        return layer_encoder(model, layer, device) if layer else RunningEncoder(model, device, precision)
    if model in (CAMPPLUS, RESEMBLYZER) or (model is not None and Path(model).suffix.lower() == ".onnx"):
        if layer:
            raise ConfigError(f"model {model}: only networks of this project have layers to choose")
        return SeparateEncoder(find_network(model, device))
    return find_encoder(load_model(model, device), device, layer, precision)


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
