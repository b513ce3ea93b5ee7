"""Windows of packed conversations, with the powerset classes of their speakers, as batches of a training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from diarize.errors import DiarizeError
from diarize.files.arrays import map_array
from diarize.networks import pyannet
from diarize.training.augment import mask, tilt
from diarize.training.samplers import ConversationRows

Classes = tuple[tuple[int, ...], ...]

LONGEST_MASK = 20
"""Outputs of the longest span that is masked in the frames of a trunk."""

TEACHER_FRAMES = 250
"""Targets of 40 ms in a window of the teacher."""


@dataclass(frozen=True)
class LocalBatch:
    """Windows of conversations.

    Attributes
    ----------
    network_input : (batch_size, n_frames, n_mels) or (batch_size, n_outputs, n_components) float32
        Spectrograms, or the frames of a trunk.
    targets : (batch_size, n_outputs, n_classes) float32
        Probabilities of the classes; all zero where the classes cannot say who speaks.
    """

    network_input: NDArray[np.float32]
    targets: NDArray[np.float32]

    @property
    def inputs(self) -> tuple[Tensor]:
        """The input of the network."""
        return (torch.from_numpy(self.network_input),)


class PackedConversations:
    """The output of `pack_conversations.py` in one folder or several, memory-mapped.

    Raises
    ------
    DiarizeError
        If a folder has no conversations, their number of mels differs, or its files do not fit together.
    """

    def __init__(
        self, *folders: Path, teacher: bool = False, frames: bool = False, n_mels: int | None = None
    ) -> None:
        self.frames = frames
        names = ["mel", "speakers"] + ["teacher"] * teacher + ["frames"] * frames
        self.parts: list[dict[str, NDArray[Any]]] = []
        self.rows: list[tuple[int, int]] = []
        for folder in folders:
            part = _open(folder, names, n_mels)
            if teacher:
                part["members"] = members_of_teacher(part["teacher"], part["speakers"])
            self.rows += [(len(self.parts), row) for row in range(len(part["mel"]))]
            self.parts.append(part)

    @property
    def n_outputs(self) -> int:
        """Outputs, of 40 ms, of a conversation."""
        return self.parts[0]["mel"].shape[1] // 4

    def __len__(self) -> int:
        return len(self.rows)

    def window(self, index: int, first: int, n: int, classes: Classes, share: float) -> LocalBatch:
        """Outputs `first` to `first + n` of a conversation, without a batch's first axis."""
        number, row = self.rows[index]
        part = self.parts[number]
        bits = part["speakers"][row, 2 * first : 2 * (first + n) : 2]
        table = class_table(tuple(longest_speakers(bits, max(map(max, classes[1:])) + 1)), classes)
        targets = np.zeros((n, len(classes) + 1), np.float32)  # the last: those that no class can tell
        frames = np.arange(n)
        targets[frames, table[bits]] = 1
        if share:
            targets *= 1 - share
            window = (first + frames) // TEACHER_FRAMES
            said = table[part["members"][row, window]]  # (n, 7)
            for member in range(said.shape[1]):
                probability = part["teacher"][row, window, (first + frames) % TEACHER_FRAMES, member]
                targets[frames, said[:, member]] += share * probability.astype(np.float32)
        targets[targets[:, -1] > 0.5] = 0
        if self.frames:
            return LocalBatch(part["frames"][row, first : first + n].astype(np.float32), targets[:, :-1])
        mel = part["mel"][row, 4 * first : 4 * (first + n)].astype(np.float32)
        return LocalBatch(mel, targets[:, :-1])


