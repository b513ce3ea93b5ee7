"""Local speakers by a third-party network in an ONNX file, for ten seconds at a time.

The network takes samples (batch, n_samples) or (batch, 1, n_samples) and gives log-probabilities, logits or
probabilities (batch, n_frames, n_classes) of the powerset classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples
from diarize.errors import ModelError
from diarize.machine.sessions import first_line, open_session
from diarize.networks.local_network import members_of, powerset
from diarize.speech.local import FRAME_SAMPLES

WINDOW = 10 * SAMPLE_RATE
"""Samples of a window of the network: ten seconds."""

SPEAKERS = {4: (2, 2), 7: (3, 2), 11: (4, 2), 15: (4, 3), 16: (4, 4)}
"""The speakers of a window, and those who talk at the same time at most, by the number of classes."""


class OnnxSegmenter:
    """The network of an ONNX file, on one thread. It implements `diarize.speech.local.Segmenter`.

    Raises
    ------
    ModelError
        If the file is missing or cannot be read, or its input or output has another shape.
    """

    rows_a_frame, silence = FRAME_SAMPLES, 0.0

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ModelError(f"{path}: no such file")
        self.path = path
        try:
            self._session = open_session(path)
            first = self._session.get_inputs()[0]
            self._input, self._shape = first.name, first.shape
            found = self._run(np.zeros((1, WINDOW), np.float32))
        except ModelError:
            raise
        except Exception as error:  # onnxruntime's errors have no common class but Exception
            raise ModelError(
                f"{path}: not a network that takes ten seconds of samples ({first_line(error)})"
            ) from error
        if found.ndim != 3 or len(found) != 1 or not found.shape[1]:
            raise ModelError(f"{path}: gives {found.shape} for ten seconds, not (1, n_frames, n_classes)")
        n_classes = found.shape[2]
        if n_classes not in SPEAKERS:
            known = ", ".join(map(str, SPEAKERS))
            raise ModelError(f"{path}: gives {n_classes} classes; known numbers of classes: {known}")
        n_local, n_together = SPEAKERS[n_classes]
        self.members = members_of(powerset(n_local, n_together), n_local)
        self._normal = bool(found.min() >= 0 and np.allclose(found.sum(axis=2), 1, atol=1e-3))

    def rows(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """The samples themselves."""
        yield from blocks

    def __call__(self, windows: Samples) -> NDArray[np.float32]:
        """Probabilities (batch, n_frames, n_classes) of samples (batch, n_samples), of ten seconds or less.

        The frames of the network are spread evenly over ten seconds, and each frame of 20 ms gets the one
        with the nearest middle::

            samples     |== window ==| zeros |
            network     |   :   :   :   :   :|
            20 ms       | | | | | | |          a frame is in the frame of the network that holds its middle

        Raises
        ------
        ModelError
            If the windows are longer.
        """
        n_samples = windows.shape[1]
        if n_samples > WINDOW:
            raise ModelError(
                f"{self.path}: takes windows of 10 s, not {n_samples / SAMPLE_RATE:g}; lower speech.window"
            )
        found = self._run(np.pad(windows, ((0, 0), (0, WINDOW - n_samples))))
        if not self._normal:
            found = np.exp(found - found.max(axis=2, keepdims=True))
            found /= found.sum(axis=2, keepdims=True)
        middles = (np.arange(n_samples // FRAME_SAMPLES) + 0.5) * FRAME_SAMPLES
        return found[:, (middles * found.shape[1] / WINDOW).astype(int)]

    def _run(self, windows: Samples) -> NDArray[np.float32]:
        """The output of the network for windows (batch, 160000), one by one if its batch has one window."""
        if len(self._shape) == 3:
            windows = windows[:, None]
        parts = np.split(windows, len(windows)) if self._shape[0] == 1 else [windows]
        found = [self._session.run(None, {self._input: part})[0] for part in parts]
        return np.concatenate(found).astype(np.float32)
