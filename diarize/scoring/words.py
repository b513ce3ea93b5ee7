"""Errors in transcripts with speakers: of speakers alone (WDER), of words and speakers (cpWER, tcpWER).

References
----------
WDER: El Shafey et al., "Joint speech recognition and speaker diarization via sequence transduction",
Interspeech 2019. cpWER: Watanabe et al., "CHiME-6 challenge: tackling multispeaker speech recognition for
unsegmented recordings", CHiME 2020. tcpWER: von Neumann et al., "MeetEval: a toolkit for computation of word
error rates for meeting transcription systems", CHiME 2023.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from diarize.words import Word


def word_diarization_error(reference: Sequence[str], hypothesis: Sequence[str | None]) -> float:
    """The share of words that have a wrong speaker (WDER), in 0..1.

    Both sequences have the speaker of each word of the same words. Speakers are mapped one to one, in the way
    that gives the fewest errors; a word of nobody (None) is wrong.

    Raises
    ------
    ValueError
        If there are no words, or not as many in both.
    """
    if not reference or len(reference) != len(hypothesis):
        raise ValueError(
            f"the same words are needed in both, at least one: got {len(reference)} and {len(hypothesis)}"
        )
    pairs = Counter(zip(reference, hypothesis, strict=True))
    rows, columns = list(dict.fromkeys(reference)), [name for name in dict.fromkeys(hypothesis) if name]
    counts = np.array([[pairs[row, column] for column in columns] for row in rows]).reshape(len(rows), -1)
    right = counts[linear_sum_assignment(counts, maximize=True)].sum()
    return float(1 - right / len(reference))


@dataclass(frozen=True)
class WordErrors:
    """The errors of a transcript; those of several are added.

    Attributes
    ----------
    n_words : int
        Words of the reference.
    substituted, deleted, inserted : int
        Words that are another one, missing, or too many.
    """

    n_words: int
    substituted: int
    deleted: int
    inserted: int

    @property
    def rate(self) -> float:
        """Errors divided by the words of the reference; may exceed 1, nan without such words."""
        errors = self.substituted + self.deleted + self.inserted
        return errors / self.n_words if self.n_words else math.nan

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.n_words + other.n_words,
            self.substituted + other.substituted,
            self.deleted + other.deleted,
            self.inserted + other.inserted,
        )


def concatenated_word_errors(
    reference: Iterable[Word], hypothesis: Iterable[Word], *, collar: float | None = None
) -> WordErrors:
    """The errors of words and speakers together: cpWER, or tcpWER with a collar.

    The words of each speaker are joined in order of their starts. Speakers are mapped one to one, in the way
    that gives the fewest errors; a speaker without a match has only deletions or insertions. So the right
    word of a wrong speaker is two errors, a deletion and an insertion. Words are compared as they are
    written. Of several ways with the fewest errors, the one with the most right words is counted.

    Parameters
    ----------
    reference, hypothesis : iterable of Word
        Of one recording. A word of nobody in the hypothesis is left out, so it counts as deleted.
    collar : float, optional
        Seconds. If given, two words match, or one replaces the other, only if they overlap in time once the
        word of the hypothesis is so much longer on each side (tcpWER).

    Raises
    ------
    ValueError
        If a word of the reference has no speaker.

    Examples
    --------
    >>> from diarize.words import Word
    >>> reference = [Word("good", 0, 1, "Ann"), Word("morning", 1, 2, "Ann"), Word("hello", 2, 3, "Bob")]
    >>> hypothesis = [Word("good", 0, 1, "A"), Word("morning", 1, 2, "B"), Word("hello", 2, 3, "B")]
    >>> concatenated_word_errors(reference, hypothesis)
    WordErrors(n_words=3, substituted=0, deleted=1, inserted=1)
    """
    reference = list(reference)
    if any(word.speaker is None for word in reference):
        raise ValueError("each word of the reference needs a speaker")
    rows, columns = _by_speaker(reference), _by_speaker(hypothesis)
    numbers: dict[str, int] = {}
    streams = [
        [_Stream.of(words, numbers) for words in side]
        + [_Stream.of([], numbers)] * (max(len(rows), len(columns)) - len(side))
        for side in (rows, columns)
    ]
    # An error costs `unit` and a right word -1: fewest errors first, then most right words.
    unit = len(reference) + 1
    costs = np.array([[_cost(ref, hyp, unit, collar) for hyp in streams[1]] for ref in streams[0]], np.int64)
    best = int(costs[linear_sum_assignment(costs)].sum()) if costs.size else 0
    n_errors = -(-best // unit)
    n_right = n_errors * unit - best
    n_ref, n_hyp = len(reference), sum(map(len, columns))
    substituted = n_ref + n_hyp - 2 * n_right - n_errors
    return WordErrors(n_ref, substituted, n_ref - n_right - substituted, n_hyp - n_right - substituted)


def _by_speaker(words: Iterable[Word]) -> list[list[Word]]:
    """The words of each speaker, in order of their starts; words of nobody are left out."""
    spoken: dict[str, list[Word]] = defaultdict(list)
    for word in sorted(words, key=lambda word: word.start):
        if word.speaker is not None:
            spoken[word.speaker].append(word)
    return list(spoken.values())


@dataclass(frozen=True)
class _Stream:
    """The words of a speaker as numbers, with their starts and ends in seconds; each (n_words,)."""

    words: NDArray[np.int64]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]

    @classmethod
    def of(cls, words: Sequence[Word], numbers: dict[str, int]) -> _Stream:
        """The stream of words; new ones get the next numbers."""
        return cls(
            np.array([numbers.setdefault(word.text, len(numbers)) for word in words], np.int64),
            np.array([word.start for word in words], np.float64),
            np.array([word.end for word in words], np.float64),
        )


def _cost(reference: _Stream, hypothesis: _Stream, unit: int, collar: float | None) -> int:
    """The Levenshtein distance of two streams, times `unit`, less the number of right words.

    ::

        best[j]   of the reference so far and the first j words of the hypothesis
        deleted   best[j] + unit          replaced, right   best[j - 1] + unit, - 1
        inserted  new[j - 1] + unit
    """
    begins, ends = hypothesis.starts, hypothesis.ends
    if collar is not None:
        begins, ends = begins - collar, ends + collar
    insertions = unit * np.arange(len(hypothesis.words) + 1, dtype=np.int64)
    best = insertions
    for word, start, end in zip(reference.words, reference.starts, reference.ends, strict=True):
        matched = best[:-1] + np.where(hypothesis.words == word, -1, unit)
        if collar is not None:
            matched[(start >= ends) | (begins >= end)] = np.iinfo(np.int64).max // 2
        new = best + unit
        np.minimum(new[1:], matched, out=new[1:])
        best = np.minimum.accumulate(new - insertions) + insertions
    return int(best[-1])
