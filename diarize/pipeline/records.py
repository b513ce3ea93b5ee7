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
    """(n_frames, n_labels): probability that the speaker of a label talks in a frame of 20 ms."""


class Certainty(NamedTuple):
    """How sure the speaker of a turn is."""

    confidence: float
    """The share of the turn in which its speaker is expected to talk, 0 to 1."""
    alternative: str | None = None
    """The speaker who is next in likelihood; None if there is no other."""


class NamedTurns(NamedTuple):
    """Turns, and the speaker of each label. A label whose turns were all too short has no speaker."""

    turns: list[Turn]
    names: dict[int, str]
    certainty: list[Certainty] | None = None
    """That of each turn; None if it is unknown, as without a back end."""
    doubtful: Sequence[tuple[Turn, Certainty]] = ()
    """Turns that were left out because their confidence is below ``turns.min_confidence``."""
