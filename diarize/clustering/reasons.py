"""The reason for the number of speakers, in a form that fits JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from diarize.clustering.partitions import Labels, count


class Candidate(TypedDict):
    """A number of speakers that was considered, and its score."""

    n_speakers: int
    score: float


class Evidence(TypedDict):
    """The reason why a clusterer found this many speakers; can be written as JSON."""

    n_speakers: int
    reason: str  # one sentence with figures
    candidates: list[Candidate]
    absorbed: list[int]  # numbers of items in the small clusters that went to a neighbour


def explain(
    labels: Labels,
    reason: str,
    candidates: Iterable[tuple[int, float]] = (),
    absorbed: Iterable[int] = (),
) -> Evidence:
    """Evidence for the number of different labels, from pairs of (number of speakers, score)."""
    return {
        "n_speakers": count(labels),
        "reason": reason,
        "candidates": [{"n_speakers": int(k), "score": float(score)} for k, score in candidates],
        "absorbed": [int(size) for size in absorbed],
    }
