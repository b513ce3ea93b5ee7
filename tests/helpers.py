"""What tests need that no network was trained for."""

from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import torch

from diarize.audio.features import FeatureConfig, log_mel
from diarize.embedding.models import Model, load_model, save_model
from diarize.networks import build_network
from diarize.networks.resnet import ResNet

REPOSITORY = Path(__file__).resolve().parent.parent
SMALL = {"family": "resnet", "channels": [8, 8, 16], "heads": 4, "dim": 32}


def small_network() -> ResNet:
    """A random network, always the same, whose normalisations have heard the demo: its vectors differ."""
    torch.manual_seed(1)
    network = build_network(**SMALL)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.momentum = None  # the statistics become those of all that is heard
    samples, _ = soundfile.read(REPOSITORY / "egs" / "demo" / "meeting.flac", dtype="float32")
    mel = log_mel(samples)[:6400].reshape(32, 200, -1)
    with torch.no_grad():
        network(torch.from_numpy(mel))
    return network.eval()


def write_small_model(folder: Path) -> Path:
    """The folder, with the small network in it as a model."""
    save_model(folder, small_network(), FeatureConfig(), SMALL, "# small\n\nRandom weights, for tests.\n")
    return folder


@cache
def small_model(folder: Path) -> Model:
    """The small network as it is loaded from a folder."""
    return load_model(write_small_model(folder))


def unit_rows(n: int, dim: int, seed: int = 0) -> np.ndarray:
    """Random directions (n, dim) in float64."""
    rows = np.random.default_rng(seed).standard_normal((n, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
