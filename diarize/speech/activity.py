"""Speech and overlapping speech in a stream of samples, by the bundled network.

Its input is the log-mel frames and Silero's probability, both computed in one pass. A third-party network may
replace it (``segmentation.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples
from diarize.audio.features import FeatureConfig, Frames, stream_log_mel
from diarize.config import load_tables, validate
from diarize.errors import ConfigError, ModelError
from diarize.files.bundled import ACTIVITY
from diarize.machine.ahead import work_ahead
from diarize.machine.threads import one_thread, own_threads
from diarize.networks import make_network
from diarize.networks.activity_network import ActivityNetwork
from diarize.networks.weights import load_weights
from diarize.speech.hysteresis import Probabilities
from diarize.speech.segmentation import load_segmentation
from diarize.speech.silero import BLOCK_FRAMES, FRAME_SAMPLES, silero_blocks

OUTPUT_LENGTH = 0.02
"""Seconds from one output of the network to the next."""

HOP = 160
"""Samples from one log-mel frame to the next; there is an output for every second frame."""

SILENT_FRAME = float(np.log(1e-6))
"""The value of log-mel frames of digital silence, which are added around a recording."""

_CHUNK = 3000  # outputs in one call of the network: a minute


class Activity(NamedTuple):
    """The probabilities that the networks give for a recording, and its length in seconds."""

    speech: Probabilities
    """(n_outputs,), of speech, by the bundled network."""
    overlap: Probabilities
    """(n_outputs,), of overlapping speech."""
    silero: Probabilities
    """(n_frames,), of speech, by Silero's network."""
    n_seconds: float


def detect_activity(
    blocks: Iterable[Samples], model: str | Path | None = None, threads: int | None = None
) -> Activity:
    """The probabilities of the bundled network and Silero's for a recording in blocks.

    The result does not depend on the size of the blocks. With two threads or more, each network has
    a thread of its own.

    Parameters
    ----------
    blocks : iterable of arrays
        Mono samples ``(n,)`` at 16 kHz, in blocks of any size.
    model : path, optional
        A model folder instead of the bundled one, or FILE.onnx (``segmentation.py``).
    threads : int, optional
        By default, torch's number; the result does not depend on it.

    Raises
    ------
    ModelError
        If the model or the network of silero-vad is missing.
    """
    path = Path(model or ACTIVITY)
    heard: list[Probabilities] = []
    n_samples = 0

    def listen(pairs: Iterable[tuple[Samples, Probabilities]]) -> Iterator[Samples]:
        nonlocal n_samples
        for block, speech in pairs:
            n_samples += len(block)
            heard.append(speech)
            yield block

    def frames(blocks: Iterable[Samples], features: FeatureConfig) -> Iterator[tuple[Frames, Probabilities]]:
        first = 0
        for mel in stream_log_mel(blocks, features):
            # Frames need no samples from before the previous block.
            recent = np.concatenate(heard[-2:])
            yield mel, silero_of_frames(recent, max(0, len(heard) - 2) * BLOCK_FRAMES, first, len(mel))
            first += len(mel)

    probabilities = bytearray()  # one buffer: many small arrays would fragment the memory
    threads = threads or own_threads()
    with ExitStack() as stack:
        stack.enter_context(one_thread())
        pairs = stack.enter_context(silero_blocks(blocks, threads))
        if path.suffix.lower() == ".onnx":
            parts = load_segmentation(path).stream(listen(pairs))
        else:
            network, features = load_activity(path)
            calls = _calls(network, frames(listen(pairs), features))
            results = stack.enter_context(work_ahead(partial(_call, network), calls, threads))
            parts = (result for _, result in results)
        for part in parts:
            probabilities += part.tobytes()
    speech, overlap = np.frombuffer(probabilities, np.float32).reshape(-1, 2).T
    silero = np.concatenate([np.zeros(0, np.float32), *heard])
    return Activity(speech, overlap, silero, n_samples / SAMPLE_RATE)


