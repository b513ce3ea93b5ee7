"""`Voices`, the record of the stage `embed`, and the parts of the recording in which local speakers talk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diarize.embedding.protocol import Vectors
from diarize.segments import Segment
from diarize.speech.hysteresis import runs
from diarize.speech.local import FRAME_LENGTH, Local

LEAST_ALONE = 0.2
"""Seconds; a local speaker who talks less than this alone is embedded with the overlapping speech."""


class Voices(NamedTuple):
    """Windows of the speech of a recording, in the order of their starts, and their embeddings (n, dim)."""

    windows: Sequence[Segment]
    vectors: Vectors
    pieces: Sequence[Segment] = ()
    """Shorter windows for the resegmentation; empty without it."""
    piece_vectors: Vectors = np.empty((0, 0), np.float32)
    local: NDArray[np.intp] = np.empty((0, 2), np.intp)
    """(n, 2): the window and the number of each local speaker who talks, in the order of the windows."""
    local_vectors: Vectors = np.empty((0, 0), np.float32)
    """(n, dim): embeddings of what they say alone, or of all they say if they hardly talk alone."""
    local_seconds: NDArray[np.float64] = np.empty(0)
    """(n,): seconds of it."""


def local_parts(local: Local | None) -> tuple[NDArray[np.intp], list[Segment], list[list[Segment]]]:
    """Window and number (n, 2) of each local speaker who talks, the span of what they say, and its parts."""
    keys: list[tuple[int, int]] = []
    spans, parts = [], []
    if local is not None:
        active, alone = local.active, local.alone
        enough = alone.sum(axis=1) * FRAME_LENGTH >= LEAST_ALONE
        for window, number in np.argwhere(active.any(axis=1)).tolist():
            said = (alone if enough[window, number] else active)[window, :, number]
            times = (runs(said) + local.firsts[window]) * FRAME_LENGTH
            keys.append((window, number))
            parts.append([Segment(float(start), min(float(end), local.n_seconds)) for start, end in times])
            spans.append(Segment(parts[-1][0].start, parts[-1][-1].end))
    return np.array(keys, np.intp).reshape(-1, 2), spans, parts
