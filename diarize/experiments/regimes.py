"""How much speech a part has: parts drawn anew from the sentences of known speakers, clustered and scored.

References
----------
F. Hibraj et al., "Speaker clustering using dominant sets", ICPR 2018: a part is the mean of the embeddings of
its sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from diarize.experiments.comparison import Scores
from diarize.experiments.side_by_side import compare_clusterers
from diarize.experiments.speaker_sets import split_parts

Parts = Sequence[Sequence[Any]]


def _first(size: int, sentences: Sequence[Any]) -> Parts:
    """Two parts of so many sentences; none if there are too few."""
    return [sentences[:size], sentences[size : 2 * size]] if len(sentences) >= 2 * size else []


def _each(sentences: Sequence[Any]) -> Parts:
    """A part of each sentence."""
    return [[one] for one in sentences]


REGIMES: dict[str, Callable[[Sequence[Any]], Parts]] = {
    "4/5 + 1/5": split_parts,
    "2 + 2": partial(_first, 2),
    "1 + 1": partial(_first, 1),
    "each alone": _each,
}
"""The parts of a speaker's sentences, two or more in random order."""

KEPT = ("misclassification_rate", "adjusted_rand_index", "n_clusters")


def draw_parts(name: str, sentences: Sequence[Any], random: Generator) -> Parts:
    """The parts of one speaker's sentences in a regime; none if the speaker has too few sentences."""
    shuffled = [sentences[index] for index in random.permutation(len(sentences))]
    return REGIMES[name](shuffled) if len(shuffled) > 1 else []


def score_regimes(
    vectors: NDArray[np.floating], speakers: NDArray[np.str_], n_draws: int = 5, seed: int = 1
) -> Scores:
    """Scores of all clusterers in each regime.

    Parameters
    ----------
    vectors, speakers : arrays (n, dim) and (n,)
        The embedding and the speaker of each sentence.
    n_draws : int
        How often parts are drawn; once where every sentence is a part.

    Returns
    -------
    dict
        For each regime `n_speakers`, `n_parts` and `clusterers`; there, by clusterer and way of
        `compare_clusterers`, a list with a number for each draw for each of `KEPT`. A regime for which fewer
        than two speakers have enough sentences is left out.
    """
    regimes: Scores = {}
    for name in REGIMES:
        tables = []
        for draw in range(1 if name == "each alone" else n_draws):
            random = np.random.default_rng([seed, draw])
            parts = [
                (speaker, part)
                for speaker in np.unique(speakers)
                for part in draw_parts(name, np.flatnonzero(speakers == speaker).tolist(), random)
            ]
            names = [speaker for speaker, _ in parts]
            if len(set(names)) < 2:
                break
            means = np.stack([vectors[part].mean(axis=0) for _, part in parts])
            tables.append(compare_clusterers(means, names))
        if tables:
            regimes[name] = {
                "n_speakers": len(set(names)),
                "n_parts": len(names),
                "clusterers": {
                    clusterer: {
                        way: {score: [table[clusterer][way][score] for table in tables] for score in KEPT}
                        for way in ways
                    }
                    for clusterer, ways in tables[0].items()
                },
            }
    return regimes
