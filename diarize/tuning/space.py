"""The settings that are tried, one group after the other, and their values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from diarize.clustering import CLUSTERERS
from diarize.config import Config

Changes = dict[str, Any]
"""Values of settings by name."""

VALUES: dict[str, Sequence[Any]] = {
    "speech.release": (0.1, 0.25, 0.4),
    "speech.min_silence": (0.1, 0.3, 0.5, 0.8),
    "speech.padding": (0.0, 0.05, 0.1, 0.2),
    "speech.overlap": (0.5, 0.6, 0.7, 0.8, 1.0),
    "clustering.method": tuple(CLUSTERERS),
    "clustering.seconds_a_sample": (2.5, 3.5, 5.0, 7.0),
    "clustering.speaker_cost": (-15.0, 0.0, 15.0),
    "resegmentation.change_cost": (1.0, 2.0, 3.0, 5.0, 8.0),
    "turns.min_gap": (0.0, 0.3, 0.5, 0.7, 1.0, 1.5),
    "turns.min_turn": (0.0, 0.25, 0.5),
}
THRESHOLD_STEPS = (-0.3, -0.2, -0.1, 0.1, 0.2)
"""Steps from a detector's own threshold."""
NUMBERS = ("clustering.n_speakers", "clustering.min_speakers", "clustering.max_speakers")


def groups(base: Config, counts: Sequence[int], fixed: Collection[str]) -> Iterator[list[Changes]]:
    """The groups of settings; of each, the alternatives, the first of which is that of `base`.

    Parameters
    ----------
    base : Config
        The settings from which a search starts.
    counts : sequence of int
        The numbers of speakers of the recordings on which settings are chosen; they are the bounds.
    fixed : collection of str
        Names of settings that keep their values.
    """
    if "speech.threshold" not in fixed:
        own = base.speech.onset
        steps = [round(own + step, 3) for step in THRESHOLD_STEPS if 0.05 <= own + step <= 0.98]
        yield _alternatives(base, "speech.threshold", steps)
    for name, values in VALUES.items():
        if name == "clustering.method" and not {*NUMBERS} & {*fixed}:
            yield _bounds(base, counts)
        if name not in fixed and not (name == "speech.overlap" and _finds_no_overlap(base)):
            yield _alternatives(base, name, values)


def _alternatives(base: Config, name: str, values: Sequence[Any]) -> list[Changes]:
    section, _, key = name.partition(".")
    own = getattr(getattr(base, section), key)
    return [{name: value} for value in dict.fromkeys((own, *values))]


def _bounds(base: Config, counts: Sequence[int]) -> list[Changes]:
    """Bounds of the number of speakers: none, at most the largest number seen, at least the smallest too."""
    seen = [count for count in counts if count] or [1]
    own = base.clustering
    found = [(own.min_speakers, own.max_speakers), (1, max(seen)), (min(seen), max(seen))]
    return [
        {"clustering.min_speakers": low, "clustering.max_speakers": high}
        for low, high in dict.fromkeys(found)
    ]


def _finds_no_overlap(base: Config) -> bool:
    """Whether the threshold of overlap has no effect: the detector finds none, or finds it otherwise."""
    return base.speech.detector in ("energy", "local")
