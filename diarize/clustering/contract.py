"""What every clusterer promises, and the helpers with which all of them keep it.

A clusterer is a scikit-learn estimator that sees vectors only. The number of speakers, or its bounds, are
honoured exactly, for any number of items, copies of one vector and zero vectors included; only where there
are fewer items than ``min_speakers``, each is a speaker. Labels are
numbered by first appearance. ``evidence_`` says why there are this many speakers. The same vectors always
give the same labels.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, Self, TypedDict

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import validate_data

from diarize.backend import sum_clusters
from diarize.clustering.affinity import Matrix, unit
from diarize.clustering.bounds import speaker_bounds, too_few

logger = logging.getLogger(__name__)

Labels = NDArray[np.int64]


class Candidate(TypedDict):
    """A number of speakers that was considered, and its score."""

    n_speakers: int
    score: float


class Evidence(TypedDict):
    """Why a clusterer found this many speakers; fit for JSON."""

    n_speakers: int
    reason: str  # one sentence with figures
    candidates: list[Candidate]
    absorbed: list[int]  # sizes, in items, of the small clusters that went to a neighbour


class Clusterer(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Base of all clusterers.

    Parameters
    ----------
    n_speakers : int, optional
        Exact number of speakers, when it is known.
    min_speakers : int
        At least this many speakers, or one an item where there are fewer items.
    max_speakers : int, optional
        At most this many speakers.

    Attributes
    ----------
    labels_ : array (n_items,) of int
        0, 1, ... in order of first appearance.
    n_speakers_ : int
    evidence_ : Evidence
    """

    labels_: Labels
    n_speakers_: int
    evidence_: Evidence

    def __init__(
        self, *, n_speakers: int | None = None, min_speakers: int = 1, max_speakers: int | None = None
    ) -> None:
        self.n_speakers = n_speakers
        self.min_speakers = min_speakers
        self.max_speakers = max_speakers

    def fit(self, X: Any, y: Any = None) -> Self:
        """Cluster the vectors X (n_items, dim), which must be finite numbers; ``y`` is ignored.

        Raises
        ------
        ConfigError
            When ``n_speakers`` is impossible for this many items.
        """
        X = validate_data(self, X, dtype=np.float64)
        lowest, highest = speaker_bounds(len(X), self.n_speakers, self.min_speakers, self.max_speakers)
        if message := too_few(len(X), self.n_speakers, self.min_speakers):
            logger.warning("%s", message)
        if highest == 1:
            labels = np.zeros(len(X), dtype=np.int64)
            why = "there is one vector" if len(X) == 1 else "at most one speaker was asked for"
            evidence = explain(labels, f"1 speaker: {why}, nothing was clustered")
        else:
            labels, evidence = self._cluster(X, lowest, highest)
            labels = number_by_first_appearance(labels)
        found = count(labels)
        assert lowest <= found <= highest
        assert found == evidence["n_speakers"]
        self.labels_, self.n_speakers_, self.evidence_ = labels, found, evidence
        return self

    def partitions(self, X: Matrix, lowest: int, highest: int) -> Iterator[Labels]:
        """Labels (n_items,) of partitions into about ``lowest`` to ``highest`` clusters, to choose among.

        Here they are merged or split from the clusterer's own; X is (n_items, dim), n_items >= highest.
        """
        own = type(self)(**self.get_params() | {"n_speakers": None, "min_speakers": 1, "max_speakers": None})
        own.fit(X)
        for k in range(lowest, highest + 1):
            yield within_bounds(X, own.labels_, k, k)

    @abstractmethod
    def _cluster(self, X: Matrix, lowest: int, highest: int) -> tuple[Labels, Evidence]:
        """Labels (n_items,) of ``lowest`` to ``highest`` values, and why.

        Here n_items >= 2, highest >= 2 and 1 <= lowest <= highest <= n_items.
        """


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


def count(labels: Labels) -> int:
    """How many different labels there are."""
    return len(np.unique(labels))


