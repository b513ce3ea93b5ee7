"""Clusterings of utterances of known speakers, scored: all cuts of a tree, and clusterers side by side.

The tables are dicts that fit JSON. If a key contains ``oracle``, the number of clusters or the cut comes from
the true speakers of the same utterances: it is a bound, not the result of an algorithm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import hdbscan
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import AffinityPropagation, KMeans, SpectralClustering

from diarize.clustering import CLUSTERERS, build_clusterer
from diarize.clustering.affinity import Matrix, cosine_similarity, locally_scaled_affinity, unit
from diarize.clustering.partitions import Labels
from diarize.scoring.clusterings import (
    clustering_scores,
    minimal_legacy_misclassification_rate,
    misclassification_rate,
    wilson_interval,
)

AhcInput = Literal["condensed", "rows"]
Scores = dict[str, Any]

UTTERANCE_SETTINGS: dict[str, dict[str, Any]] = {
    "agglomerative": {"min_cluster_size": 1},
    "spectral": {"min_neighbors": 1},
    "density": {"min_cluster_size": 2},
}
"""Settings for two utterances of each speaker; the default ones of the clusterers are for windows."""

_BY_NUMBER = dict[str, Callable[[int], Labels]]


def cosine_distance(X: NDArray[Any]) -> Matrix:
    """1 - cosine (n, n) of all pairs of rows of X (n, dim), zero diagonal."""
    distance: Matrix = 1 - cosine_similarity(X)
    np.fill_diagonal(distance, 0)
    return distance


def build_linkage(distance: Matrix, method: str = "complete", ahc_input: AhcInput = "condensed") -> Matrix:
    """SciPy's matrix of merges (n - 1, 4) of a symmetric distance matrix (n, n).

    ``rows`` uses each row of the matrix as a vector and clusters these by cosine distance. The published code
    of the papers does so, because it passes a square matrix to SciPy; the papers describe ``condensed``.

    Raises
    ------
    ValueError
        If ``ahc_input`` is unknown, or there are fewer than two items.
    """
    if ahc_input not in ("condensed", "rows"):
        raise ValueError(f"ahc_input must be 'condensed' or 'rows', got {ahc_input!r}")
    if len(distance) < 2:
        raise ValueError(f"a tree needs two items, got {len(distance)}")
    if ahc_input == "rows":
        distance = cosine_distance(distance)
    return np.asarray(scipy_linkage(squareform(distance, checks=False), method))


def iterate_cuts(linkage: Matrix) -> Iterator[Labels]:
    """Labels (n,) after 0, 1, ... n - 1 merges, from n clusters to one."""
    n = len(linkage) + 1
    labels = np.arange(n)
    yield labels
    for node, (left, right) in enumerate(linkage[:, :2].astype(np.int64), start=n):
        labels = np.where((labels == left) | (labels == right), node, labels)
        yield labels


def choose_threshold(linkage: Matrix, speakers: ArrayLike) -> float:
    """The height at which the cut of the tree of development speakers has the lowest MR.

    Many heights have the lowest MR. They form intervals between two merges. The result is the middle of the
    widest interval (the lowest of equally wide ones)::

        MR  .3 |  .2 | .1      .1 | .2 |  .1  | .4
            ---+-----+----x-------+----+------+----> height      + a merge, x the threshold
    """
    rates = np.array([misclassification_rate(speakers, labels) for labels in iterate_cuts(linkage)])
    # i merges are done from edges[i] up to edges[i + 1]; merges of equal height are done together.
    edges = np.concatenate([[0.0], linkage[:, 2], linkage[-1:, 2]])
    reached = np.flatnonzero(np.append(np.diff(edges)[:-1] > 0, True))
    best = np.flatnonzero(rates[reached] == rates[reached].min())
    runs = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    intervals = [(edges[reached[run[0]]], edges[reached[run[-1]] + 1]) for run in runs]
    low, high = max(intervals, key=lambda interval: interval[1] - interval[0])
    return float((low + high) / 2)


def legacy_obstacle(speakers: ArrayLike) -> str | None:
    """Why the legacy MR is not defined for these utterances; None if it is defined."""
    names, counts = np.unique(np.asarray(speakers), return_counts=True)
    if (counts == 2).all():
        return None
    worst = int(np.argmax(counts != 2))
    return f"the legacy rate needs two utterances of every speaker; {names[worst]} has {counts[worst]}"


def score_labels(speakers: ArrayLike, labels: ArrayLike) -> Scores:
    """All of `clustering_scores`; the legacy rate is None if it is not defined."""
    scores: Scores = dict(clustering_scores(speakers, labels))
    if legacy_obstacle(speakers) is not None:
        scores["legacy_misclassification_rate"] = None
    return scores


def score_linkage(linkage: Matrix, speakers: ArrayLike, threshold: float | None = None) -> Scores:
    """Scores of the cuts of a tree.

    Returns
    -------
    dict
        ``oracle_cut``: the cut with the lowest MR (of equal ones, the one with the most clusters), with its
        Wilson 95 % interval over the utterances; ``oracle_legacy_misclassification_rate``: the lowest legacy
        rate of any cut, or None; ``oracle_number``: as many clusters as speakers; ``dev_threshold``: the cut
        at the given height, or None.
    """
    cuts = list(iterate_cuts(linkage))
    n, n_speakers = len(cuts), len(np.unique(np.asarray(speakers)))
    rates = [misclassification_rate(speakers, labels) for labels in cuts]
    legacy = None
    if legacy_obstacle(speakers) is None:
        legacy = minimal_legacy_misclassification_rate(linkage, speakers)
    at_threshold = None
    if threshold is not None:
        labels = cuts[int((linkage[:, 2] <= threshold).sum())]
        at_threshold = {"threshold": threshold, **score_labels(speakers, labels)}
    return {
        "oracle_cut": {
            **score_labels(speakers, cuts[int(np.argmin(rates))]),
            "interval": wilson_interval(min(rates) * n, n),
        },
        "oracle_legacy_misclassification_rate": legacy,
        "oracle_number": score_labels(speakers, cuts[n - n_speakers]),
        "dev_threshold": at_threshold,
    }


def compare_clusterers(X: NDArray[Any], speakers: ArrayLike) -> Scores:
    """Scores of clusterers on the same embeddings X (n, dim), each with a fixed seed.

    The table has every clusterer of ``CLUSTERERS`` under its name, with a blank for a hyphen: with the number
    of clusters that it finds (``own_number``), and with the true number (``oracle_number``).
    It also has the competitors of a paper. Those that need a number get the true one and the one that
    dominant sets find (``dominant_sets_number``); the others find theirs. Trees on cosine distance also have
    their ``oracle_cut``. An item that a competitor labels as noise is a cluster of its own.

    References
    ----------
    F. Hibraj et al., "Speaker clustering using dominant sets", ICPR 2018: the competitors; its dominant
    sets (theta 0.1, epsilon 1e-6, 7 neighbours) and its affinity, which spectral clustering and affinity
    propagation use too.
    """
    X = np.asarray(X, np.float64)
    affinity, distance = locally_scaled_affinity(X), cosine_distance(X)
    ward = np.asarray(scipy_linkage(pdist(unit(X)), "ward"))
    trees = {f"agglomerative {name}": build_linkage(distance, name) for name in _LINKAGES}
    trees["agglomerative ward, unit length"] = ward
    by_number: _BY_NUMBER = {name: _cutter(tree) for name, tree in trees.items()}
    for name, vectors in (("", X), (", unit length", unit(X))):
        by_number[f"k-means{name}"] = _k_means(vectors)
    by_number["spectral, published affinity"] = _spectral(affinity)
    own = {
        "affinity propagation": AffinityPropagation(
            affinity="precomputed", max_iter=1000, random_state=0
        ).fit_predict(affinity),
        "HDBSCAN": _density(X),
        "HDBSCAN, unit length": _density(unit(X)),
    }

    n_speakers = len(np.unique(np.asarray(speakers)))
    table: Scores = {}
    for method in CLUSTERERS:
        numbers = {"own_number": None, "oracle_number": n_speakers}
        settings = UTTERANCE_SETTINGS.get(method, {})
        table[method.replace("-", " ")] = {
            way: score_labels(speakers, build_clusterer(method, n_speakers=n, **settings).fit_predict(X))
            for way, n in numbers.items()
        }
    n_sets = table["dominant sets"]["own_number"]["n_clusters"]
    for name, cluster in by_number.items():
        table[name] = {
            "oracle_number": score_labels(speakers, cluster(n_speakers)),
            "dominant_sets_number": score_labels(speakers, cluster(n_sets)),
        }
        if name in trees:
            table[name]["oracle_cut"] = score_linkage(trees[name], speakers)["oracle_cut"]
    for name, labels in own.items():
        table[name] = {"own_number": score_labels(speakers, _noise_alone(labels))}
    return table


_LINKAGES = ("complete", "average", "single")


def _cutter(linkage: Matrix) -> Callable[[int], Labels]:
    cuts = list(iterate_cuts(linkage))
    return lambda k: cuts[len(cuts) - k]


def _k_means(X: Matrix) -> Callable[[int], Labels]:
    return lambda k: np.asarray(KMeans(k, n_init=10, random_state=0).fit_predict(X))


def _spectral(affinity: Matrix) -> Callable[[int], Labels]:
    def cluster(k: int) -> Labels:
        if k == len(affinity):  # the solver finds fewer eigenvectors than items
            return np.arange(k)
        return np.asarray(SpectralClustering(k, affinity="precomputed", random_state=0).fit_predict(affinity))

    return cluster


def _density(X: Matrix) -> Labels:
    found = hdbscan.HDBSCAN(min_cluster_size=2, min_samples=1, core_dist_n_jobs=1).fit(X)
    return np.asarray(found.labels_)


def _noise_alone(labels: Labels) -> Labels:
    """The same labels with every item of label -1 in a cluster of its own."""
    return np.where(labels < 0, labels.max() + 1 + np.arange(len(labels)), labels)
