"""Local speakers: which of a few speakers talk, frame by frame, in overlapping windows of a recording.

::

    samples    ........................................................
    windows    [======== 10 s ========]
                     [======================]
                           [======================]     each has speakers of its own, 0, 1, ...

Who they are in the recording is found later, by their voices (``pipeline/local_speakers.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples, regroup
from diarize.machine.threads import one_thread, own_threads, set_own_threads
from diarize.segments import Segment

FRAME_SAMPLES = 320
"""Samples from one frame to the next."""

FRAME_LENGTH = FRAME_SAMPLES / SAMPLE_RATE
"""Seconds from one frame to the next: 0.02."""

_BATCH = 8
"""Windows in one call of the network."""

_SHORTEST = 50
"""Frames of a window, at least: a second."""


class Local(NamedTuple):
    """Which local speakers talk in windows of one length."""

    firsts: NDArray[np.int64]
    """(n_windows,): the first frame of each window."""
    active: NDArray[np.bool_]
    """(n_windows, n_frames, n_local): whether a local speaker talks in a frame, in its likeliest class."""
    speech: NDArray[np.float32]
    """(n_windows, n_frames): probability that somebody talks."""
    n_seconds: float
    """Length of the recording."""

    @property
    def n_frames(self) -> int:
        """Frames of the recording, the last one included."""
        return -(-round(self.n_seconds * SAMPLE_RATE) // FRAME_SAMPLES)

    @property
    def alone(self) -> NDArray[np.bool_]:
        """Whether a local speaker is the only one who talks, (n_windows, n_frames, n_local)."""
        return self.active & (self.active.sum(axis=2, keepdims=True) == 1)

    def mean(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """The mean over windows (n_frames of the recording, ...) of values (n_windows, n_frames, ...)."""
        n, length = values.shape[:2]
        total = max(self.n_frames, int(self.firsts[-1]) + length if n else 0)
        sums = np.zeros((total, *values.shape[2:]))
        n_windows = np.zeros(total)
        for first, each in zip(self.firsts, values, strict=True):
            sums[first : first + length] += each
            n_windows[first : first + length] += 1
        shape = (-1, *[1] * (sums.ndim - 1))
        return (sums / np.maximum(n_windows, 1).reshape(shape))[: self.n_frames]

    def within(self, segments: Iterable[Segment]) -> Local:
        """The same, but nobody talks outside the segments."""
        length = self.active.shape[1]
        inside = frames_inside(segments, max(self.n_frames, *(self.firsts + length), 0))
        at = inside[self.firsts[:, None] + np.arange(length)]  # (n_windows, n_frames)
        return self._replace(active=self.active & at[..., None], speech=self.speech * at)


def frames_inside(segments: Iterable[Segment], n_frames: int) -> NDArray[np.bool_]:
    """Whether each frame (n_frames,) lies in a segment, whose times are rounded to frames."""
    inside = np.zeros(n_frames, bool)
    for each in segments:
        inside[round(each.start / FRAME_LENGTH) : round(each.end / FRAME_LENGTH)] = True
    return inside


class Segmenter(Protocol):
    """A network of local speakers, and what it takes."""

    @property
    def members(self) -> NDArray[np.bool_]:
        """The local speakers of each class, (n_classes, n_local); nobody is the first class."""
        ...

    @property
    def rows_a_frame(self) -> int:
        """Rows of its input for a frame of 20 ms."""
        ...

    @property
    def silence(self) -> float:
        """The value of its input in digital silence."""
        ...

    def rows(self, blocks: Iterable[Samples]) -> Iterator[NDArray[np.float32]]:
        """Its input (n, ...) from blocks of samples."""
        ...

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (batch, n_frames, n_classes) of windows (batch, n_rows, ...); for several threads."""
        ...


def detect_local(
    blocks: Iterable[Samples], segmenter: Segmenter, window: float, hop: float, threads: int | None = None
) -> Local:
    """The local speakers of a recording in blocks of any size, on which the result does not depend.

    The last window ends with the recording. A recording that is shorter than a window is one window, of a
    second or more.

    Parameters
    ----------
    blocks : iterable of arrays
        Mono samples (n,) at 16 kHz.
    segmenter : Segmenter
    window, hop : float
        Seconds.
    threads : int, optional
        By default, torch's number; the result does not depend on it.
    """
    threads = threads or own_threads()
    sizes: list[int] = []
    firsts: list[int] = []
    found: list[NDArray[np.float32]] = []
    with one_thread(), ThreadPoolExecutor(threads, initializer=set_own_threads) as executor:
        pending: deque[Future[NDArray[np.float32]]] = deque()
        for some in _batches(_windows(segmenter, blocks, window, hop, sizes), firsts):
            pending.append(executor.submit(segmenter, some))
            while len(pending) > 4:
                found.append(pending.popleft().result())
        found += [each.result() for each in pending]
    members = segmenter.members
    classes = np.concatenate(found) if found else np.zeros((0, 1, len(members)), np.float32)
    active = members[classes.argmax(axis=2)]
    return Local(np.array(firsts, np.int64), active, 1 - classes[..., 0], sum(sizes) / SAMPLE_RATE)


def _windows(
    segmenter: Segmenter, blocks: Iterable[Samples], window: float, hop: float, sizes: list[int]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The first frame and the rows of each window; the sizes of blocks of samples go to `sizes`."""
    length, step = 2 * round(window / FRAME_LENGTH / 2), max(1, round(hop / FRAME_LENGTH))
    per = segmenter.rows_a_frame
    held: NDArray[np.float32] | None = None
    offset = behind = 0  # the frame with which `held` begins, and the first of the next window

    def counted() -> Iterator[Samples]:
        for block in regroup(blocks, SAMPLE_RATE):
            sizes.append(len(block))
            yield block

    for rows in segmenter.rows(counted()):
        held = rows if held is None else np.concatenate([held, rows])
        while len(held) >= (behind + length - offset) * per:
            yield behind, held[(behind - offset) * per :][: length * per]
            behind += step
        keep = max(0, behind - step)  # the last window begins there or later
        held, offset = held[(keep - offset) * per :], keep
    if held is None or not sum(sizes):
        return
    n_frames = -(-sum(sizes) // FRAME_SAMPLES)
    first = n_frames - length
    if behind == 0:
        first, length = 0, max(n_frames + n_frames % 2, _SHORTEST)
    elif first <= behind - step:
        return
    rows = held[(first - offset) * per :][: length * per]
    missing = [(0, length * per - len(rows))] + [(0, 0)] * (rows.ndim - 1)
    yield first, np.pad(rows, missing, constant_values=segmenter.silence)


def _batches(
    windows: Iterable[tuple[int, NDArray[np.float32]]], firsts: list[int]
) -> Iterator[NDArray[np.float32]]:
    """The rows of several windows, stacked; the first frame of each goes to `firsts`."""
    held: list[NDArray[np.float32]] = []
    for first, rows in windows:
        firsts.append(first)
        held.append(rows)
        if len(held) == _BATCH:
            yield np.stack(held)
            held = []
    if held:
        yield np.stack(held)
