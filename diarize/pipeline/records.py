"""The records that pass between the stages after embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diarize.clustering.reasons import Evidence
from diarize.segments import Segment, Turn


class Labelled(NamedTuple):
    """Segments of a recording with the label of each."""

    spans: Sequence[Segment]
    """In the order of their starts."""
    labels: NDArray[np.int64]
    """(n_spans,): 0, 1, ..."""
    evidence: Evidence | None = None
    """The reason for the number of speakers; None if the caller gave the labels."""
    posteriors: NDArray[np.float32] | None = None
    """(n_frames, n_labels): probability that the first speaker of a frame of 20 ms is that of a label."""


class NamedTurns(NamedTuple):
    """Turns, and the speaker of each label. A label whose turns were all too short has no speaker."""

    turns: list[Turn]
    names: dict[int, str]
    confidence: list[float] | None = None
    """The probability that each turn is its speaker's; None without local speakers."""
