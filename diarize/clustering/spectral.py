"""Spectral clustering that chooses its graph and number of clusters: normalised maximum eigengap (NME-SC).

References
----------
Park, Han, Kumar, Narayanan: Auto-tuning spectral clustering for speaker diarization using normalized maximum
eigengap, IEEE Signal Processing Letters 27, 2020. Symbols below are the paper's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import LinAlgError, eigh, eigvalsh
from sklearn.cluster import KMeans

from diarize.clustering.affinity import Affinity, Matrix, resolve_affinity
from diarize.clustering.contract import Clusterer, thinning
from diarize.clustering.partitions import Labels, count, nearest_means, within_bounds
from diarize.clustering.reasons import Evidence, explain

_EPSILON = 1e-10
_MOST_CANDIDATES = 15


class Spectral(Clusterer):
    """Spectral clustering on the graph of p nearest neighbours; the eigengap chooses p and the number.

    The graph need not be connected: if it has k parts, its largest gap is at k.

    Parameters
    ----------
    affinity : str or function
        Name in `affinity.AFFINITIES`, or a function from vectors (n, dim) to a matrix (n, n).
    min_neighbors : int
        The smallest p. No part of the graph has fewer than p + 1 items, so a few overlapping windows do not
        become a speaker.
    max_neighbors : float
        The largest p, as a share of the items. With few items it overrides ``min_neighbors``.
    n_graphs : int
        Most values of p to try.
    max_items : int
        Time grows with the cube of the number of items. Of more items than this, only every second, third,
        ... is clustered, and the others go to the cluster of the nearest mean by cosine.
    random_state : int
        Seed of the k-means on the eigenvectors.
    n_speakers, min_speakers, max_speakers
        See `Clusterer`.
    """

    def __init__(
        self,
        *,
        affinity: str | Affinity = "cosine",
        min_neighbors: int = 8,
        max_neighbors: float = 0.25,
        n_graphs: int = 20,
        max_items: int = 1500,
        random_state: int = 0,
        n_speakers: int | None = None,
        min_speakers: int = 1,
        max_speakers: int | None = None,
    ) -> None:
        super().__init__(n_speakers=n_speakers, min_speakers=min_speakers, max_speakers=max_speakers)
        self.affinity = affinity
        self.min_neighbors = min_neighbors
        self.max_neighbors = max_neighbors
        self.n_graphs = n_graphs
        self.max_items = max_items
        self.random_state = random_state

    def partitions(self, X: Matrix, lowest: int, highest: int) -> Iterator[Labels]:
        """K-means on the eigenvectors of one graph; see `Clusterer.partitions`."""
        some = X[:: thinning(len(X), self.max_items)]
        last = min(highest, len(some) - 1)
        if last < lowest:
            return
        order, p, _ = self._graph(some, lowest, last, len(some) < len(X))
        vectors = first_eigenvectors(laplacian(order, p), last)
        for k in range(lowest, last + 1):
            labels = self._partition(vectors[:, :k])
            yield labels if len(some) == len(X) else nearest_means(X, some, labels)

    def _graph(self, X: Matrix, first: int, last: int, fast: bool) -> tuple[Labels, int, Matrix]:
        """The items by similarity (n, n) and p, for `laplacian`, and the gaps of first ... last clusters.

        With ``fast``, eigenvalues are computed in single precision, for half the time.
        """
        unlike = -resolve_affinity(self.affinity)(X)
        np.fill_diagonal(unlike, np.inf)  # an item is not its own neighbour
        order = np.argsort(unlike, axis=1, kind="stable")
        largest = min(max(int(self.max_neighbors * len(X)), 1), len(X) - 1)
        smallest = max(min(self.min_neighbors, largest), 1)
        tried = np.unique(np.linspace(smallest, largest, max(self.n_graphs, 1)).astype(int))
        ratios, gaps = zip(
            *(gap_ratio(order, int(p), first, last, np.float32 if fast else np.float64) for p in tried),
            strict=True,
        )
        chosen = int(np.argmin(ratios))  # p^ = argmin r(p)
        return order, int(tried[chosen]), gaps[chosen]

    def _cluster(self, X: Matrix, lowest: int, highest: int) -> tuple[Labels, Evidence]:
        step = thinning(len(X), self.max_items)
        some = X[::step]
        first, last = lowest, min(highest, max(_MOST_CANDIDATES, lowest), len(some) - 1)
        if last < first:  # the number is that of the items, or too large to have a gap
            labels = within_bounds(X, np.arange(len(X)), lowest, lowest)
            return labels, explain(labels, f"{lowest} speakers, as requested, of {len(X)} embeddings")
        order, p, gap = self._graph(some, first, last, step > 1)
        k = first + int(np.argmax(gap))  # k^ = argmax e_p^
        labels = self._partition(first_eigenvectors(laplacian(order, p), k))
        labels = within_bounds(some, labels, k, k)
        if step > 1:
            labels = nearest_means(X, some, labels)
            labels = within_bounds(X, labels, lowest, highest)
        reason = f"{k} speakers have the largest eigengap, {gap.max():.3f}, of the graph of {p} neighbours"
        if lowest == highest:
            reason = f"{k} speakers, as requested, on the graph of {p} neighbours"
        elif count(labels) != k:
            reason = f"{count(labels)} speakers remain of {k} with the largest eigengap, {gap.max():.3f}"
        return labels, explain(labels, reason, enumerate(gap, start=first))

    def _partition(self, rows: Matrix) -> Labels:
        """At most k clusters (n,) of the rows (n, k) of the first k eigenvectors."""
        n, k = rows.shape
        if k == 1:
            return np.zeros(n, dtype=np.int64)
        distinct, labels = np.unique(rows.round(9), axis=0, return_inverse=True)
        if len(distinct) > k:
            labels = KMeans(k, n_init=10, random_state=self.random_state).fit_predict(rows)
        return np.asarray(labels, dtype=np.int64)


def first_eigenvectors(L: Matrix, k: int) -> Matrix:
    """The eigenvectors (n, k) of the smallest eigenvalues of L (n, n).

    LAPACK takes less time for some of them than for all, but fails for some matrices with many equal
    eigenvalues, such as those of graphs of many parts.
    """
    try:
        vectors: Matrix = eigh(L, subset_by_index=(0, k - 1))[1]
    except LinAlgError:
        vectors = eigh(L, driver="evd")[1][:, :k]
    return vectors


def laplacian(order: Labels, p: int) -> Matrix:
    """The unnormalised Laplacian (n, n) of the graph of p nearest neighbours.

    ``order`` (n, n) holds, in each row, the items from the most similar to the least similar one.
    """
    n = len(order)
    A = np.zeros((n, n))
    np.put_along_axis(A, order[:, :p], 1.0, axis=1)  # binarised: the p largest of each row
    A = (A + A.T) / 2  # symmetrised
    return np.diag(A.sum(axis=1)) - A  # L = D - A


def gap_ratio(order: Labels, p: int, first: int, last: int, dtype: type = np.float64) -> tuple[float, Matrix]:
    """r(p) = p / g_p, and the normalised gaps of first ... last clusters, of which g_p is the largest.

    The gap of k clusters is lambda_k+1 - lambda_k, divided by the largest eigenvalue.
    """
    values = eigvalsh(laplacian(order, p).astype(dtype, copy=False)).astype(np.float64)
    gaps = np.diff(values[first - 1 : last + 1]) / (values[-1] + _EPSILON)
    return p / len(order) / (float(gaps.max()) + _EPSILON), gaps
