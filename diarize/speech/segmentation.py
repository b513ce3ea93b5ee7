"""Speech and overlapping speech by a third-party network in an ONNX file, for ten seconds at a time.

The network takes samples (batch, 160000) and gives, every 20 ms, probabilities of speech and of overlapping
speech (batch, 500, 2). ``recipes/export_teacher.py segmentation`` writes such a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples, regroup
from diarize.errors import ModelError
from diarize.machine.sessions import first_line, open_session

WINDOW = 10 * SAMPLE_RATE
"""Samples of one window of the network: ten seconds."""

OUTPUT_SAMPLES = 320
"""Samples from one output to the next."""

_HALF = WINDOW // 2
_N_HALF = _HALF // OUTPUT_SAMPLES

SpeechAndOverlap = NDArray[np.float32]


class Segmentation:
    """The network of an ONNX file, on one thread.

    Raises
    ------
    ModelError
        If the file is missing or cannot be read, or its input or output has another shape.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ModelError(f"{path}: no such file; recipes/export_teacher.py segmentation makes one")
        try:
            self._session = open_session(path)
            self._input = self._session.get_inputs()[0].name
            shape = self._hear(np.zeros(WINDOW, np.float32)).shape
        except ModelError:
            raise
        except Exception as error:  # onnxruntime's errors have no common class but Exception
            raise ModelError(
                f"{path}: not a network that takes ten seconds of samples ({first_line(error)})"
            ) from error
        if shape != (2 * _N_HALF, 2):
            raise ModelError(f"{path}: gives {shape} for ten seconds, not two probabilities every 20 ms")

    def __call__(self, samples: Samples) -> SpeechAndOverlap:
        """Probabilities (n, 2) of samples (n_samples,), one row for every 20 ms, the last one included."""
        return np.concatenate([np.zeros((0, 2), np.float32), *self.stream([samples])])

    def stream(self, blocks: Iterable[Samples]) -> Iterator[SpeechAndOverlap]:
        """Probabilities (n, 2) from blocks of samples; the result does not depend on the size of the blocks.

        ::

            samples  |-- half --|-- half --|-- half --|- end -| zeros
            windows  [====================]
                                [=====================]
                                           [==========================]

        Where two windows overlap, the mean of their outputs is taken.
        """
        before: Samples | None = None  # the previous half
        behind: SpeechAndOverlap | None = None  # its outputs from the window that began there
        for half in regroup(blocks, _HALF):
            if before is not None:
                heard = self._hear(np.concatenate([before, half]))
                yield heard[:_N_HALF] if behind is None else (behind + heard[:_N_HALF]) * np.float32(0.5)
                behind = heard[_N_HALF:]
            before = half
        if before is None:
            return
        if behind is None:
            behind = self._hear(before)
        yield behind[: -(-len(before) // OUTPUT_SAMPLES)]

    def _hear(self, samples: Samples) -> SpeechAndOverlap:
        """Probabilities (500, 2) of at most ten seconds, filled up with zeros."""
        window = np.pad(samples, (0, WINDOW - len(samples)))
        (voices,) = self._session.run(None, {self._input: window[None]})
        return np.asarray(voices[0], np.float32)


@cache
def load_segmentation(path: Path) -> Segmentation:
    """The network of a file, which is read only once."""
    return Segmentation(path)
