"""The number of speakers: the partition with the largest evidence among those that a clusterer proposes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
from diarize.speakers.enrolment import Verifier
from diarize.speakers.plda import Backend

MOST_CANDIDATES = 20
_MORE = 4  # clusters proposed above a bound, because reassignment may empty some
_MOST_STEPS = 10  # steps of a reassignment that is repeated until nothing changes
_MOST_TRIES = 5  # exchanges that are tried in each step
_STEPS_A_TRY = 3


_ALIKE = -4.0  # nats; two speakers with this score among all of a recording may be one person
_FREE_SECONDS = 25.0  # seconds of speech; `second_speaker_rate` applies to the speech beyond


def window_weight(config: ClusteringConfig, hop: float) -> float:
    """The weight of a window, for windows every `hop` seconds; 1 if they are independent."""
    return min(hop / config.seconds_a_sample, 1.0)


@dataclass(frozen=True, slots=True)
class Costs:
    """The weight of windows and the cost of speakers, in nats, in the choice of the number of speakers.

    In a long recording a voice changes slowly, and slow changes do not average out. Beyond
    ``seconds_in_full`` seconds, the total weight of the windows grows with the cube root of their duration,
    and the cost of a speaker with its logarithm.

    Attributes
    ----------
    config : ClusteringConfig
    hop : float
        Seconds from one window to the next.
    n_windows : int
        Number of windows in the recording.
    """

    config: ClusteringConfig
    hop: float
    n_windows: int

    @property
    def weight(self) -> float:
        """The weight of a window in the estimates of the speakers."""
        return window_weight(self.config, self.hop)

    @property
    def number_weight(self) -> float:
        """The weight of a window in the choice of the number of speakers."""
        return self.weight * self._in_full

    @property
    def speaker(self) -> float:
        """The cost of each speaker."""
        return self.config.speaker_cost + self.config.long_speaker_cost * math.log(self._times_in_full)

    def second_speaker(self, speech: float, overlap: float) -> float:
        """What several speakers must gain over one, given the seconds of speech and of overlap."""
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
    several: bool = False,
    likeness: Callable[[Labels], float] | None = None,
) -> tuple[Labels, Evidence]:
    """Labels (n_windows,) numbered by first appearance, and the reason, for vectors X (n_windows, dim).

    The clusterer proposes partitions into every number of speakers within its bounds. In each, windows are
    reassigned to the most likely speaker, so that stray windows do not remain a speaker. The partition with
    the largest evidence, less the costs, is taken. If no partition stays within the bounds, the labels are
    those of the clusterer.

    Parameters
    ----------
    X : array (n_windows, dim)
    clusterer : Clusterer
        Its parameters hold the numbers of speakers.
    backend : Backend
        The back end of the network that made the vectors.
    weight : float
        Weight of each window; 1 if windows are independent.
    speaker_cost : float
        Cost of a speaker in nats, in addition to that in (2) of ``plda.py``.
    number_weight : float
        Weight of each window in the choice of the number of speakers, if it is less than `weight`. Windows
        are then reassigned until nothing changes, so a spurious speaker that merely captured a change in
        someone's voice ends up empty.
    several : bool
        One speaker is taken only if no partition has more, because the caller compares them itself.
    likeness : callable, optional
        The cost in nats, from the labels, of two speakers who sound like one person (`cost_of_likeness`).

    Raises
    ------
    ConfigError
        If ``n_speakers`` is impossible for this many windows.
    """
    X = np.asarray(X, dtype=np.float64)
    lowest, highest = speaker_bounds(
        len(X), clusterer.n_speakers, clusterer.min_speakers, clusterer.max_speakers
    )
    number_weight = min(number_weight, weight)
    if lowest == highest:  # the number is given
        number_weight, likeness = weight, None
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
                cost = speaker_cost * k
                if likeness is not None:
                    cost += likeness(labels)
                score = backend.evidence(Y, labels, weight) - cost
                if lowest <= k <= highest and (k not in best or score > best[k][0]):
                    best[k] = score, labels
            return best

        best = best_by_number(number_weight, _MOST_STEPS if number_weight < weight else 1)
    if not best:
        clusterer.fit(X)
        return clusterer.labels_, clusterer.evidence_
    scores = {k: score for k, (score, _) in sorted(best.items())}
    among = [k for k in scores if k > 1] if several and len(scores) > 1 else list(scores)
    chosen = max(among, key=scores.__getitem__)
    if number_weight < weight:
        best |= best_by_number(weight, 1)  # every window counts in full for who the speakers are
    labels = best[chosen][1]
    if lowest == highest:
        labels = exchange(Y, labels, backend, weight)
        reason = f"{chosen} speakers, as requested, in the partition with the largest evidence"
    else:
        others = [
            f"{scores[chosen] - scores[k]:.1f} nats above {k}" for k in (chosen - 1, chosen + 1) if k in among
        ]
        reason = f"{chosen} speaker{'s have' if chosen > 1 else ' has'} the largest evidence"
        reason += f", {' and '.join(others)}" * bool(others)
    return labels, explain(labels, reason, scores.items())


def cost_of_likeness(
    vectors: NDArray[Any], verifier: Verifier, weight: float, hop: float, labels: Labels
) -> float:
    """The cost in nats of a partition whose two most alike speakers may be one person, else 0.

    The evidence looks at windows, and at what distinguishes speakers most. The verifier looks at mean
    embeddings in all dimensions, and knows that a person's mean wanders, however long the person talks. All
    speakers of a recording may have one microphone, which makes them alike to the verifier. So its centre is
    their mean, and what counts is whether two of them are alike among all; two alone have no others. Of many
    pairs, the most alike are more so by chance, by the logarithm of their number.

    Parameters
    ----------
    vectors : array (n_windows, dim)
    verifier : Verifier
        That of the network that made the vectors.
    weight : float
        How many times the verifier's nats count.
    hop : float
        Seconds from one window to the next.
    labels : array (n_windows,)
        Speakers 0, 1, ... without a gap.
    """
    sizes = np.bincount(labels)
    if len(sizes) < 3:
        return 0.0
    means = sum_clusters(vectors, labels) / sizes[:, None]
    people = replace(verifier, centre=means.mean(axis=0)).sides_of(means, sizes * hop)
    scores = verifier.scores(people, people)[np.triu_indices(len(sizes), 1)]
    return weight * max(0.0, float(scores.max()) - math.log(len(scores)) - _ALIKE)


def exchange(Y: Matrix, labels: Labels, backend: Backend, weight: float) -> Labels:
    """Labels (n_windows,) with the same number of speakers and more evidence, if any are found.

    A clusterer with a given number may spend a speaker on stray windows and leave two speakers merged. So two
    speakers are merged and a third is split, repeatedly, while the evidence grows.

    Parameters
    ----------
    Y : array (n_windows, n)
        Whitened windows.
    labels : array (n_windows,)
        Speakers 0, 1, ... without a gap.
    backend : Backend
    weight : float
        Weight of each window.
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
    """Labels with two speakers merged and a third split, in order of their evidence before reassignment."""
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
    """Mask (n_windows,) of one side of each speaker's mean, along the speaker's widest direction."""
    half = np.zeros(len(Y), dtype=bool)
    for speaker in range(count(labels)):
        X = Y[labels == speaker]
        X = X - X.mean(axis=0)
        half[labels == speaker] = X @ eigh(X.T @ X)[1][:, -1] > 0
    return half
