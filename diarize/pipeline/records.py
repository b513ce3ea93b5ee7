"""What passes from stage to stage, once there are embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diarize.clustering.reasons import Evidence
from diarize.segments import Segment, Turn


class Labelled(NamedTuple):
    """Spans of a recording with the speaker of each."""

    spans: Sequence[Segment]
    """In the order of their starts."""
    labels: NDArray[np.int64]
    """(n_spans,): 0, 1, ..."""
    evidence: Evidence | None = None
    """Why there are so many speakers; none where the caller gave the labels."""


class NamedTurns(NamedTuple):
    """Turns, and the speaker of each label; a label whose turns were all too short has none."""

    turns: list[Turn]
    names: dict[int, str]
