"""The probability of speech in frames of 32 ms, by Silero's network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples, regroup
from diarize.errors import ModelError
from diarize.machine.ahead import work_ahead
from diarize.machine.threads import one_thread
from diarize.networks.silero import N_INPUTS, SileroNetwork, State, load_silero
from diarize.speech.hysteresis import Probabilities

FRAME_SAMPLES = 512
FRAME_LENGTH = FRAME_SAMPLES / SAMPLE_RATE
"""Seconds of a frame: 0.032."""

BLOCK_FRAMES = 512  # frames in one call of a detector: 16.4 s
_CONTEXT_SAMPLES = N_INPUTS - FRAME_SAMPLES  # from the previous frame, in front of each frame


def cut_frames(block: Samples) -> NDArray[np.float32]:
    """Samples (n,) as frames (n_frames, 512), the last one filled up with zeros."""
    return np.pad(block, (0, -len(block) % FRAME_SAMPLES)).reshape(-1, FRAME_SAMPLES)


class Silero:
    """Silero's network; its state and the last samples are kept from call to call."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._context = np.zeros((1, _CONTEXT_SAMPLES), np.float32)

    @torch.inference_mode()
    def __call__(self, frames: NDArray[np.float32]) -> Probabilities:
        """Probabilities (n,) of speech in the frames (n, 512) that follow those of the previous call."""
        before = np.concatenate([self._context, frames[:-1, -_CONTEXT_SAMPLES:]])
        self._context = frames[-1:, -_CONTEXT_SAMPLES:]
        with one_thread():
            inputs = torch.from_numpy(np.concatenate([before, frames], axis=1))
            found, self._state = _silero_network()(inputs, self._state)
        probabilities: Probabilities = found.numpy()
        return probabilities


def silero_blocks(
    blocks: Iterable[Samples], threads: int
) -> AbstractContextManager[Iterator[tuple[Samples, Probabilities]]]:
    """The samples in blocks of BLOCK_FRAMES frames, each with its probabilities (n_frames,).

    With two threads or more, the network runs in one of its own, ahead of the consumer (`work_ahead`). The
    last frame is filled up with zeros. The result depends neither on the threads nor on the given blocks.
    """
    silero = Silero()
    regrouped = regroup(blocks, BLOCK_FRAMES * FRAME_SAMPLES)
    return work_ahead(lambda block: silero(cut_frames(block)), regrouped, threads)


@cache
@torch.inference_mode(False)  # what is kept can be used for gradients as well
def _silero_network() -> SileroNetwork:
    """The network. Its file is found without importing silero_vad."""
    package = find_spec("silero_vad")
    folder = Path(package.origin).parent if package and package.origin else Path()
    path = folder / "data" / "silero_vad_16k_sequence.onnx"
    if not package or not path.is_file():
        raise ModelError(
            "the speech network is missing; pip install 'silero-vad>=6.2.3', or set speech.detector to energy"
        )
    return load_silero(path)
