"""By how much chosen settings lower the DER of recordings on which they were not chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from diarize.scoring.der import DiarizationScore

FEWEST = 5
"""Recordings from which on a gain may be distinguished from chance; with four, the smallest p-value of a
sign test is 1/16."""
N_SAMPLES = 10_000


class Gain(NamedTuple):
    """The gain in DER, as a share of reference speech, with the limits of its 95 % interval."""

    value: float
    low: float
    high: float
    n_recordings: int

    @property
    def is_real(self) -> bool:
        """Whether it is distinguishable from chance: enough recordings, and the interval lies above 0."""
        return self.n_recordings >= FEWEST and self.low > 0


def measure_gain(
    before: Sequence[DiarizationScore], after: Sequence[DiarizationScore], seed: int = 0
) -> Gain:
    """The gain of scores `after` over scores `before` of the same recordings, pooled.

    The interval is the percentile interval of a bootstrap over recordings.

    Raises
    ------
    ValueError
        If the recordings differ, or there is no reference speech.

    References
    ----------
    B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. For scores of recordings of
    speech: M. Bisani, H. Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation",
    ICASSP 2004.
    """
    if [each.recording for each in before] != [each.recording for each in after]:
        raise ValueError("the scores are of different recordings")
    speech = np.array([each.total for each in before])
    if not speech.sum():
        raise ValueError("no reference speech")
    won = np.array([_errors(old) - _errors(new) for old, new in zip(before, after, strict=True)])
    n = len(won)
    draws = np.random.default_rng(seed).integers(0, n, (N_SAMPLES, n))
    totals = speech[draws].sum(axis=1)
    with_speech = totals > 0
    gains = won[draws].sum(axis=1)[with_speech] / totals[with_speech]
    low, high = np.percentile(gains, [2.5, 97.5])
    return Gain(float(won.sum() / speech.sum()), float(low), float(high), n)


def _errors(score: DiarizationScore) -> float:
    """Seconds of errors."""
    return score.missed + score.false_alarm + score.confusion
