"""Packed features of a training corpus, and batches of random sentences or of P speakers with K segments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from diarize.audio.features import Frames
from diarize.errors import ConfigError, DiarizeError
from diarize.files.atomic import atomic_path
from diarize.training.augment import mask, tilt


@dataclass(frozen=True)
class PackedFeatures:
    """Log-mel frames of many clips in one memory-mapped file.

    Attributes
    ----------
    mel : (n_frames, n_mels) float16
        All clips, one after the other.
    start, length : (n_clips,) int
        Where a clip's frames begin, and how many they are.
    clip : (n_clips,) int
        Number of the recording that the frames come from; its copies share it.
    speaker : (n_clips,) int
        Number of the speaker; another speed counts as another speaker.
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
        """The clips of a mask (n_clips,), with the same numbers of clips and speakers."""
        columns = {name: getattr(self, name)[rows] for name in ("start", "length", "clip", "speaker")}
        return PackedFeatures(self.mel, **columns)

    @staticmethod
    def load(folder: str | Path, n_mels: int | None = None) -> PackedFeatures:
        """Packed features of a folder that `pack` wrote, for a network of `n_mels`, where that is given.

        Raises
        ------
        DiarizeError
            When the folder holds none, or of another number of mels.
        """
        folder = Path(folder)
        if not (folder / "index.npz").is_file():
            raise DiarizeError(f"{folder}: no packed features; make them with recipes/pack_features.py")
        with np.load(folder / "index.npz", allow_pickle=False) as index:
            columns = {name: index[name] for name in ("start", "length", "clip", "speaker")}
            packed = int(index["n_mels"])
        if n_mels not in (None, packed):
            raise DiarizeError(
                f"{folder}: packed with {packed} mels, the network takes {n_mels}; pack them again"
            )
        mel = np.memmap(folder / "mel.f16", dtype=np.float16, mode="r").reshape(-1, packed)
        return PackedFeatures(mel, **columns)


def pack(clips: Iterable[tuple[int, int, Frames]], folder: str | Path) -> None:
    """Write (clip, speaker, log-mel (n_frames, n_mels)) as they come to `folder`: mel.f16 and index.npz."""
    folder = Path(folder)
    rows: list[tuple[int, int, int, int]] = []
    n_frames, n_mels = 0, 0
    with atomic_path(folder / "mel.f16") as path, path.open("wb") as file:
        for clip, speaker, mel in clips:
            file.write(mel.astype(np.float16).tobytes())
            rows.append((n_frames, len(mel), clip, speaker))
            n_frames += len(mel)
            n_mels = mel.shape[1]
    start, length, clip_number, speaker_number = np.array(rows, dtype=np.int64).T
    with atomic_path(folder / "index.npz") as path:
        np.savez(path, start=start, length=length, clip=clip_number, speaker=speaker_number, n_mels=n_mels)


@dataclass(frozen=True)
class Batch:
    """Segments of one length; of a `SpeakerSampler`, the K segments of each of P speakers are neighbours.

    Attributes
    ----------
    mel : (batch_size, n_frames, n_mels) float32
    speaker, clip : (batch_size,) int
    """

    mel: Frames
    speaker: NDArray[np.int64]
    clip: NDArray[np.int64]


Shuffle = Literal["none", "segment", "utterance"]


class SentenceSampler:
    """Batches of segments, each from a uniformly random clip, at a uniformly random start.

    A clip that is shorter than a segment runs on into zeros. Batch number `step` hangs on the seed and the
    step alone, so that a training that was interrupted goes on with the batches it would have had.

    References
    ----------
    Lukic et al., "Learning embeddings for speaker clustering based on voice equality", MLSP 2017.
    """

    def __init__(
        self, features: PackedFeatures, batch_size: int, seed: int, shuffle: Shuffle = "none"
    ) -> None:
        self.features, self.batch_size, self.seed, self.shuffle = features, batch_size, seed, shuffle

    def batch(self, step: int, n_frames: tuple[int, int]) -> Batch:
        """Batch number `step`, of a random length between the two given ones (frames, inclusive)."""
        random = np.random.default_rng([self.seed, step])
        length = int(random.integers(n_frames[0], n_frames[1] + 1))
        rows = random.integers(len(self.features.start), size=self.batch_size)
        mel = np.zeros((self.batch_size, length, self.features.mel.shape[1]), dtype=np.float32)
        for segment, row in zip(mel, rows, strict=True):
            crop = random_crop(self.features, row, length, random, self.shuffle)
            segment[: len(crop)] = crop
        return Batch(mel, self.features.speaker[rows], self.features.clip[rows])


