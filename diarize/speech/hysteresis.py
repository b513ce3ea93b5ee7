"""Probabilities of frames to segments, with two thresholds, also block by block.

::

    p >= onset                     ####     ###                           ##
    p >= offset                   ######  ######          ###            ####
                                        ^^ short dip      ^^^ no segment: never reaches onset
    segments                       #############                          ###
    with padding                 ++#############++                      ++###++
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.config import SpeechConfig
from diarize.segments import Segment

Probabilities = NDArray[np.float32]

_ROUNDING = 1e-9  # seconds, because sums of frame lengths are not exact


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """The five parameters that turn probabilities into segments.

    A segment begins where the probability reaches `onset`. It ends where the probability falls below `offset`
    and stays there for `min_silence`. Segments shorter than `min_speech` are dropped; the others grow by
    `padding` on both sides, join where they meet, and end with the recording.

    Attributes
    ----------
    onset, offset : float
        Probabilities.
    min_speech, min_silence, padding : float
        Seconds.
    """

    onset: float
    offset: float
    min_speech: float = 0.0
    min_silence: float = 0.0
    padding: float = 0.0

    @classmethod
    def of(cls, config: SpeechConfig) -> Hysteresis:
        """The parameters from the settings; `offset` is at least 0.01."""
        offset = max(config.onset - config.release, 0.01)
        return cls(config.onset, offset, config.min_speech, config.min_silence, config.padding)

    def segments(self, probabilities: NDArray[Any], frame_length: float, n_seconds: float) -> list[Segment]:
        """The segments of a whole recording.

        Parameters
        ----------
        probabilities : array, shape (n_frames,)
        frame_length : float
            Seconds from one frame to the next.
        n_seconds : float
            Duration of the recording.
        """
        stream = SegmentStream(self, frame_length)
        return [*stream.push(probabilities), *stream.end(n_seconds)]


class SegmentStream:
    """Segments from blocks of probabilities; the result does not depend on the size of the blocks.

    Parameters
    ----------
    shape : Hysteresis
    frame_length : float
        Seconds from one frame to the next.
    """

    def __init__(self, shape: Hysteresis, frame_length: float) -> None:
        self.shape, self.frame_length = shape, frame_length
        self._n_frames = 0
        self._last = 0  # frame after the last one that reached the offset
        self._first: int | None = None  # the first frame that reached the onset since speech ended
        self._open = False  # whether speech may continue
        self._pending: tuple[float, float] | None = None  # the segment that a later one may join

    def push(self, probabilities: NDArray[Any]) -> Iterator[Segment]:
        """The segments that are final after these further probabilities (n_frames,)."""
        found = np.asarray(probabilities)
        for first, last in runs(found >= self.shape.offset).tolist():
            yield from self._go_on(self._n_frames + first)
            self._open = True
            if self._first is None:
                reached = np.flatnonzero(found[first:last] >= self.shape.onset)
                self._first = self._n_frames + first + int(reached[0]) if len(reached) else None
            self._last = self._n_frames + last
        self._n_frames += len(found)
        yield from self._go_on(self._n_frames)

    def end(self, n_seconds: float) -> Iterator[Segment]:
        """The remaining segments, if the recording ends after `n_seconds`."""
        yield from self._close(n_seconds)
        if self._pending is not None:
            yield Segment(self._pending[0], min(self._pending[1], n_seconds))
            self._pending = None

    def _go_on(self, frame: int) -> Iterator[Segment]:
        """The segments that are final if all frames from the last one to `frame` are silent."""
        silence = (frame - self._last) * self.frame_length
        if self._open and frame > self._last and silence >= self.shape.min_silence - _ROUNDING:
            yield from self._close(None)
        if not self._open and self._pending is not None:
            earliest = frame * self.frame_length - self.shape.padding  # start of a later segment
            if earliest > self._pending[1] + 2 * _ROUNDING:
                yield Segment(*self._pending)
                self._pending = None

    def _close(self, n_seconds: float | None) -> Iterator[Segment]:
        """End the open speech. If it does not join the pending segment, that one is final."""
        first, self._first, self._open = self._first, None, False
        if first is None:
            return
        limit = float("inf") if n_seconds is None else n_seconds
        start, end = first * self.frame_length, min(self._last * self.frame_length, limit)
        if end - start < self.shape.min_speech - _ROUNDING:
            return
        start, end = max(start - self.shape.padding, 0.0), min(end + self.shape.padding, limit)
        if self._pending is not None:
            before = min(self._pending[1], limit)
            if start <= before + _ROUNDING:
                start = self._pending[0]
            else:
                yield Segment(self._pending[0], before)
        self._pending = start, end


def runs(active: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The first frame of each run of true frames and the frame after its last one, shape ``(n_runs, 2)``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]])))
    return edges.reshape(-1, 2)
