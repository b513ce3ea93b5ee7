"""Operations on partitions as labels: count, number, merge, split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.clustering.affinity import Matrix, unit

Labels = NDArray[np.int64]

_BLOCK = 10_000  # rows that are made unit vectors at once


def blocks(n: int) -> Iterator[slice]:
    """Slices of at most 10,000 of n rows: what is computed row by row then needs little memory."""
    return (slice(start, min(start + _BLOCK, n)) for start in range(0, max(n, 1), _BLOCK))


def count(labels: Labels) -> int:
    """The number of different labels."""
    return len(np.unique(labels))


def number_by_first_appearance(labels: NDArray[Any]) -> Labels:
    """The same partition with labels 0, 1, ... in the order in which they first appear."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def within_bounds(X: Matrix, labels: Labels, lowest: int, highest: int) -> Labels:
    """The labels, with clusters merged or split until their number lies between lowest and highest."""
    return split_to(X, merge_to(X, labels, highest), lowest)


def merge_to(X: Matrix, labels: Labels, n: int) -> Labels:
    """The labels, with the two nearest clusters merged repeatedly until at most n are left.

    The nearest clusters have the highest mean cosine of all pairs across them (average linkage).
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
    """The labels, with the widest cluster (largest sum of squares) split repeatedly until there are n.

    n must be at most the number of items.
    """
    labels = number_by_first_appearance(labels)
    if count(labels) >= n:
        return labels
    X = unit(X)
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
    """The labels, with every cluster of fewer than min_size items given to the nearest large one.

    The nearest cluster has the highest cosine of means. At least ``keep`` clusters stay, or all if there are
    no more; if too few are large enough, the largest ones stay.

    Returns
    -------
    labels : array (n_items,)
    absorbed : list of int
        Sizes of the small clusters, largest first.
    """
    labels = number_by_first_appearance(labels)
    target, absorbed = absorption(*cluster_sums(X, labels), min_size, keep)
    return number_by_first_appearance(target[labels]), absorbed


def absorption(sums: Matrix, sizes: Labels, min_size: int, keep: int = 1) -> tuple[Labels, list[int]]:
    """What `absorb_small` makes of each cluster (k,), and the sizes of the small ones, largest first.

    ``sums`` (k, dim) are of the unit vectors of each cluster, ``sizes`` (k,) their numbers.
    """
    by_size = np.argsort(-sizes, kind="stable")
    n_kept = max(int((sizes >= min_size).sum()), min(max(keep, 1), len(sizes)))
    kept, small = np.sort(by_size[:n_kept]), by_size[n_kept:]
    target = np.arange(len(sizes))
    directions = unit(sums)
    target[small] = kept[(directions[small] @ directions[kept].T).argmax(axis=1)]
    return target, [int(size) for size in sizes[small]]


def nearest_means(X: Matrix, members: Matrix, labels: Labels) -> Labels:
    """The cluster (n,) whose mean has the highest cosine with each row of X (n, dim).

    The clusters 0 ... k - 1 are of members (m, dim), with labels (m,).
    """
    sums = unit(cluster_sums(members, labels)[0])
    # The length of a row does not matter for the cluster.
    return np.concatenate([(X[rows] @ sums.T).argmax(axis=1) for rows in blocks(len(X))])


def sum_clusters(X: Matrix, labels: Labels) -> Matrix:
    """Sums (k, dim) of the rows of each of the clusters 0 ... k - 1."""
    from scipy.sparse import csr_array  # twenty times as fast as np.add.at, with the same sums

    n = len(labels)
    clusters = csr_array((np.ones(n), labels, np.arange(n + 1)), shape=(n, int(labels.max()) + 1))
    sums: Matrix = clusters.T @ X
    return sums


def cluster_sums(X: Matrix, labels: Labels) -> tuple[Matrix, Labels]:
    """Sums (k, dim) of the unit vectors of each cluster 0 ... k - 1, and the sizes (k,)."""
    sums = np.zeros((int(labels.max()) + 1, X.shape[1]))
    for rows in blocks(len(X)):
        part = sum_clusters(unit(X[rows]), labels[rows])
        sums[: len(part)] += part
    return sums, np.bincount(labels)


def _width(X: Matrix) -> float:
    """Sum of squared distances to the mean; 0 for copies of one vector, -1 for a cluster of one item."""
    if len(X) < 2:
        return -1.0
    width = float(((X - X.mean(axis=0)) ** 2).sum())
    return width if width > 1e-12 else 0.0


def _bisect(X: Matrix) -> NDArray[np.bool_]:
    """Mask (n,) of the second half: two-means from two distant points; copies are halved by index."""
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
