"""The mean silhouette of a partition of unit vectors, without a matrix of distances.

References
----------
Rousseeuw: Silhouettes: a graphical aid to the interpretation and validation of cluster analysis,
J. Comput. Appl. Math. 20, 1987.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diarize.clustering.affinity import Matrix
from diarize.clustering.partitions import Labels, blocks, cluster_sums


def mean_silhouette(
    X: Matrix,
    labels: Labels,
    n_adjacent: int = 0,
    totals: tuple[Matrix, Labels] | None = None,
    near: list[Matrix] | None = None,
) -> float:
    """Mean silhouette of at least two clusters of unit vectors X (n_items, dim), on cosine distance.

    Rows up to ``n_adjacent`` places apart are ignored in each other's silhouette: they share audio, so they
    are similar whoever speaks, and would raise the silhouette of any cut into runs of rows. The mean cosine
    to the vectors of a cluster is the inner product with their mean, so no distance matrix is needed.
    ``totals`` are the sums and sizes of clusters 0 ... k - 1, ``near`` the `adjacent_distances`, if they are
    known.
    """
    if totals is None:
        labels = np.unique(labels, return_inverse=True)[1]
        totals = cluster_sums(X, labels)
    if near is None:
        near = adjacent_distances(X, n_adjacent)
    parts = [_silhouettes(X, labels, near, *totals, rows) for rows in blocks(len(X))]
    return float(np.concatenate(parts).mean())


def adjacent_distances(X: Matrix, n_adjacent: int) -> list[Matrix]:
    """Cosine distances of unit vectors X (n_items, dim) to those 0, 1, ... n_adjacent places later."""
    near = []
    for step in range(n_adjacent + 1):
        distances = np.empty(max(len(X) - step, 0))
        for rows in blocks(len(distances)):
            some = X[rows.start : rows.stop + step].astype(np.float64)
            n = rows.stop - rows.start
            distances[rows] = 1 - (some[:n] * some[step : step + n]).sum(axis=1)
        near.append(distances)
    return near


def _silhouettes(
    X: Matrix, labels: Labels, near: list[Matrix], sums: Matrix, sizes: Labels, rows: slice
) -> NDArray[np.float64]:
    """Silhouettes of some rows of X, given the sums (k, dim) and sizes (k,) of the clusters."""
    items = np.arange(rows.start, rows.stop)
    distance_sums = sizes - X[rows].astype(np.float64) @ sums.T  # (n_rows, k): to all items of each cluster
    counts = np.tile(sizes, (len(items), 1))
    for step in range(1 - len(near), len(near)):  # 0: the item itself
        inside = (items + step >= 0) & (items + step < len(X))
        row, other = np.flatnonzero(inside), items[inside] + step
        distance_sums[row, labels[other]] -= near[abs(step)][np.minimum(items[inside], other)]
        counts[row, labels[other]] -= 1
    means = np.divide(distance_sums, counts, out=np.full_like(distance_sums, np.inf), where=counts > 0)
    row = np.arange(len(items))
    own = means[row, labels[rows]]
    means[row, labels[rows]] = np.inf
    nearest = means.min(axis=1)
    known = np.isfinite(own) & np.isfinite(nearest)
    scale = np.where(known, np.maximum(own, nearest), 0)
    difference = np.subtract(nearest, own, out=np.zeros(len(items)), where=known)
    return np.asarray(np.divide(difference, scale, out=np.zeros(len(items)), where=scale > 1e-12))