def _open(folder: Path, names: list[str], n_mels: int | None) -> dict[str, NDArray[Any]]:
    try:
        arrays = {name: map_array(folder / f"{name}.npy") for name in names}
    except FileNotFoundError as error:
        makers = {"teacher": "pack_conversations.py --local-teacher", "frames": "pack_frames.py"}
        maker = makers.get(Path(error.filename).stem, "pack_conversations.py")
        raise DiarizeError(f"{error.filename}: missing; make it with recipes/{maker}") from error
    n, n_frames, packed = arrays["mel"].shape
    if n_mels not in (None, packed):
        raise DiarizeError(
            f"{folder}: packed with {packed} mels, but the network takes {n_mels}; pack them again"
        )
    expected = {
        "speakers": (n, n_frames // 2),
        "teacher": (n, n_frames // 4 // TEACHER_FRAMES, TEACHER_FRAMES, len(pyannet.CLASSES)),
        "frames": (n, n_frames // 4),
    }
    for name, shape in expected.items():
        if name in arrays and (arrays[name].shape[: len(shape)] != shape or n_frames % 4):
            raise DiarizeError(
                f"{folder / name}.npy: {arrays[name].shape} does not fit mel.npy with "
                f"{arrays['mel'].shape}; pack them again"
            )
    if not n:
        raise DiarizeError(f"{folder}: no conversations; pack one or more")
    return arrays


def members_of_teacher(teacher: NDArray[Any], speakers: NDArray[Any]) -> NDArray[np.uint8]:
    """The speakers, as bits, of each class of the teacher in each of its windows: (n, n_windows, 7).

    Each of its local speakers is the speaker of the truth whose activity differs least from the local one's,
    one to one, or no one who is known (bit 7) if the activity differs least from silence.
    """
    n, n_windows = teacher.shape[:2]
    members = np.zeros((n, n_windows, len(pyannet.CLASSES)), np.uint8)
    speaks = np.array([[k in each for k in range(3)] for each in pyannet.CLASSES], np.float32)
    for row in range(n):
        truth = (speakers[row, ::2, None] >> np.arange(7) & 1).astype(np.float32)
        for window in range(n_windows):
            local = teacher[row, window].astype(np.float32) @ speaks  # (250, 3)
            part = truth[window * TEACHER_FRAMES : (window + 1) * TEACHER_FRAMES]
            costs = np.abs(local[:, :, None] - part[:, None, :]).sum(0)  # (3, 7)
            nobody = np.repeat(local.sum(0)[:, None], 3, axis=1)
            who = linear_sum_assignment(np.hstack([costs, nobody]))[1]
            bit = np.where(who < 7, 1 << np.minimum(who, 7), 1 << 7)
            # A column of a speaker who is silent here is nobody as well.
            heard = np.append(part.any(axis=0), True)
            silent = ~heard[np.minimum(who, 7)]
            bit[silent] = 1 << 7
            for number, each in enumerate(pyannet.CLASSES):
                members[row, window, number] = np.bitwise_or.reduce(bit[list(each)]) if each else 0
    return members


def longest_speakers(bits: NDArray[Any], n_local: int) -> list[int]:
    """The numbers of the at most `n_local` speakers who speak longest, of bits (n,)."""
    seconds = (bits[:, None] >> np.arange(7) & 1).sum(0)
    return [int(k) for k in np.argsort(-seconds, kind="stable")[:n_local] if seconds[k]]


@cache
def class_table(local: tuple[int, ...], classes: Classes) -> NDArray[np.intp]:
    """The class (256,) of each set of speakers, as bits, if `local` are the local speakers.

    A set that no class can tell has the number of the classes. Bit 7, nobody who is known, is ignored.
    """
    table = np.full(256, len(classes), np.intp)
    for number, each in enumerate(classes):
        if all(k < len(local) for k in each):
            table[sum(1 << local[k] for k in each)] = number
    table[128:] = table[:128]
    return table


class LocalSampler:
    """Batches of random windows of random conversations (`ConversationRows`)."""

    def __init__(
        self,
        conversations: PackedConversations,
        classes: Classes,
        batch_size: int,
        n_outputs: int,
        seed: int,
        *,
        teacher: float = 0.0,
        augment: bool = True,
    ) -> None:
        self.conversations, self.classes, self.n_outputs = conversations, classes, n_outputs
        self.teacher, self.augment = teacher, augment
        self.rows = ConversationRows(len(conversations), batch_size, seed)

    def batch(self, number: int) -> LocalBatch:
        """Batch number `number`, from 0."""
        return self.windows(*self.rows.draw(number))

    def windows(self, rows: NDArray[np.intp], random: Generator) -> LocalBatch:
        """A random window of each of the given conversations, augmented."""
        n_possible = self.conversations.n_outputs - self.n_outputs + 1
        found = []
        for row in rows:
            first = int(random.integers(n_possible))
            one = self.conversations.window(int(row), first, self.n_outputs, self.classes, self.teacher)
            found.append(LocalBatch(self._augmented(one.network_input, random), one.targets))
        return LocalBatch(
            np.stack([one.network_input for one in found]), np.stack([one.targets for one in found])
        )

    def _augmented(self, given: NDArray[np.float32], random: Generator) -> NDArray[np.float32]:
        """Tilted and masked mels, or frames of a trunk in which two short spans are the mean."""
        if not self.augment:
            return given
        if not self.conversations.frames:
            return mask(tilt(given, random), random)
        masked = given.copy()
        for _ in range(2):
            first = int(random.integers(len(given)))
            masked[first : first + int(random.integers(LONGEST_MASK))] = 0
        return masked
