"""Batches of packed features: random sentences, or K segments of each of P speakers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from diarize.audio.features import Frames
from diarize.errors import ConfigError
from diarize.training.augment import mask, tilt
from diarize.training.packed import PackedFeatures, Shuffle, random_crop


@dataclass(frozen=True)
class SegmentBatch:
    """Segments of one length. In a `SpeakerSampler`'s, the K segments of each of P speakers are neighbours.

    Attributes
    ----------
    mel : (batch_size, n_frames, n_mels) float32
    speaker, clip : (batch_size,) int
    """

    mel: Frames
    speaker: NDArray[np.int64]
    clip: NDArray[np.int64]

    @property
    def inputs(self) -> tuple[Tensor]:
        """The spectrograms."""
        return (torch.from_numpy(self.mel),)


class SentenceSampler:
    """Batches of segments, each from a uniformly random clip, at a uniformly random start.

    A batch has a random length between the two of `n_frames` (inclusive). A clip that is shorter than a
    segment is padded with zeros.

    References
    ----------
    Lukic et al., "Learning embeddings for speaker clustering based on voice equality", MLSP 2017.
    """

    def __init__(
        self,
        features: PackedFeatures,
        batch_size: int,
        n_frames: tuple[int, int],
        seed: int,
        shuffle: Shuffle = "none",
    ) -> None:
        self.features, self.batch_size, self.n_frames = features, batch_size, n_frames
        self.seed, self.shuffle = seed, shuffle

    def batch(self, number: int) -> SegmentBatch:
        """Batch number `number`, from 0."""
        random = np.random.default_rng([self.seed, number])
        length = int(random.integers(self.n_frames[0], self.n_frames[1] + 1))
        rows = random.integers(len(self.features.start), size=self.batch_size)
        mel = np.zeros((self.batch_size, length, self.features.mel.shape[1]), dtype=np.float32)
        for segment, row in zip(mel, rows, strict=True):
            crop = random_crop(self.features, row, length, random, self.shuffle)
            segment[: len(crop)] = crop
        return SegmentBatch(mel, self.features.speaker[rows], self.features.clip[rows])


class SpeakerSampler:
    """Batches of `n_speakers` speakers with `n_segments` segments each, if possible from different clips.

    The weight of a speaker in the draw is the square root of its number of clips. A batch has a random length
    between the two of `n_frames` (inclusive). A clip that is shorter than a segment is repeated. With
    `augment` the spectrograms are tilted and masked.

    Raises
    ------
    ConfigError
        If there are fewer speakers than a batch needs.
    """

    def __init__(
        self,
        features: PackedFeatures,
        n_speakers: int,
        n_segments: int,
        n_frames: tuple[int, int],
        seed: int,
        shuffle: Shuffle = "none",
        *,
        augment: bool = True,
    ) -> None:
        self.features, self.n_speakers, self.n_segments = features, n_speakers, n_segments
        self.n_frames, self.seed, self.shuffle, self.augment = n_frames, seed, shuffle, augment
        self.speakers = np.unique(features.speaker)
        if n_speakers > len(self.speakers):
            raise ConfigError(
                f"a batch needs {n_speakers} speakers, "
                f"but the features have {len(self.speakers)}; lower [training] n_speakers"
            )
        self.rows = [np.flatnonzero(features.speaker == speaker) for speaker in self.speakers]
        weight = np.sqrt([len(rows) for rows in self.rows])
        self.weight = weight / weight.sum()

    def batch(self, number: int) -> SegmentBatch:
        """Batch number `number`, from 0."""
        random = np.random.default_rng([self.seed, number])
        length = int(random.integers(self.n_frames[0], self.n_frames[1] + 1))
        speakers = random.choice(len(self.rows), self.n_speakers, replace=False, p=self.weight)
        rows = np.concatenate([self._segments(speaker, random) for speaker in speakers])
        mel = np.stack([self._segment(row, length, random) for row in rows])
        return SegmentBatch(mel, self.features.speaker[rows], self.features.clip[rows])

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


class ConversationRows:
    """Random conversations of a packed set, by their numbers, none twice in a batch.

    Raises
    ------
    ConfigError
        If there are fewer conversations than a batch needs.
    """

    def __init__(self, n_conversations: int, batch_size: int, seed: int) -> None:
        self.n_conversations, self.batch_size, self.seed = n_conversations, batch_size, seed
        if batch_size > n_conversations:
            raise ConfigError(
                f"a batch needs {batch_size} conversations, "
                f"but {n_conversations} are packed; lower batch_size"
            )

    def draw(self, number: int) -> tuple[NDArray[np.intp], Generator]:
        """The conversations (batch_size,) of batch `number`, from 0, and its random generator."""
        random = np.random.default_rng([self.seed, number])
        return random.choice(self.n_conversations, self.batch_size, replace=False), random
