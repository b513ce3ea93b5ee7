"""The detector "energy": scores of loud sound, without a network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.audio import Samples
from diarize.speech.hysteresis import Probabilities


def energy_scores(log_energies: NDArray[Any]) -> Probabilities:
    """Scores in 0..1 of speech in frames, from their energies alone.

    Floor n and peak s are the 10th and 95th percentile of the energies above digital silence (-90 dB), and m
    is half-way between them, but at least 9 dB above the floor::

        m = n + max(9 dB, (s - n) / 2)
        score(e) = 1 / (1 + exp(-(e - m) / 2 dB))

    Steady noise, which stays within 1 dB of its floor, scores below 0.02. The scores mark loud sound, not
    speech; they are meant for quiet rooms and for tests without a network.

    Parameters
    ----------
    log_energies : array, shape (n_frames,)
        dB.
    """
    heard = log_energies[log_energies > -90.0]
    if not len(heard):
        return np.zeros(len(log_energies), np.float32)
    floor, peak = np.percentile(heard, [10, 95])
    middle = floor + max(9.0, (peak - floor) / 2)
    exponent = np.clip((log_energies - middle) / 2.0, -50, 50)
    return np.asarray(1 / (1 + np.exp(-exponent)), np.float32)


def log_energies(blocks: Iterable[Samples]) -> NDArray[np.float64]:
    """Energy of each frame in dB of full scale, without DC: 10 log10(var + 1e-12)."""
    energies = [10 * np.log10(frames.var(axis=1, dtype=np.float64) + 1e-12) for frames in blocks]
    return np.concatenate([np.zeros(0), *energies])
