"""The part of a stream of frames or samples that is still needed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from diarize.errors import AudioError


class StreamBuffer:
    """A buffer of arrays that come one by one, along their first axis, without the part already used."""

    def __init__(self, blocks: Iterable[NDArray[np.float32]]) -> None:
        self._blocks = iter(blocks)
        self._held: NDArray[np.float32] | None = None
        self._offset = 0
        self._ended = False

    @property
    def end(self) -> int:
        """The length read so far; the length of the stream once `fill` has reached its end."""
        return 0 if self._held is None else self._offset + len(self._held)

    def fill(self, start: int, stop: int, keep: int) -> None:
        """Read until `stop` or the end of the stream; the part before `keep` may be dropped.

        Raises
        ------
        AudioError
            If the stream ends at `start` or before.
        """
        while not self._ended and self.end < stop:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
            else:
                held = block if self._held is None else np.concatenate([self._held, block])
                drop = min(max(0, keep - self._offset), max(0, len(held) - 1))
                self._held, self._offset = held[drop:], self._offset + drop
        if start >= self.end or not self.end:
            raise AudioError("a window begins after the recording's end; check that the times fit the audio")

    def repeat_edges(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows from `start` to `stop`; the first and the last row of the stream repeat beyond it."""
        assert self._held is not None
        index = np.arange(start, stop) - self._offset
        return self._held[index.clip(0, len(self._held) - 1)]