class SpeakerSampler:
    """Batches of `n_speakers` speakers with `n_segments` segments each, from different clips where there are.

    A speaker is drawn with a weight of the square root of his clips. A clip that is shorter than a segment
    is repeated. With `augment` the spectrograms are tilted and masked. Batch number `step` hangs on the
    seed and the step alone.

    Raises
    ------
    ConfigError
        When there are fewer speakers than a batch needs.
    """

    def __init__(
        self,
        features: PackedFeatures,
        n_speakers: int,
        n_segments: int,
        seed: int,
        shuffle: Shuffle = "none",
        *,
        augment: bool = True,
    ) -> None:
        self.features, self.n_speakers, self.n_segments, self.seed = features, n_speakers, n_segments, seed
        self.shuffle, self.augment = shuffle, augment
        self.speakers = np.unique(features.speaker)
        if n_speakers > len(self.speakers):
            raise ConfigError(
                f"a batch of {n_speakers} speakers needs as many, "
                f"the features hold {len(self.speakers)}; lower n_speakers"
            )
        self.rows = [np.flatnonzero(features.speaker == speaker) for speaker in self.speakers]
        weight = np.sqrt([len(rows) for rows in self.rows])
        self.weight = weight / weight.sum()

    def batch(self, step: int, n_frames: tuple[int, int]) -> Batch:
        """Batch number `step`, of a random length between the two given ones (frames, inclusive)."""
        random = np.random.default_rng([self.seed, step])
        length = int(random.integers(n_frames[0], n_frames[1] + 1))
        speakers = random.choice(len(self.rows), self.n_speakers, replace=False, p=self.weight)
        rows = np.concatenate([self._segments(speaker, random) for speaker in speakers])
        mel = np.stack([self._segment(row, length, random) for row in rows])
        return Batch(mel, self.features.speaker[rows], self.features.clip[rows])

    def _segments(self, speaker: int, random: Generator) -> NDArray[np.int64]:
        shuffled = random.permutation(self.rows[speaker])
        # The first copy of each clip, then the other copies.
        _, first = np.unique(self.features.clip[shuffled], return_index=True)
        ordered = np.concatenate([shuffled[np.sort(first)], np.delete(shuffled, first)])
        return np.resize(ordered, self.n_segments)

    def _segment(self, row: int, length: int, random: Generator) -> Frames:
        mel = random_crop(self.features, row, length, random, self.shuffle)
        mel = np.tile(mel, (-(-length // len(mel)), 1))[:length]
        return mask(tilt(mel, random), random) if self.augment else mel


def cut_segments(mel: Frames, length: int, shuffle: Shuffle, random: Generator) -> Frames:
    """Consecutive segments (n, length, n_mels) of a clip's frames (n_frames, n_mels), to embed or name it.

    What is left over at its end is dropped; a clip shorter than a segment runs on into zeros.
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
    """At most `length` frames from a random start of clip number `row`: (n_frames, n_mels) float32."""
    start, available = features.start[row], features.length[row]
    if shuffle == "utterance":
        frames = np.sort(random.choice(available, min(available, length), replace=False))
        return features.mel[start + random.permutation(frames)].astype(np.float32)
    offset = int(random.integers(max(1, available - length + 1)))
    mel = features.mel[start + offset : start + min(available, offset + length)].astype(np.float32)
    return random.permutation(mel) if shuffle == "segment" else mel
