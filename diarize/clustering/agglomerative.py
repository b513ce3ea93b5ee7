"""Agglomerative clustering: a tree of merges, cut at a distance, at a number of clusters, or by silhouette.

References
----------
Ward: Hierarchical grouping to optimize an objective function, J. Am. Stat. Assoc. 58, 1963.
Rousseeuw: Silhouettes: a graphical aid to the interpretation and validation of cluster analysis,
J. Comput. Appl. Math. 20, 1987.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import pdist

from diarize.clustering.affinity import Matrix, unit
from diarize.clustering.contract import Clusterer
from diarize.clustering.levels import SmallClusters, merge_distances, merge_tree, small_clusters
from diarize.clustering.partitions import (
    Labels,
    absorption,
    blocks,
    count,
    number_by_first_appearance,
    sum_clusters,
    within_bounds,
)
from diarize.clustering.reasons import Evidence, explain
from diarize.clustering.silhouette import adjacent_distances, mean_silhouette
from diarize.errors import ConfigError

# Merge distances (see `Tree`), the best on development recordings (docs/choices.md).
THRESHOLDS = {"ward": 0.42, "average": 0.65, "complete": 0.9}
CRITERIA = ("threshold", "silhouette")
_MOST_CANDIDATES = 15


class Agglomerative(Clusterer):
    """Agglomerative clustering of unit vectors.

    A known number of speakers counts large clusters only: the tree is cut deeper until that many clusters
    hold ``min_cluster_size`` items, and the other items go to the nearest of them. If no cut achieves this,
    the tree is cut into that number of clusters of any size.

    Parameters
    ----------
    linkage : {"ward", "average", "complete"}
        Ward on Euclidean distance, the others on cosine distance.
    threshold : float, optional
        Clusters farther apart than this (see `Tree`) are not merged; by default, ``THRESHOLDS[linkage]``.
    criterion : {"threshold", "silhouette"}
        How an unknown number is found: by the threshold, or as the number with the best mean silhouette.
    one_speaker : float
        With criterion "silhouette": one speaker if no silhouette reaches this.
    n_adjacent : int
        With criterion "silhouette": items up to this many places apart share audio, so each is ignored in the
        other's silhouette.
    min_cluster_size : int
        Clusters of fewer items go to the nearest cluster.
    max_items : int
        Memory grows with the square of the number of items. More items than this are first merged, in blocks
        of consecutive items, into half as many small clusters (``levels.py``), which the tree continues.
    n_speakers, min_speakers, max_speakers
        See `Clusterer`.
    """

    def __init__(
        self,
        *,
        linkage: Literal["ward", "average", "complete"] = "ward",
        threshold: float | None = None,
        criterion: Literal["threshold", "silhouette"] = "threshold",
        one_speaker: float = 0.1,
        n_adjacent: int = 0,
        min_cluster_size: int = 3,
        max_items: int = 5000,
        n_speakers: int | None = None,
        min_speakers: int = 1,
        max_speakers: int | None = None,
    ) -> None:
        super().__init__(n_speakers=n_speakers, min_speakers=min_speakers, max_speakers=max_speakers)
        self.linkage = linkage
        self.threshold = threshold
        self.criterion = criterion
        self.one_speaker = one_speaker
        self.n_adjacent = n_adjacent
        self.min_cluster_size = min_cluster_size
        self.max_items = max_items

    def partitions(self, X: Matrix, lowest: int, highest: int) -> Iterator[Labels]:
        """The cuts of the tree; see `Clusterer.partitions`."""
        X, tree = self._grow(X)
        for k in range(lowest, highest + 1):
            yield self._cut_to(X, tree, k)[0]

    def _grow(self, X: Matrix) -> tuple[Matrix, Tree]:
        """The unit vectors and their tree."""
        if self.linkage not in THRESHOLDS:
            raise ConfigError(f"unknown linkage {self.linkage!r}; known: {', '.join(THRESHOLDS)}")
        if self.criterion not in CRITERIA:
            raise ConfigError(f"unknown criterion {self.criterion!r}; known: {', '.join(CRITERIA)}")
        if len(X) <= self.max_items:
            X = unit(X)
        else:
            X = np.concatenate([unit(X[rows]).astype(np.float32) for rows in blocks(len(X))])
        return X, Tree(X, self.linkage, self.max_items)

    def _cluster(self, X: Matrix, lowest: int, highest: int) -> tuple[Labels, Evidence]:
        X, tree = self._grow(X)
        if lowest == highest:
            labels, absorbed, how = self._cut_to(X, tree, lowest)
            return labels, explain(
                labels, f"{lowest} speakers, as requested: {how}", tree.top_heights(10), absorbed
            )
        if self.criterion == "silhouette":
            return self._by_silhouette(X, tree, lowest, highest)
        return self._by_threshold(X, tree, lowest, highest)

    def _by_threshold(self, X: Matrix, tree: Tree, lowest: int, highest: int) -> tuple[Labels, Evidence]:
        threshold = THRESHOLDS[self.linkage] if self.threshold is None else self.threshold
        n_cut = tree.n_above(threshold)
        labels, absorbed = tree.large(n_cut, self.min_cluster_size)
        found = count(labels)
        reason = (
            f"{found} of {n_cut} clusters at {self.linkage} distance {threshold:g} "
            f"hold at least {self.min_cluster_size} embeddings"
        )
        bounded = min(max(found, lowest), highest)
        if bounded != found:
            labels, absorbed, how = self._cut_to(X, tree, bounded)
            reason = f"{bounded} speakers, the requested bound: {how} ({reason})"
        return labels, explain(labels, reason, tree.top_heights(10), absorbed)

    def _by_silhouette(self, X: Matrix, tree: Tree, lowest: int, highest: int) -> tuple[Labels, Evidence]:
        first = max(lowest, 2)
        cuts = {
            k: self._cut_to(X, tree, k) for k in range(first, min(highest, max(_MOST_CANDIDATES, first)) + 1)
        }
        near = adjacent_distances(X, self.n_adjacent)
        scores = {}
        for k, (labels, _, _) in cuts.items():
            totals = tree.totals(labels) if k <= tree.n_leaves else None  # otherwise leaves were split
            scores[k] = mean_silhouette(X, labels, self.n_adjacent, totals, near)
        best = max(scores, key=lambda k: scores[k])
        if lowest == 1 and scores[best] < self.one_speaker:
            labels = np.zeros(len(X), dtype=np.int64)
            reason = f"1 speaker: the best silhouette, {scores[best]:.3f}, is below {self.one_speaker:g}"
            return labels, explain(labels, reason, scores.items())
        labels, absorbed, how = cuts[best]
        reason = f"{best} speakers have the best mean silhouette, {scores[best]:.3f}: {how}"
        return labels, explain(labels, reason, scores.items(), absorbed)

    def _cut_to(self, X: Matrix, tree: Tree, k: int) -> tuple[Labels, list[int], str]:
        """Labels of exactly k speakers, the sizes of the clusters absorbed, and the reason in words."""
        n_cut = tree.n_where_large(k, self.min_cluster_size)
        if n_cut is None:
            labels = within_bounds(X, tree.cut(k), k, k)
            return (
                labels,
                [],
                f"no cut gives {k} clusters of {self.min_cluster_size} embeddings, so some are smaller",
            )
        labels, absorbed = tree.large(n_cut, self.min_cluster_size, keep=k)
        return labels, absorbed, f"{k} of {n_cut} clusters hold at least {self.min_cluster_size} embeddings"


class Tree:
    """The tree of merges of unit vectors X (n_items, dim).

    ``heights`` (n_leaves - 1,) are the distances of the merges: cosine distances or, with Ward's linkage,
    Euclidean distances of means times sqrt(2ab / (a + b)), where a and b are the sizes. Ward's are divided by
    the square root of the number of items, so that they do not grow with the length of the recording.
    """

    def __init__(self, X: Matrix, linkage: str, max_items: int) -> None:
        if len(X) <= max_items:
            leaves = SmallClusters(np.arange(len(X)), unit(X), np.ones(len(X), dtype=np.int64))
            merges = _merges(X, linkage)
        else:
            leaves = small_clusters(X, max(max_items // 2, 1))
            merges = merge_tree(merge_distances(leaves.means, leaves.sizes, linkage), leaves.sizes, linkage)
        self.leaves = leaves
        self.n_leaves = len(leaves.sizes)
        self.children = merges[:, :2].astype(np.int64)  # merge i makes node n_leaves + i
        scale = np.sqrt(len(X)) if linkage == "ward" else 1.0
        self.heights: NDArray[np.float64] = merges[:, 2] / scale
        self.sizes = np.concatenate([leaves.sizes, np.zeros(len(merges), dtype=np.int64)])  # items
        for i, (left, right) in enumerate(self.children):
            self.sizes[self.n_leaves + i] = self.sizes[left] + self.sizes[right]

    def cut(self, k: int) -> Labels:
        """Node numbers (n_items,) of the k clusters before the last k - 1 merges (all leaves, if fewer)."""
        return self._roots(k)[self.leaves.labels]

    def large(self, k: int, min_size: int, keep: int = 1) -> tuple[Labels, list[int]]:
        """The k clusters of `cut`, small ones absorbed; see `absorb_small`."""
        roots = number_by_first_appearance(self._roots(k))
        target, absorbed = absorption(
            sum_clusters(self.leaves.sums, roots),
            np.bincount(roots, self.leaves.sizes).astype(np.int64),
            min_size,
            keep,
        )
        return number_by_first_appearance(target[roots])[self.leaves.labels], absorbed

    def totals(self, labels: Labels) -> tuple[Matrix, Labels]:
        """Sums (k, dim) of unit vectors and sizes (k,) of clusters 0 ... k - 1 that are unions of leaves."""
        of_leaf = np.empty(self.n_leaves, dtype=np.int64)
        of_leaf[self.leaves.labels] = labels
        return sum_clusters(self.leaves.sums, of_leaf), np.bincount(labels)

    def _roots(self, k: int) -> Labels:
        """The node of k clusters in which each leaf (n_leaves,) is."""
        root = np.arange(2 * self.n_leaves - 1)
        for i in reversed(range(self.n_leaves - min(k, self.n_leaves))):
            root[self.children[i]] = root[self.n_leaves + i]
        return root[: self.n_leaves]

    def n_above(self, threshold: float) -> int:
        """The number of clusters if merges above the threshold are undone."""
        return 1 + int((self.heights > threshold).sum())

    def n_where_large(self, k: int, min_size: int) -> int | None:
        """The smallest number of clusters of which k hold min_size items; None if there is none."""
        large = (self.sizes >= min_size).astype(np.int64)
        gained = large[self.children].sum(axis=1) - large[self.n_leaves :]
        n_large = large[-1] + np.concatenate([[0], np.cumsum(gained[::-1])])  # for 1, 2, ... clusters
        fits = np.flatnonzero(n_large == k)
        return int(fits[0]) + 1 if len(fits) else None

    def top_heights(self, most: int) -> list[tuple[int, float]]:
        """Pairs (k, distance of the two nearest of k clusters) for k = 2, 3, ..."""
        return [(k, float(height)) for k, height in enumerate(self.heights[::-1][: most - 1], start=2)]


def _merges(X: Matrix, linkage: str) -> NDArray[np.float64]:
    """SciPy's matrix of merges (n - 1, 4) of unit vectors X (n, dim)."""
    if len(X) == 1:
        return np.empty((0, 4))
    if linkage == "ward":
        return np.asarray(scipy_linkage(X, "ward"))
    # pdist gives NaN where a vector is zero; there the cosine is 0.
    distance = np.clip(np.nan_to_num(pdist(X, "cosine"), nan=1.0), 0, 2)
    return np.asarray(scipy_linkage(distance, linkage))