@cache
def load_activity(folder: Path = ACTIVITY) -> tuple[ActivityNetwork, FeatureConfig]:
    """The network of a model folder in evaluation mode, and its features.

    Raises
    ------
    ModelError
        If a part of the folder is missing, or the weights do not fit its config.
    ConfigError
        If a setting in its config is unknown or impossible.
    """
    features, table, source = read_speech_model(folder)
    network = make_network(ActivityNetwork, source, table)
    load_weights(network, folder / "weights.safetensors")
    return network.eval(), features


def read_speech_model(folder: Path) -> tuple[FeatureConfig, dict[str, Any], str]:
    """The features of a model folder, the settings of its network, and their name in messages.

    Raises
    ------
    ModelError
        If the folder has no config.toml.
    ConfigError
        If a setting in it is unknown or impossible, or its log-mel frames do not suit frames of 20 ms.
    """
    path = folder / "config.toml"
    if not path.is_file():
        raise ModelError(f"model folder {folder}: no config.toml")
    tables = load_tables(path, ("features", "network"))
    features = validate(FeatureConfig, tables["features"], str(path))
    if features.hop != HOP or features.compression != "ln":
        raise ConfigError(f"{path}: [features] needs hop = {HOP} and compression = 'ln'")
    return features, {"n_mels": features.n_mels, **tables["network"]}, f"{path}: [network]"


def silero_of_frames(probabilities: Probabilities, before: int, first: int, n_frames: int) -> Probabilities:
    """Silero's probabilities at the middles of log-mel frames `first` to `first + n_frames`: (n_frames,).

    `probabilities` (n,) are those from frame `before` on. Log-mel frame t is centred on sample 160 t. The
    last one may lie at the end of Silero's last frame, and gets its probability.
    """
    index = np.arange(first, first + n_frames) * HOP // FRAME_SAMPLES - before
    return probabilities[np.minimum(index, len(probabilities) - 1)]


def pad_frames(mel: Frames, silero: Probabilities, left: int, right: int) -> tuple[Frames, Probabilities]:
    """Frames (n_frames, n_mels) and Silero's probabilities (n_frames,) with silence on both sides."""
    padded = np.pad(mel, ((left, right), (0, 0)), constant_values=SILENT_FRAME)
    return padded, np.pad(silero, (left, right))


@torch.inference_mode()
def _call(network: ActivityNetwork, frames: tuple[Frames, Probabilities]) -> NDArray[np.float32]:
    """Probabilities (n_outputs, 2) from frames (n_frames, n_mels) and Silero's probabilities (n_frames,)."""
    mel, silero = (torch.from_numpy(each).unsqueeze(0) for each in frames)
    probabilities: NDArray[np.float32] = network(mel, silero).squeeze(0).sigmoid().numpy()
    return probabilities


def _calls(
    network: ActivityNetwork, frames: Iterable[tuple[Frames, Probabilities]]
) -> Iterator[tuple[Frames, Probabilities]]:
    """The frames of each call, from blocks of frames. Calls have a fixed size, whatever that of the blocks.

    ::

        silence |  frames ...                                     | silence
        [== context ==]                output j depends on the context frames from 2 j on, so its middle
          [== context ==]              is frame 2 j of the recording; a call has _CHUNK outputs, and the
            [== ...                    frames that the next one needs again are kept
    """
    half, length = network.context // 2, network.context + 2 * (_CHUNK - 1)
    mel = np.full((half, network.n_mels), SILENT_FRAME, np.float32)
    silero = np.zeros(half, np.float32)
    n_frames = n_outputs = 0
    for new_mel, new_silero in frames:
        mel, silero = np.concatenate([mel, new_mel]), np.concatenate([silero, new_silero])
        n_frames += len(new_mel)
        while len(mel) >= length:
            yield mel[:length], silero[:length]
            n_outputs += _CHUNK
            mel, silero = mel[2 * _CHUNK :], silero[2 * _CHUNK :]
    if rest := (n_frames + 1) // 2 - n_outputs:
        mel, silero = pad_frames(mel, silero, 0, half)
        n_needed = network.context + 2 * (rest - 1)
        yield mel[:n_needed], silero[:n_needed]
