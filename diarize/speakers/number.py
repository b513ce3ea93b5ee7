"""How many speakers: the partition with the largest evidence, whichever clusterer proposed it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from diarize.clustering.affinity import Matrix
from diarize.clustering.bounds import speaker_bounds
from diarize.clustering.contract import Clusterer
from diarize.clustering.partitions import Labels, count, number_by_first_appearance, sum_clusters
from diarize.clustering.reasons import Evidence, explain
from diarize.config import ClusteringConfig
from diarize.speakers.plda import Backend

MOST_CANDIDATES = 20
_MORE = 4  # clusters above a bound: reassignment may empty so many
_MOST_STEPS = 10  # of a reassignment that goes on until nothing changes
_MOST_TRIES = 5  # exchanges that are tried out for one that is taken
_STEPS_A_TRY = 3


_FREE_SECONDS = 25.0  # of speech, up to which one voice needs no evidence against it


def window_weight(config: ClusteringConfig, hop: float) -> float:
    """What a window counts, of windows every `hop` seconds; 1 where they are independent."""
    return min(hop / config.seconds_a_sample, 1.0)


@dataclass(frozen=True, slots=True)
class Costs:
    """What windows count and what speakers cost, in nats, in the choice of the number of speakers.

    A voice changes slowly in a long recording, and slow changes do not average out. Beyond
    ``seconds_in_full`` seconds the windows together count as the cube root of their duration, and the cost
    of a speaker grows with its logarithm.

    Attributes
    ----------
    config : ClusteringConfig
    hop : float
        Seconds from one window to the next.
    n_windows : int
        Of the recording.
    """

    config: ClusteringConfig
    hop: float
    n_windows: int

    @property
    def weight(self) -> float:
        """What a window counts for who speaks."""
        return window_weight(self.config, self.hop)

    @property
    def number_weight(self) -> float:
        """What a window counts for the number of speakers."""
        return self.weight * self._in_full

    @property
    def speaker(self) -> float:
        """What each speaker costs."""
        return self.config.speaker_cost + self.config.long_speaker_cost * math.log(self._times_in_full)

    def second_speaker(self, speech: float, overlap: float) -> float:
        """What speakers must win over one voice, with so many seconds of speech and of overlap."""
        rate, gain = self.config.second_speaker_rate, self.config.overlap_gain
        return rate * max(0, speech * self._in_full - _FREE_SECONDS) - gain * overlap * self._in_full

    @property
    def _in_full(self) -> float:
        return self._times_in_full ** (-2 / 3)

    @property
    def _times_in_full(self) -> float:
        return max(1.0, self.n_windows * self.hop / self.config.seconds_in_full)


def cluster_by_evidence(
    X: NDArray[Any],
    clusterer: Clusterer,
    backend: Backend,
    weight: float,
    speaker_cost: float,
    number_weight: float = 1.0,
    one_speaker_cost: float = 0.0,
) -> tuple[Labels, Evidence]:
    """Labels (n_windows,) numbered by first appearance, and why, for vectors X (n_windows, dim).

    The clusterer proposes partitions of every number within its bounds. In each the windows go to the most
    likely speaker, which takes the stray windows out of clusters of their own; the partition with the largest
    evidence, less the costs, is taken. Where none keeps a number within the bounds, the
    clusterer's own labels are.

    Parameters
    ----------
    X : array (n_windows, dim)
    clusterer : Clusterer
        With the numbers of speakers wanted.
    backend : Backend
        Of the network that made the vectors.
    weight : float
        What each window counts; 1 where windows are independent.
    speaker_cost : float
        Nats; what (2) of ``plda.py`` asks for a speaker comes on top.
    number_weight : float
        What each window counts in the choice of the number of speakers, where that is less. Windows then go
        to and fro until they stay, which empties speakers who are but another one's mood.
    one_speaker_cost : float
        Nats that one speaker alone costs beside it.

    Raises
    ------
    ConfigError
        When ``n_speakers`` is impossible for this many windows.
    """
    X = np.asarray(X, dtype=np.float64)
    lowest, highest = speaker_bounds(
        len(X), clusterer.n_speakers, clusterer.min_speakers, clusterer.max_speakers
    )
    number_weight = weight if lowest == highest else min(number_weight, weight)
    best: dict[int, tuple[float, Labels]] = {}
    if highest > 1:
        Y = backend.whiten(X)
        highest = min(highest, max(MOST_CANDIDATES, lowest))
        partitions = clusterer.partitions(X, lowest, min(highest + _MORE, len(X)))
        proposed = [number_by_first_appearance(labels) for labels in partitions]

        def best_by_number(weight: float, n_steps: int) -> dict[int, tuple[float, Labels]]:
            best: dict[int, tuple[float, Labels]] = {}
            for start in proposed:
                labels = number_by_first_appearance(backend.reassign(Y, start, weight, n_steps))
                k = count(labels)
                cost = speaker_cost * k + one_speaker_cost * (k == 1)
                score = backend.evidence(Y, labels, weight) - cost
                if lowest <= k <= highest and (k not in best or score > best[k][0]):
                    best[k] = score, labels
            return best

        best = best_by_number(number_weight, _MOST_STEPS if number_weight < weight else 1)
    if not best:
        clusterer.fit(X)
        return clusterer.labels_, clusterer.evidence_
    scores = {k: score for k, (score, _) in sorted(best.items())}
    chosen = max(scores, key=lambda k: scores[k])
    if number_weight < weight:
        best |= best_by_number(weight, 1)  # who the speakers are every window tells in full
    labels = best[chosen][1]
    if lowest == highest:
        labels = exchange(Y, labels, backend, weight)
        reason = f"{chosen} speakers, as asked for, in the partition with the largest evidence"
    else:
        others = [
            f"{scores[chosen] - scores[k]:.1f} nats above {k}"
            for k in (chosen - 1, chosen + 1)
            if k in scores
        ]
        reason = f"{chosen} speaker{'s have' if chosen > 1 else ' has'} the largest evidence"
        reason += f", {' and '.join(others)}" * bool(others)
    return labels, explain(labels, reason, scores.items())


def exchange(Y: Matrix, labels: Labels, backend: Backend, weight: float) -> Labels:
    """Labels (n_windows,) of as many speakers with more evidence, where two are one and a third is two.

    A clusterer that has to find a number may spend it on stray windows, and leave two voices together.
    Merging two speakers and splitting a third is done again and again while the evidence grows.

    Parameters
    ----------
    Y : array (n_windows, n)
        Whitened windows.
    labels : array (n_windows,)
        Speakers 0, 1, ... without a gap.
    backend : Backend
    weight : float
        What each window counts.
    """
    k, score = count(labels), backend.evidence(Y, labels, weight)
    for _ in range(_MOST_STEPS):
        best, best_score = labels, score
        for start in _merged_and_split(Y, labels, backend, weight):
            tried = number_by_first_appearance(backend.reassign(Y, start, weight, _STEPS_A_TRY))
            reached = backend.evidence(Y, tried, weight)
            if count(tried) == k and reached > best_score:
                best, best_score = tried, reached
        if best is labels:
            break
        labels, score = best, best_score
    return labels


def _merged_and_split(Y: Matrix, labels: Labels, backend: Backend, weight: float) -> Iterator[Labels]:
    """Labels with two speakers merged and a third split; those with the most evidence as they stand."""
    k, half = count(labels), _second_halves(Y * np.sqrt(backend.spread / (1 + backend.spread)), labels)
    sizes, sums = weight * np.bincount(labels), weight * sum_clusters(Y, labels)
    half_sizes = weight * np.bincount(labels, half)
    half_sums = weight * sum_clusters(Y * half[:, None], labels)
    evidence = backend.evidence_of(sizes, sums)
    one, other = np.triu_indices(k, 1)
    merged = backend.evidence_of(sizes[one] + sizes[other], sums[one] + sums[other])
    merged -= evidence[one] + evidence[other]
    split = backend.evidence_of(half_sizes, half_sums)
    split += backend.evidence_of(sizes - half_sizes, sums - half_sums) - evidence
    pairs, thirds = np.nonzero((one[:, None] != np.arange(k)) & (other[:, None] != np.arange(k)))
    best = np.argsort(-merged[pairs] - split[thirds], kind="stable")[:_MOST_TRIES]
    for pair, third in zip(pairs[best], thirds[best], strict=True):
        start = np.where(half & (labels == third), k, labels)
        start[start == other[pair]] = one[pair]
        yield number_by_first_appearance(start)


def _second_halves(Y: Matrix, labels: Labels) -> NDArray[np.bool_]:
    """Which windows (n_windows,) lie on one side of their speaker's mean, along his widest direction."""
    half = np.zeros(len(Y), dtype=bool)
    for speaker in range(count(labels)):
        X = Y[labels == speaker]
        X = X - X.mean(axis=0)
        half[labels == speaker] = X @ eigh(X.T @ X)[1][:, -1] > 0
    return half
