"""The reason for the number of speakers, in a form that fits JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NotRequired, TypedDict

from diarize.clustering.partitions import Labels, count


class Candidate(TypedDict):
    """A number of speakers that was considered, and its score."""

    n_speakers: int
    score: float


class RecognisedSpeaker(TypedDict):
    """A speaker of a recording, the known person it is, and the score in nats of the nearest person."""

    speaker: str  # as without known voices: SPEAKER_00
    name: str | None  # None for nobody known
    nearest: str | None  # the same person, otherwise the one with the largest score
    score: float | None  # None if nobody is known
    seconds: float  # of speech


class Recognised(TypedDict):
    """Which speakers of a recording are known people."""

    false_alarms: float
    needed: float  # score in nats that a name needs
    speakers: list[RecognisedSpeaker]


class Novelty(TypedDict):
    """How unlike the training speech a recording is (``speakers/novelty.py``)."""

    score: float
    limit: float  # a recording above it causes a warning


class Evidence(TypedDict):
    """The reason why a clusterer found this many speakers; can be written as JSON."""

    n_speakers: int
    reason: str  # one sentence with figures
    candidates: list[Candidate]
    absorbed: list[int]  # numbers of items in the small clusters that went to a neighbour
    known: NotRequired[Recognised]  # if a table of known voices was given
    novelty: NotRequired[Novelty]  # if the model has a verifier, and there is enough speech


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