def number_by_first_appearance(labels: NDArray[Any]) -> Labels:
    """The same partition with labels 0, 1, ... in the order in which they first appear."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def within_bounds(X: Matrix, labels: Labels, lowest: int, highest: int) -> Labels:
    """Labels merged or split until their number lies between lowest and highest."""
    return split_to(X, merge_to(X, labels, highest), lowest)


def merge_to(X: Matrix, labels: Labels, n: int) -> Labels:
    """Labels with the two nearest clusters merged until at most n are left.

    Near means a high mean cosine of all pairs across two clusters (average linkage).
    """
    labels = number_by_first_appearance(labels)
    sums, sizes = cluster_sums(X, labels)
    k = len(sizes)
    if k <= n:
        return labels
    # The mean cosine of all pairs across clusters a, b of unit vectors is sum_a . sum_b / (size_a size_b).
    similarity = (sums @ sums.T) / np.outer(sizes, sizes)
    np.fill_diagonal(similarity, -np.inf)
    nearest = similarity.argmax(axis=1)
    target = np.arange(k)
    for _ in range(k - n):
        a = int(similarity[np.arange(k), nearest].argmax())
        a, b = sorted((a, int(nearest[a])))
        target[target == b] = a
        merged = (sizes[a] * similarity[a] + sizes[b] * similarity[b]) / (sizes[a] + sizes[b])
        sizes[a] += sizes[b]
        merged[[a, b]] = -np.inf
        similarity[a, :] = similarity[:, a] = merged
        similarity[b, :] = similarity[:, b] = -np.inf
        stale = np.flatnonzero((nearest == a) | (nearest == b))
        stale = np.union1d(stale, [a, b])
        nearest[stale] = similarity[stale].argmax(axis=1)
        closer = merged > similarity[np.arange(k), nearest]
        nearest[closer] = a
    return number_by_first_appearance(target[labels])


def split_to(X: Matrix, labels: Labels, n: int) -> Labels:
    """Labels with the widest cluster (largest sum of squares) split in two until there are at least n.

    n must not be above the number of items.
    """
    X, labels = unit(X), number_by_first_appearance(labels)
    if count(labels) >= n:
        return labels
    assert n <= len(labels)
    clusters = [np.flatnonzero(labels == label) for label in range(count(labels))]
    widths = [_width(X[members]) for members in clusters]
    while len(clusters) < n:
        widest = max(range(len(clusters)), key=lambda i: (widths[i], len(clusters[i])))
        members = clusters[widest]
        second = _bisect(X[members])
        clusters[widest] = members[~second]
        clusters.append(members[second])
        widths[widest] = _width(X[members[~second]])
        widths.append(_width(X[members[second]]))
    for label, members in enumerate(clusters):
        labels[members] = label
    return number_by_first_appearance(labels)


def absorb_small(X: Matrix, labels: Labels, min_size: int, keep: int = 1) -> tuple[Labels, list[int]]:
    """Labels with every cluster of fewer than min_size items given to the nearest large one.

    Near means a high cosine of the clusters' means. At least ``keep`` clusters stay (all, when there are no
    more): where fewer are large enough, the largest do.

    Returns
    -------
    labels : array (n_items,)
    absorbed : list of int
        Sizes of the clusters given away, largest first.
    """
    labels = number_by_first_appearance(labels)
    sums, sizes = cluster_sums(X, labels)
    by_size = np.argsort(-sizes, kind="stable")
    n_kept = max(int((sizes >= min_size).sum()), min(max(keep, 1), len(sizes)))
    kept, small = np.sort(by_size[:n_kept]), by_size[n_kept:]
    target = np.arange(len(sizes))
    directions = unit(sums)
    target[small] = kept[(directions[small] @ directions[kept].T).argmax(axis=1)]
    return number_by_first_appearance(target[labels]), [int(size) for size in sizes[small]]


def cosines_to_means(X: Matrix, members: Matrix, labels: Labels) -> Matrix:
    """Cosines (n, k) of the rows of X (n, dim) and the means of clusters 0 ... k - 1 of members (m, dim)."""
    sums, _ = cluster_sums(members, labels)
    return unit(X) @ unit(sums).T


def thinning(n_items: int, max_items: int) -> int:
    """1 where all items are clustered, 2 for every second, ...: at most max_items; told in the log."""
    step = max(-(-n_items // max_items), 1)
    if step > 1:
        logger.info("%d items: one in %d is clustered, the others go to the nearest mean", n_items, step)
    return step


def cluster_sums(X: Matrix, labels: Labels) -> tuple[Matrix, Labels]:
    """Sums (k, dim) of the unit vectors of each cluster 0 ... k - 1, and the sizes (k,)."""
    return sum_clusters(unit(X), labels), np.bincount(labels)


def _width(X: Matrix) -> float:
    """Sum of squared distances to the mean; 0 for copies of one vector, -1 for what cannot be split."""
    if len(X) < 2:
        return -1.0
    width = float(((X - X.mean(axis=0)) ** 2).sum())
    return width if width > 1e-12 else 0.0


def _bisect(X: Matrix) -> NDArray[np.bool_]:
    """Who belongs to the second half (n,): two means, from two points far apart; copies by index."""
    a = X[((X - X.mean(axis=0)) ** 2).sum(axis=1).argmax()]
    b = X[((X - a) ** 2).sum(axis=1).argmax()]
    second = np.arange(len(X)) >= len(X) // 2
    for _ in range(20):
        nearer = ((X - b) ** 2).sum(axis=1) < ((X - a) ** 2).sum(axis=1)
        if nearer.all() or not nearer.any() or (nearer == second).all():
            break  # all or none: copies up to rounding
        second = nearer
        a, b = X[~second].mean(axis=0), X[second].mean(axis=0)
    return second
