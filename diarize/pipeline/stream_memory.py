"""What is kept of a stream: its latest part, and a choice of the windows before.

::

    windows    w   w  w    | w w w w w w w w w |  heard again
    pieces                 | ................. |
    speech                 | ===== ==== ====== |
                        complete             settled
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diarize.clustering.partitions import Labels
from diarize.embedding.record import Voices
from diarize.segments import TOUCH, Segment, join_segments
from diarize.speakers.online import choose_kept
from diarize.speech.detect import Heard


class StreamMemory:
    """Windows, pieces and speech of a stream.

    Attributes
    ----------
    complete, settled : float
        Seconds: all windows between them are kept, of those before a choice, none after.
    windows : list of Segment
        Windows that are kept, in the order of their middles.
    numbers : (n_windows,) int
        The number of the speaker of each, -1 for nobody.

    Parameters
    ----------
    dim : int
        Dimensions of an embedding.
    most : int
        How many windows are kept.
    """

    def __init__(self, dim: int, most: int) -> None:
        self.most = most
        self.complete = self.settled = 0.0
        self.windows: list[Segment] = []
        self.numbers: Labels = np.empty(0, np.int64)
        self._vectors = self._piece_vectors = np.empty((0, dim), np.float32)
        self._pieces: list[Segment] = []
        self._heard = Heard([], [], [], 0.0)

    def joined(self, heard: Heard, voices: Voices, start: float) -> tuple[Heard, Voices]:
        """What is kept, and what was heard of the stream from `start` on, without what is kept already."""
        end = start + heard.n_seconds

        def parts(kept: Sequence[Segment], segments: Sequence[Segment]) -> list[Segment]:
            return join_segments([*kept, *_parts(_moved(segments, start), self.settled, end)], TOUCH)

        def new(spans: Sequence[Segment]) -> list[int]:
            return [i for i, span in enumerate(spans) if span.middle + start >= self.settled]

        windows, pieces = new(voices.windows), new(voices.pieces)
        return (
            Heard(
                parts(self._heard.segments, heard.segments),
                parts(self._heard.overlap, heard.overlap),
                parts(self._heard.mixed, heard.mixed),
                end,
            ),
            Voices(
                [*self.windows, *_moved([voices.windows[i] for i in windows], start)],
                np.concatenate([self._vectors, voices.vectors[windows]]),
                [*self._pieces, *_moved([voices.pieces[i] for i in pieces], start)],
                np.concatenate([self._piece_vectors, voices.piece_vectors[pieces]]),
            ),
        )

    def keep(self, heard: Heard, voices: Voices, numbers: Labels, until: float) -> None:
        """Keep what was `joined` up to a time; `numbers` (n_windows,) are those of the windows' speakers."""
        self.settled = max(self.settled, until)
        old = np.array([window.middle < self.settled for window in voices.windows], np.bool_)
        rows = np.flatnonzero(old)
        chosen = choose_kept(numbers[rows], self.most)
        if not chosen.all():
            self.complete = max(voices.windows[int(row)].end for row in rows[~chosen])
        rows = rows[chosen]
        self.windows, self.numbers = [voices.windows[int(row)] for row in rows], numbers[rows]
        self._vectors = voices.vectors[rows]
        pieces = [i for i, each in enumerate(voices.pieces) if self.complete <= each.middle < self.settled]
        self._pieces, self._piece_vectors = [voices.pieces[i] for i in pieces], voices.piece_vectors[pieces]
        self._heard = Heard(
            _parts(heard.segments, self.complete, self.settled),
            _parts(heard.overlap, self.complete, self.settled),
            _parts(heard.mixed, self.complete, self.settled),
            self.settled,
        )


def _moved(segments: Sequence[Segment], start: float) -> list[Segment]:
    return [Segment(each.start + start, each.end + start) for each in segments]


def _parts(segments: Sequence[Segment], start: float, end: float) -> list[Segment]:
    """The parts of segments between two times."""
    if start >= end:
        return []
    return [part for each in segments if (part := each.intersection(Segment(start, end)))]
