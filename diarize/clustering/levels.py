"""Two levels for many items: small clusters of neighbouring items, and a clusterer of these.

The first level is exact agglomeration within blocks of consecutive items, so its time and memory grow in
proportion to the number of items. Let m_a be the mean of the n_a unit vectors of a small cluster a. Then

    1 - m_a . m_b                                                                                     (1)

is the mean cosine distance of all pairs of items across a and b, and

    sqrt(2 n_a n_b / (n_a + n_b)) |m_a - m_b|                                                         (2)

is the distance of Ward's linkage. A tree that starts from these distances and sizes, with the recurrence of
Lance and Williams, is that of the items themselves, given that the small clusters are merged first.

References
----------
Lance, Williams: A general theory of classificatory sorting strategies, Comput. J. 9, 1967: the recurrence.
Murtagh: A survey of recent advances in hierarchical clustering algorithms, Comput. J. 26, 1983: the chain.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import squareform

from diarize.clustering.affinity import Matrix, unit
from diarize.clustering.partitions import Labels, cluster_sums

logger = logging.getLogger(__name__)

_BLOCK = 1000  # items that are compared in pairs at the first level


@dataclass(frozen=True, eq=False)
class SmallClusters:
    """Clusters of neighbouring items.

    Attributes
    ----------
    labels : array (n_items,)
        0, 1, ...: the small cluster of each item.
    sums : array (n, dim)
        Sums of the unit vectors of each.
    sizes : array (n,)
        Numbers of items.
    """

    labels: Labels
    sums: Matrix
    sizes: Labels

    @property
    def means(self) -> Matrix:
        """Means (n, dim) of the unit vectors of each, which are shorter than 1."""
        return self.sums / self.sizes[:, None]


def small_clusters(X: Matrix, n: int) -> SmallClusters:
    """At most n small clusters of the vectors X (n_items, dim), by Ward's linkage in blocks; logged."""
    n_blocks = min(-(-len(X) // _BLOCK), n)
    logger.info("%d embeddings are first merged into %d small clusters, in blocks of %d", len(X), n, _BLOCK)
    labels: list[Labels] = []
    offset = 0
    for block in np.array_split(X, n_blocks):
        cut = fcluster(scipy_linkage(_distances(unit(block)), "ward"), n // n_blocks, "maxclust")
        labels.append(offset + np.unique(cut, return_inverse=True)[1])
        offset = int(labels[-1].max()) + 1
    joined = np.concatenate(labels)
    return SmallClusters(joined, *cluster_sums(X, joined))


def merge_distances(means: Matrix, sizes: Labels, linkage: str) -> Matrix:
    """Distances (n, n) of small clusters: (2) for Ward's linkage, otherwise (1)."""
    products = means @ means.T
    if linkage != "ward":
        return np.asarray(np.clip(1 - products, 0, 2))
    squares = np.diag(products)
    between = np.maximum(squares[:, None] + squares - 2 * products, 0)
    return np.asarray(np.sqrt(2 * between / (1 / sizes[:, None] + 1 / sizes)))


def merge_tree(D: Matrix, sizes: Labels, linkage: str) -> NDArray[np.float64]:
    """SciPy's matrix of merges (n - 1, 4) of clusters of these sizes (n,) and distances D (n, n).

    A chain of nearest neighbours ends in two that are nearest to each other, which are merged. With these
    linkages no merge brings a cluster nearer to the others, so this gives the tree of the greedy order. D is
    overwritten.

    Parameters
    ----------
    D : array (n, n)
        Symmetric.
    sizes : array (n,)
    linkage : {"ward", "average", "complete"}
    """
    n = len(D)
    weights = sizes.astype(np.float64)
    np.fill_diagonal(D, np.inf)
    alive = np.ones(n, dtype=bool)
    pairs, heights = np.empty((n - 1, 2), dtype=np.int64), np.empty(n - 1)
    chain: list[int] = []
    for step in range(n - 1):
        if not chain:
            chain.append(int(alive.argmax()))
        while True:
            a = chain[-1]
            b = int(D[a].argmin())
            if len(chain) > 1 and D[a, chain[-2]] <= D[a, b]:  # also if equally near: the chain must end
                b = chain[-2]
                break
            chain.append(b)
        del chain[-2:]
        pairs[step], heights[step] = (a, b), D[a, b]
        row = _merged(D, weights, a, b, linkage)
        row[[a, b]] = np.inf
        row[~alive] = np.inf
        D[a], D[:, a] = np.inf, np.inf
        D[b], D[:, b] = row, row
        alive[a] = False
        weights[b] += weights[a]
    return _in_order(pairs, heights, sizes)


def _merged(D: Matrix, weights: Matrix, a: int, b: int, linkage: str) -> Matrix:
    """Distances (n,) to the union of a and b: the recurrence of Lance and Williams."""
    if linkage == "complete":
        return np.asarray(np.maximum(D[a], D[b]))
    if linkage == "average":
        return np.asarray((weights[a] * D[a] + weights[b] * D[b]) / (weights[a] + weights[b]))
    with_a, with_b = weights + weights[a], weights + weights[b]
    squares = with_a * D[a] ** 2 + with_b * D[b] ** 2 - weights * D[a, b] ** 2
    return np.asarray(np.sqrt(np.maximum(squares / (with_a + weights[b]), 0)))


def _in_order(pairs: Labels, heights: Matrix, sizes: Labels) -> NDArray[np.float64]:
    """The merges by height, with the names of SciPy: merge i makes node n + i."""
    n = len(sizes)
    merges = np.empty((n - 1, 4))
    node, parent = np.arange(n), np.arange(n)

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    items = sizes.copy()
    for i, step in enumerate(np.argsort(heights, kind="stable")):
        a, b = (root(int(leaf)) for leaf in pairs[step])
        items[b] += items[a]
        merges[i] = (*sorted((node[a], node[b])), heights[step], items[b])
        parent[a], node[b] = b, n + i
    return merges


def _distances(X: Matrix) -> NDArray[np.float64]:
    """Euclidean distances of all pairs of rows of X (n, dim) in SciPy's order, by one matrix product."""
    X = X.astype(np.float32)
    squares = np.einsum("ij,ij->i", X, X)
    D = np.sqrt(np.maximum(squares[:, None] + squares - 2 * (X @ X.T), 0))
    np.fill_diagonal(D, 0)
    return np.asarray(squareform(D, checks=False), dtype=np.float64)
