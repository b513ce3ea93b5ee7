"""Density clustering of unit vectors with HDBSCAN.

References
----------
Campello, Moulavi, Sander: Density-based clustering based on hierarchical density estimates, PAKDD 2013.
McInnes, Healy, Astels: hdbscan: Hierarchical density based clustering, J. Open Source Softw. 2, 2017.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import hdbscan
import numpy as np
from numpy.typing import NDArray

from diarize.clustering.affinity import Matrix, unit
from diarize.clustering.contract import Clusterer
from diarize.clustering.levels import SmallClusters, small_clusters
from diarize.clustering.partitions import Labels, count, nearest_means, within_bounds
from diarize.clustering.reasons import Evidence, explain
from diarize.errors import ConfigError


class Density(Clusterer):
    """HDBSCAN on Euclidean distance of unit vectors; its noise goes to the nearest mean by cosine.

    Parameters
    ----------
    min_cluster_size : int
        Items that a dense region needs, at least 2.
    min_samples : int
        Neighbours that make a region dense; a higher value leaves more items as noise.
    max_items : int
        Time grows with the square of the number of items. More items than this are first merged, in blocks of
        consecutive items, into half as many small clusters (``levels.py``), whose means are clustered.
    n_speakers, min_speakers, max_speakers
        See `Clusterer`. Clusters are merged or split until the number is within these bounds.

    Attributes
    ----------
    strengths_ : array (n_items,)
        How strongly an item belongs to its cluster in HDBSCAN, 0 to 1; 0 for noise. All 1 if nothing was
        clustered.
    """

    strengths_: NDArray[np.float64]

    def __init__(
        self,
        *,
        min_cluster_size: int = 5,
        min_samples: int = 1,
        max_items: int = 3000,
        n_speakers: int | None = None,
        min_speakers: int = 1,
        max_speakers: int | None = None,
    ) -> None:
        super().__init__(n_speakers=n_speakers, min_speakers=min_speakers, max_speakers=max_speakers)
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.max_items = max_items

    def fit(self, X: Any, y: Any = None) -> Self:
        """Cluster the vectors X (n_items, dim); see `Clusterer.fit`."""
        self.__dict__.pop("strengths_", None)
        super().fit(X, y)
        self.__dict__.setdefault("strengths_", np.ones(len(self.labels_)))
        return self

    def partitions(self, X: Matrix, lowest: int, highest: int) -> Iterator[Labels]:
        """Clusters of ``fit``, merged or split; above ``max_items``, of small clusters."""
        if len(X) <= self.max_items:
            yield from super().partitions(X, lowest, highest)
            return
        small, own = self._small(X)
        for labels in own.partitions(small.means, lowest, min(highest, len(small.sizes))):
            yield labels[small.labels]

    def _small(self, X: Matrix) -> tuple[SmallClusters, Density]:
        """Small clusters of many items, and a clusterer of these."""
        small = small_clusters(X, max(self.max_items // 2, 2))
        least = -(-self.min_cluster_size * len(small.sizes) // len(X))
        params = self.get_params() | {"min_cluster_size": max(least, 2), "n_speakers": None}
        return small, Density(**params)

    def _cluster(self, X: Matrix, lowest: int, highest: int) -> tuple[Labels, Evidence]:
        for name, least in (("min_cluster_size", 2), ("min_samples", 1), ("max_items", 2)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name}: a number from {least} is needed, got {getattr(self, name)!r}")
        if len(X) > self.max_items:
            return self._cluster_small(X, lowest, highest)
        X = unit(X)
        found = hdbscan.HDBSCAN(
            min_cluster_size=self.min_cluster_size, min_samples=self.min_samples, core_dist_n_jobs=1
        ).fit(X)
        self.strengths_ = np.where(found.labels_ >= 0, found.probabilities_, 0.0)
        labels = found.labels_.astype(np.int64)
        noise = labels < 0
        n_found = int(labels.max()) + 1
        if n_found == 0:
            labels = np.zeros(len(X), dtype=np.int64)
        else:
            labels[noise] = nearest_means(X[noise], X[~noise], labels[~noise])
        labels = within_bounds(X, labels, lowest, highest)
        reason = f"{n_found} dense clusters; {int(noise.sum())} of {len(X)} embeddings lie outside them"
        if count(labels) != n_found:
            why = (
                "without dense clusters there is one"
                if n_found == 0 and lowest == 1
                else "the requested bounds"
            )
            reason = f"{count(labels)} speakers ({why}): {reason}"
        return labels, explain(labels, reason)

    def _cluster_small(self, X: Matrix, lowest: int, highest: int) -> tuple[Labels, Evidence]:
        """Labels of more than ``max_items`` items: those of their small clusters."""
        small, own = self._small(X)
        n_small = len(small.sizes)
        own.set_params(min_speakers=min(lowest, n_small), max_speakers=highest).fit(small.means)
        self.strengths_ = own.strengths_[small.labels]
        labels = within_bounds(X, own.labels_[small.labels], lowest, highest)
        return labels, explain(labels, f"{own.evidence_['reason']}, of {n_small} small clusters of {len(X)}")
