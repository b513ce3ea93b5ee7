"""Packed features of a training corpus: all clips in one memory-mapped file, and segments cut from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from diarize.audio.features import Frames
from diarize.errors import DiarizeError
from diarize.files.arrays import read_arrays
from diarize.files.atomic import atomic_path

COLUMNS = ("start", "length", "clip", "speaker", "n_mels")
"""The arrays of index.npz."""

Shuffle = Literal["none", "segment", "utterance"]


@dataclass(frozen=True)
class PackedFeatures:
    """Log-mel frames of many clips in one memory-mapped file.

    Attributes
    ----------
    mel : (n_frames, n_mels) float16
        All clips, one after the other.
    start, length : (n_clips,) int
        The first frame of a clip, and its number of frames.
    clip : (n_clips,) int
        Number of the recording that the frames come from; its copies have the same number.
    speaker : (n_clips,) int
        Number of the speaker; a copy at another speed counts as another speaker.
    """

    mel: NDArray[np.float16]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    clip: NDArray[np.int64]
    speaker: NDArray[np.int64]

    @property
    def n_speakers(self) -> int:
        """Number of speakers."""
        return int(self.speaker.max()) + 1

    def select(self, rows: NDArray[np.bool_]) -> PackedFeatures:
        """The clips that a mask (n_clips,) selects; the numbers of clips and speakers do not change."""
        columns = {name: getattr(self, name)[rows] for name in ("start", "length", "clip", "speaker")}
        return PackedFeatures(self.mel, **columns)

    @staticmethod
    def load(folder: str | Path, n_mels: int | None = None) -> PackedFeatures:
        """Packed features of a folder that `pack` wrote; `n_mels`, if given, is what the network takes.

        Raises
        ------
        DiarizeError
            If the folder has none, their number of mels differs, or a clip has no frames.
        """
        folder = Path(folder)
        if not (folder / "index.npz").is_file():
            raise DiarizeError(f"{folder}: no packed features; make them with recipes/pack_features.py")
        index = read_arrays(folder / "index.npz", COLUMNS)
        mel_file = folder / "mel.f16"
        if len(index) < len(COLUMNS) or not mel_file.is_file():
            raise DiarizeError(f"{folder}: incomplete; pack the features again")
        packed = int(index.pop("n_mels"))
        if n_mels not in (None, packed):
            raise DiarizeError(
                f"{folder}: packed with {packed} mels, but the network takes {n_mels}; pack them again"
            )
        if not len(index["length"]) or not index["length"].all():
            raise DiarizeError(f"{folder}: no clips, or a clip without frames; pack the features again")
        if mel_file.stat().st_size != 2 * packed * int(index["length"].sum()):
            raise DiarizeError(f"{mel_file}: not as long as index.npz tells; pack the features again")
        mel = np.memmap(mel_file, dtype=np.float16, mode="r").reshape(-1, packed)
        return PackedFeatures(mel, **index)


def pack(clips: Iterable[tuple[int, int, Frames]], folder: str | Path) -> None:
    """Write (clip, speaker, log-mel (n_frames, n_mels)) to `folder` as they arrive: mel.f16 and index.npz.

    Raises
    ------
    DiarizeError
        If there are no clips.
    """
    folder = Path(folder)
    rows: list[tuple[int, int, int, int]] = []
    n_frames, n_mels = 0, 0
    with atomic_path(folder / "mel.f16", alone=True) as path, path.open("wb") as file:
        for clip, speaker, mel in clips:
            file.write(mel.astype(np.float16).tobytes())
            rows.append((n_frames, len(mel), clip, speaker))
            n_frames += len(mel)
            n_mels = mel.shape[1]
    if not rows:
        raise DiarizeError(f"{folder}: no clips to pack; give a data folder with recordings")
    start, length, clip_number, speaker_number = np.array(rows, dtype=np.int64).T
    with atomic_path(folder / "index.npz", alone=True) as path:
        np.savez(path, start=start, length=length, clip=clip_number, speaker=speaker_number, n_mels=n_mels)


def cut_segments(mel: Frames, length: int, shuffle: Shuffle, random: Generator) -> Frames:
    """Consecutive segments (n, length, n_mels) of a clip's frames (n_frames, n_mels).

    The remainder at its end is dropped; a clip shorter than a segment is padded with zeros.
    """
    if len(mel) < length:
        mel = np.pad(mel, ((0, length - len(mel)), (0, 0)))
    if shuffle == "utterance":
        mel = random.permutation(mel)
    n = len(mel) // length
    segments = mel[: n * length].reshape(n, length, -1).astype(np.float32)
    return np.stack([random.permutation(s) for s in segments]) if shuffle == "segment" else segments


def random_crop(
    features: PackedFeatures, row: int, length: int, random: Generator, shuffle: Shuffle
) -> Frames:
    """At most `length` frames of clip number `row` from a random start: (n_frames, n_mels) float32."""
    start, available = features.start[row], features.length[row]
    if shuffle == "utterance":
        frames = np.sort(random.choice(available, min(available, length), replace=False))
        return features.mel[start + random.permutation(frames)].astype(np.float32)
    offset = int(random.integers(max(1, available - length + 1)))
    mel = features.mel[start + offset : start + min(available, offset + length)].astype(np.float32)
    return random.permutation(mel) if shuffle == "segment" else mel
