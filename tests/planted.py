"""Speakers that a tiny network learns in a moment: noise around a spectral envelope of each one's own."""

from pathlib import Path

import numpy as np
import torch

from diarize.networks import Network, build_network
from diarize.training.packed import PackedFeatures, pack

N_SPEAKERS, N_MELS, N_FRAMES = 12, 24, 20
TINY = {
    "resnet": {"channels": [4, 4, 8], "heads": 2, "dim": 8},
    "tdnn": {"channels": 8, "dilations": [1, 2], "n_features": 12, "heads": 2, "dim": 8},
    "cnn": {"n_speakers": N_SPEAKERS, "n_frames": N_FRAMES},
    "blstm": {"n_speakers": N_SPEAKERS, "hidden": 8},
}
"""Settings of a tiny network of each family."""

SENTENCES = {
    "n_steps": 30, "batches": "sentences", "batch_size": 24, "seconds": (0.2, 0.2), "warm_up": 0,
    "weight_decay": 0.0, "clip_gradient": 0.0, "average": 0.0, "save_every": 10, "mixed_precision": False,
}  # fmt: skip
"""A [training] table for a tiny cnn or blstm, but for the optimizer."""

RATES = {"adamw": 3e-3, "adam": 3e-3, "adadelta": 1.0, "nesterov": 0.05, "sgd": 0.2}
"""A learning rate for each optimizer."""


def clip_of(speaker: int, random: np.random.Generator, n_frames: int = 110) -> np.ndarray:
    """A clip (n_frames, N_MELS) of a speaker."""
    envelope = np.random.default_rng(speaker).normal(0, 1.5, N_MELS)
    return (envelope + random.normal(-6, 1, (n_frames, N_MELS))).astype(np.float32)


def pack_speakers(folder: Path) -> PackedFeatures:
    """Five clips of each speaker, clip number i of speaker i modulo N_SPEAKERS."""
    random = np.random.default_rng(0)
    n_clips = 5 * N_SPEAKERS
    pack(((clip, clip % N_SPEAKERS, clip_of(clip % N_SPEAKERS, random)) for clip in range(n_clips)), folder)
    return PackedFeatures.load(folder)


def tiny_network(family: str = "resnet", output: str = "linear", **changes: object) -> Network:
    """A network of planted weights; `output` is for the classifiers."""
    torch.manual_seed(7)
    tiny = TINY.get(family, {})
    classifier = {"output": output} if "n_speakers" in tiny else {}
    return build_network(family, **(tiny | {"n_mels": N_MELS} | classifier | changes))


def curve_without_seconds(folder: Path) -> list[list[str]]:
    """The cells of curve.tsv but for those of the time."""
    rows = [line.split("\t") for line in (folder / "curve.tsv").read_text().splitlines()]
    assert rows[0][1] == "seconds"
    return [row[:1] + row[2:] for row in rows]
