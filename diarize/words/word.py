"""A word of a transcript, and its time where the transcript has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a transcript.

    Attributes
    ----------
    text : str
        The word with its punctuation, without blanks around it.
    start, end : float
        Seconds; of a word without times, an estimate (`estimated`).
    speaker : str or None
        Who says it; None if nobody was found.
    segment : int
        Number of the transcript's segment or cue.
    spaced : bool
        Whether a blank is before it.
    confidence : float or None
        The recogniser's confidence.
    """

    text: str
    start: float
    end: float
    speaker: str | None = None
    segment: int = 0
    spaced: bool = True
    confidence: float | None = None
    estimated: bool = False


Timed = tuple[Word, float | None, float | None]
"""A word, and its start and end if the transcript has them."""


def share_time(words: Sequence[Timed], start: float, end: float) -> list[Word]:
    """The words of a segment with times; those without get a share of the time between their neighbours.

    Shares are in proportion to the letters of the words.
    """
    timed: list[Word] = []
    index = 0
    while index < len(words):
        word, begins, ends = words[index]
        index += 1
        if begins is not None and ends is not None:
            timed.append(replace(word, start=begins, end=max(begins, ends)))
            continue
        run = [replace(word, estimated=begins is None)]
        while index < len(words) and words[index][1] is None:
            run.append(replace(words[index][0], estimated=True))
            index += 1
        after = words[index][1] if index < len(words) else None
        if begins is None:
            begins = timed[-1].end if timed else start
        timed += _spread(run, begins, end if after is None else after)
    return timed


def _spread(words: Sequence[Word], start: float, end: float) -> list[Word]:
    """Words one after the other between two times."""
    letters = [len(word.text) for word in words]
    step = max(0.0, end - start) / max(1, sum(letters))
    spread, at = [], start
    for word, n in zip(words, letters, strict=True):
        spread.append(replace(word, start=at, end=at + n * step))
        at += n * step
    return spread
