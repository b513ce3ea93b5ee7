"""Embeddings of a teacher, as targets of a distillation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diarize.audio import load_audio
from diarize.embedding.encoders import find_network
from diarize.errors import DiarizeError
from diarize.files.arrays import read_arrays
from diarize.training.augment import change_speed
from diarize.training.packed import PackedFeatures

OWN_SHARE = 0.4
"""Weight of a recording's own embedding in its target; the mean of its speaker has the rest."""


class Teacher:
    """The embeddings (n_speeds, dim) of a recording at several speeds, by a third-party network."""

    def __init__(self, name: str, speeds: Sequence[float]) -> None:
        self.network, self.speeds = find_network(name), speeds

    def __call__(self, path: str) -> NDArray[np.float32]:
        """The embeddings of one recording, given its path."""
        samples = load_audio(path)
        changed = [samples if speed == 1.0 else change_speed(samples, speed) for speed in self.speeds]
        return np.stack([self.network.utterance(one) for one in changed])


def blend_targets(vectors: NDArray[np.float32], speakers: Sequence[str]) -> NDArray[np.float32]:
    """Targets (n_recordings, n_speeds, dim) of length 1 from a teacher's embeddings of the same shape.

    A recording's target is 0.4 times its embedding plus 0.6 times the mean of its speaker's at that speed,
    minus the mean of all.
    """
    _, speaker = np.unique(speakers, return_inverse=True)
    sums = np.zeros((speaker.max() + 1, *vectors.shape[1:]))
    np.add.at(sums, speaker, vectors)
    means = sums / np.bincount(speaker)[:, None, None]
    targets = OWN_SHARE * vectors + (1 - OWN_SHARE) * means[speaker]
    targets -= targets.mean(axis=(0, 1))
    targets /= np.linalg.norm(targets, axis=2, keepdims=True)
    return targets.astype(np.float32)


def load_targets(path: Path, packed: PackedFeatures, dim: int) -> NDArray[np.float32]:
    """The teacher's embeddings (n_recordings, n_speeds, dim) of packed features.

    Raises
    ------
    DiarizeError
        If the file is missing, or was made for other recordings or another size of embeddings.
    """
    if not path.is_file():
        raise DiarizeError(f"{path}: missing; make it with recipes/embed_teacher.py, or set distillation = 0")
    targets = read_arrays(path, ["targets"]).get("targets", np.zeros(0, np.float32))
    if targets.ndim != 3:
        raise DiarizeError(f"{path}: no embeddings of a teacher; make it with recipes/embed_teacher.py")
    n_recordings = int(packed.clip.max()) + 1
    if (len(targets), targets.shape[2]) != (n_recordings, dim):
        raise DiarizeError(
            f"{path}: {len(targets)} recordings of dim {targets.shape[2]}, "
            f"but {n_recordings} are packed and [network] has dim {dim}"
        )
    return targets
