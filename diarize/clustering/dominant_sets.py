"""Dominant sets as a clusterer: each set is as cohesive as possible, and their number is found.

``replicator.py`` has the theory, and how sets become coarser.

References
----------
Hibraj, Vascon, Stadelmann, Pelillo: Speaker clustering using dominant sets, ICPR 2018: the defaults.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from diarize.clustering.affinity import (
    Affinity,
    Matrix,
    angular_distance,
    resolve_affinity,
)
from diarize.clustering.contract import Clusterer, thinning
from diarize.clustering.partitions import Labels, absorb_small, count, nearest_means, within_bounds
from diarize.clustering.reasons import Evidence, explain
from diarize.clustering.replicator import Vector, peel
from diarize.errors import ConfigError

LEFTOVERS = ("single", "whole", "nearest")

# The published settings are for two utterances of each speaker. In a recording a speaker has dozens of
# windows, which the published settings cut into sets of a few; these settings do not.
WINDOWS: dict[str, Any] = {
    "affinity": "positive-cosine",
    "coarseness": 0.25,
    "min_cluster_size": 3,
    "max_items": 1500,
}

# From practically alpha = 0 to one set of everything.
_COARSENESSES = np.geomspace(0.003, 3, 28).tolist()


class DominantSets(Clusterer):
    """Dominant sets. The defaults are published settings for utterances; `WINDOWS` is for a recording.

    If the number of sets is out of bounds, a bisection of 28 steps finds the coarseness nearest to the given
    one at which it is within them. The number falls with coarseness but may skip values; then the nearest
    clusters are merged, or the widest ones are split.

    Parameters
    ----------
    affinity : str or function
        Name in `affinity.AFFINITIES`, or a function from vectors (n, dim) to a symmetric matrix (n, n).
        Negative values and the diagonal are set to zero.
    theta : float
        Items with at least this share of the largest weight make the set.
    epsilon : float
        Replicator dynamics stop when x moves less than this (Euclidean distance), infection and immunisation
        when no payoff is more than a hundred times this from their mean, relative to it.
    coarseness : float
        alpha divided by the mean row sum of the affinity, so that its effect does not depend on the number of
        items; 0: plain dominant sets.
    leftover : {"single", "whole", "nearest"}
        Cluster of the last items, which have no affinity: one each, one for all, or that of the nearest item
        by angle (one each if there is no cluster yet).
    min_cluster_size : int
        Clusters of fewer items go to the nearest cluster.
    max_iterations : int
        Most steps of the dynamics for one set; the log warns if they are not enough.
    max_items : int
        Memory grows with the square of the number of items. Of more items than this, only every second,
        third, ... is clustered, and the others go to the cluster of the nearest mean by cosine.
    n_speakers, min_speakers, max_speakers
        See `Clusterer`.

    Attributes
    ----------
    participation_ : array (n_items,)
        The weight of each item in its set; the weights of a set sum to at most 1. 0 for an item in no set;
        uniform if nothing was clustered.
    """

    participation_: Vector

    def __init__(
        self,
        *,
        affinity: str | Affinity = "locally-scaled",
        theta: float = 0.1,
        epsilon: float = 1e-6,
        coarseness: float = 0.0,
        leftover: Literal["single", "whole", "nearest"] = "single",
        min_cluster_size: int = 1,
        max_iterations: int = 100_000,
        max_items: int = 5000,
        n_speakers: int | None = None,
        min_speakers: int = 1,
        max_speakers: int | None = None,
    ) -> None:
        super().__init__(n_speakers=n_speakers, min_speakers=min_speakers, max_speakers=max_speakers)
        self.affinity = affinity
        self.theta = theta
        self.epsilon = epsilon
        self.coarseness = coarseness
        self.leftover = leftover
        self.min_cluster_size = min_cluster_size
        self.max_iterations = max_iterations
        self.max_items = max_items

    def fit(self, X: Any, y: Any = None) -> Self:
        """Cluster the vectors X (n_items, dim), which must be finite numbers; ``y`` is ignored.

        Raises
        ------
        ConfigError
            If a setting is impossible, or ``n_speakers`` is for this many items.
        """
        self._check_settings()
        self.__dict__.pop("participation_", None)  # from an earlier fit
        super().fit(X, y)
        if not hasattr(self, "participation_"):
            self.participation_ = np.full(len(self.labels_), 1 / len(self.labels_))
        return self

    def _check_settings(self) -> None:
        if not (0 < self.theta <= 1 and self.epsilon > 0 and self.coarseness >= 0):
            raise ConfigError(
                "dominant sets need 0 < theta <= 1, epsilon > 0 and coarseness >= 0, "
                f"got {self.theta!r}, {self.epsilon!r} and {self.coarseness!r}"
            )
        if self.leftover not in LEFTOVERS:
            raise ConfigError(f"unknown leftover rule {self.leftover!r}; known: {', '.join(LEFTOVERS)}")

    def partitions(self, X: Matrix, lowest: int, highest: int) -> Iterator[Labels]:
        """The sets at 28 values of coarseness, from coarse to fine; see `Clusterer.partitions`."""
        self._check_settings()
        some = X[:: thinning(len(X), self.max_items)]
        A = self._affinity(some)
        for coarseness in reversed(_COARSENESSES):
            sets = self._sets(A, some, coarseness, highest)
            if sets is _TOO_MANY:
                return
            labels, _ = absorb_small(some, sets.labels, self.min_cluster_size)
            yield labels if len(some) == len(X) else nearest_means(X, some, labels)

    def _cluster(self, X: Matrix, lowest: int, highest: int) -> tuple[Labels, Evidence]:
        step = thinning(len(X), self.max_items)
        some = X[::step]
        sets, candidates = self._search(some, min(lowest, len(some)), highest)
        self.participation_ = np.zeros(len(X))
        self.participation_[::step] = sets.participation
        labels, absorbed = absorb_small(some, sets.labels, self.min_cluster_size, keep=lowest)
        if step > 1:
            labels = nearest_means(X, some, labels)
        labels = within_bounds(X, labels, lowest, highest)
        reason = (
            f"{sets.number} dominant sets hold at least {self.min_cluster_size} embeddings "
            f"at coarseness {sets.coarseness:.3g}"
        )
        if sets.coarseness != self.coarseness:
            reason += f", the nearest to {self.coarseness:g} within the bounds"
        if count(labels) != sets.number:
            reason = f"{count(labels)} speakers, merged or split from the nearest number found: {reason}"
        return labels, explain(labels, reason, candidates, absorbed)

    def _search(self, X: Matrix, lowest: int, highest: int) -> tuple[_Sets, list[tuple[int, float]]]:
        """The sets at the coarseness nearest to the given one within the bounds, and all numbers found."""
        A = self._affinity(X)
        tried: dict[tuple[float, int | None], _Sets] = {}

        def sets(coarseness: float, most: int | None = None) -> _Sets:
            if (coarseness, most) not in tried:
                tried[coarseness, most] = self._sets(A, X, coarseness, most)
            return tried[coarseness, most]

        chosen = sets(self.coarseness, highest)
        if chosen is _TOO_MANY:
            steps = [c for c in _COARSENESSES if c > self.coarseness] or [self.coarseness]
            i = bisect_left(steps, True, key=lambda c: sets(c, highest) is not _TOO_MANY)
            chosen = sets(steps[i], highest) if i < len(steps) else sets(steps[-1])
        elif chosen.number < lowest:
            steps = [c for c in reversed(_COARSENESSES) if c < self.coarseness] or [self.coarseness]
            i = bisect_left(steps, True, key=lambda c: sets(c, lowest - 1) is _TOO_MANY)
            chosen = sets(steps[min(i, len(steps) - 1)])
        seen = {(s.number, s.coarseness) for s in tried.values() if s is not _TOO_MANY}
        return chosen, sorted(seen, key=lambda pair: pair[1])

    def _affinity(self, X: Matrix) -> Matrix:
        A = np.maximum(resolve_affinity(self.affinity)(X), 0.0)
        if A.shape != (len(X), len(X)):
            raise ValueError(f"the affinity of {len(X)} vectors must be ({len(X)}, {len(X)}), got {A.shape}")
        np.fill_diagonal(A, 0)
        return A

    def _sets(self, A: Matrix, X: Matrix, coarseness: float, most: int | None = None) -> _Sets:
        """All sets at this coarseness; `_TOO_MANY` if more than ``most`` are large enough."""
        labels = np.full(len(A), -1, dtype=np.int64)
        participation = np.zeros(len(A))
        alpha = coarseness * float(A.sum(axis=1).mean())
        k = number = 0
        for members, weights in peel(A, alpha, self.theta, self.epsilon, self.max_iterations):
            labels[members], participation[members] = k, weights
            k += 1
            number += len(members) >= self.min_cluster_size
            if most is not None and number > most:
                return _TOO_MANY
        left = np.flatnonzero(labels < 0)
        if self.leftover == "whole":
            labels[left], participation[left] = k, 1 / max(len(left), 1)
        elif self.leftover == "single" or k == 0:
            labels[left], participation[left] = k + np.arange(len(left)), 1
        elif len(left):
            placed = np.flatnonzero(labels >= 0)
            # A locally scaled affinity cannot be used: with two items it grows with their distance.
            labels[left] = labels[placed[angular_distance(X)[np.ix_(left, placed)].argmin(axis=1)]]
        number = int((np.bincount(labels) >= self.min_cluster_size).sum())
        if most is not None and number > most:
            return _TOO_MANY
        return _Sets(labels, participation, max(number, 1), coarseness)


@dataclass(frozen=True, eq=False)
class _Sets:
    """Sets of n items: labels (n,), participation (n,), and the number of sets that are large enough."""

    labels: Labels
    participation: Vector
    number: int
    coarseness: float


_TOO_MANY = _Sets(np.empty(0, dtype=np.int64), np.empty(0), 0, math.nan)
