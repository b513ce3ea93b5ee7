"""Windows that a network embeds one by one, in batches.

::

    samples    ........[====== window ======]........
    min_samples    [......... widened .........]        around the middle, moved inside at the ends
    max_samples           [=== cut ===]                 around the middle
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np

from diarize.audio import SAMPLE_RATE, Samples
from diarize.embedding.protocol import Task, Vectors, WindowNetwork
from diarize.embedding.stream import StreamBuffer
from diarize.segments import Segment

BATCH_WINDOWS = 32
BATCH_SECONDS = 60.0
"""A batch has at most this many windows, and about this many seconds; a longer window is a batch."""


class SeparateEncoder:
    """The encoder for networks that take the samples of windows."""

    def __init__(self, model: WindowNetwork) -> None:
        self.model = model

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        return self.model.dim

    def tasks(
        self,
        blocks: Iterable[Samples],
        windows: list[Segment],
        mixed: list[Segment],
        parts: Sequence[Sequence[Segment] | None],
    ) -> Iterator[Task]:
        """One task for each batch of windows. Mixed segments are not excluded.

        The parts of a window are joined, and repeated up to the shortest window of the network.

        Raises
        ------
        AudioError
            If a window begins after the end of the samples.
        """
        spans = [self.span(window) for window in windows]
        begins = [int(window.start * SAMPLE_RATE) for window in windows]
        # The earliest start of this window and all later ones; at the end, windows are moved to the left.
        earliest = [min(begin, start) - length for begin, (start, length) in zip(begins, spans, strict=True)]
        keeps = np.minimum.accumulate(earliest[::-1])[::-1]
        buffer, batch, n_samples = StreamBuffer(blocks), list[Samples](), 0
        for begin, (start, length), keep, chosen in zip(begins, spans, keeps, parts, strict=True):
            if len(batch) == BATCH_WINDOWS or (batch and n_samples + length > BATCH_SECONDS * SAMPLE_RATE):
                yield partial(self._embed, batch)
                batch, n_samples = [], 0
            buffer.fill(begin, start + length, int(keep))
            start = max(0, min(start, buffer.end - length))
            piece = buffer.repeat_edges(start, min(start + length, buffer.end))
            if chosen:
                edges = [(round(s.start * SAMPLE_RATE), round(s.end * SAMPLE_RATE)) for s in chosen]
                joined = np.concatenate([piece[max(0, a - start) : max(0, b - start)] for a, b in edges])
                length = min(max(len(joined), self.model.min_samples), self.model.max_samples)
                piece = np.resize(joined, length) if len(joined) else piece[:length]
            batch.append(np.pad(piece, (0, length - len(piece))))
            n_samples += length
        yield partial(self._embed, batch)

    def span(self, window: Segment) -> tuple[int, int]:
        """The first sample and the number of samples of a window, as if the recording had no ends."""
        asked = max(1, round(window.duration * SAMPLE_RATE))
        length = min(max(asked, self.model.min_samples), self.model.max_samples)
        if length == asked:
            return round(window.start * SAMPLE_RATE), length
        return max(0, round(window.middle * SAMPLE_RATE) - length // 2), length

    def _embed(self, batch: list[Samples]) -> Vectors:
        vectors = np.empty((len(batch), self.dim), dtype=np.float32)
        for length in {len(samples) for samples in batch}:
            rows = [row for row, samples in enumerate(batch) if len(samples) == length]
            vectors[rows] = self.model.embed(np.stack([batch[row] for row in rows]))
        return vectors
