"""Clusterers side by side on the same utterances of known speakers, scored.

References
----------
F. Hibraj et al., "Speaker clustering using dominant sets", ICPR 2018: the competitors; its dominant sets
(theta 0.1, epsilon 1e-6, 7 neighbours; theta 0.67 and epsilon 1e-7, which it tuned on one test set) and its
affinity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hdbscan
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.linalg import eigvalsh
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import AffinityPropagation, KMeans, SpectralClustering

from diarize.clustering import CLUSTERERS, build_clusterer
from diarize.clustering.affinity import Matrix, locally_scaled_affinity, unit
from diarize.clustering.dominant_sets import DominantSets
from diarize.clustering.partitions import Labels
from diarize.experiments.comparison import (
    Scores,
    build_linkage,
    cosine_distance,
    iterate_cuts,
    score_labels,
    score_linkage,
)

UTTERANCE_SETTINGS: dict[str, dict[str, Any]] = {
    "agglomerative": {"min_cluster_size": 1},
    "spectral": {"min_neighbors": 1},
    "density": {"min_cluster_size": 2},
}
"""Settings for two utterances of each speaker; the default ones of the clusterers are for windows."""

GAMMAS = tuple(np.geomspace(0.1, 30, 9).tolist())
"""Widths of the Gaussian kernel that are tried, as multiples of 1 / (the median squared distance)."""

_BY_NUMBER = dict[str, Callable[[int], Labels]]
_LINKAGES = ("complete", "average", "single")
_TUNED = {"theta": 0.67, "epsilon": 1e-7}


def compare_clusterers(X: NDArray[Any], speakers: ArrayLike) -> Scores:
    """Scores of clusterers on the same embeddings X (n, dim), each with a fixed seed.

    The table has every clusterer of ``CLUSTERERS`` under its name, with a blank for a hyphen: with the number
    of clusters that it finds (``own_number``), and with the true number (``oracle_number``). It also has the
    competitors of a paper. Those that need a number get the true one, the one that dominant sets find
    (``dominant_sets_number``) and the largest gap between the eigenvalues of the affinity's Laplacian
    (``eigengap_number``); the others find theirs. Trees on cosine distance also have their ``oracle_cut``. An
    item that HDBSCAN labels as noise is a cluster of its own, or, in ``noise_as_one``, all of them are one.
    Spectral clustering with a Gaussian kernel has the ``gamma`` with the lowest MR: an oracle as well.
    """
    X = np.asarray(X, np.float64)
    n_speakers = len(np.unique(np.asarray(speakers)))
    table: Scores = {}
    for method in CLUSTERERS:
        numbers = {"own_number": None, "oracle_number": n_speakers}
        settings = UTTERANCE_SETTINGS.get(method, {})
        table[method.replace("-", " ")] = {
            way: score_labels(speakers, build_clusterer(method, n_speakers=n, **settings).fit_predict(X))
            for way, n in numbers.items()
        }
    ward = {"agglomerative ward, unit length": np.asarray(scipy_linkage(pdist(unit(X)), "ward"))}
    k_means = {"k-means": _k_means(X), "k-means, unit length": _k_means(unit(X))}
    matrices = cosine_distance(X), locally_scaled_affinity(X)
    competitors = compare_by_matrices(*matrices, speakers, ward, k_means)
    table |= {name: ways for name, ways in competitors.items() if name not in table}
    table["spectral, Gaussian kernel"] = {"oracle_number": _spectral_with_best_gamma(unit(X), speakers)}
    for name, vectors in (("HDBSCAN", X), ("HDBSCAN, unit length", unit(X))):
        labels = _density(vectors)
        table[name] = {
            "own_number": score_labels(speakers, _noise_alone(labels)),
            "noise_as_one": score_labels(speakers, labels),
        }
    return table


def compare_by_matrices(
    distance: Matrix,
    affinity: Matrix,
    speakers: ArrayLike,
    more_trees: dict[str, Matrix] | None = None,
    more_by_number: _BY_NUMBER | None = None,
) -> Scores:
    """The same table of what works on a distance or an affinity (n, n), and of other trees and clusterers."""
    found = {
        "dominant sets": find_dominant_sets(affinity),
        "dominant sets, theta 0.67": find_dominant_sets(affinity, **_TUNED),
        "affinity propagation": AffinityPropagation(
            affinity="precomputed", max_iter=1000, random_state=0
        ).fit_predict(affinity),
    }
    trees = {f"agglomerative {name}": build_linkage(distance, name) for name in _LINKAGES}
    trees |= more_trees or {}
    by_number = {name: _cutter(tree) for name, tree in trees.items()}
    by_number |= {"spectral, published affinity": _spectral(affinity), **(more_by_number or {})}
    numbers = {
        "oracle_number": len(np.unique(np.asarray(speakers))),
        "dominant_sets_number": len(np.unique(found["dominant sets"])),
        "eigengap_number": eigengap(affinity),
    }
    table: Scores = {name: {"own_number": score_labels(speakers, labels)} for name, labels in found.items()}
    for name, cluster in by_number.items():
        table[name] = {way: score_labels(speakers, cluster(number)) for way, number in numbers.items()}
        if name in trees:
            table[name]["oracle_cut"] = score_linkage(trees[name], speakers)["oracle_cut"]
    return table


def eigengap(affinity: Matrix) -> int:
    """The number of clusters with the largest gap after it between eigenvalues of the normalised Laplacian.

    References
    ----------
    U. von Luxburg: A tutorial on spectral clustering. Statistics and Computing 17, 2007, section 8.3.
    """
    degree = np.maximum(affinity.sum(axis=1), np.finfo(float).tiny)
    scaled = affinity / np.sqrt(np.outer(degree, degree))
    values = np.sort(1 - eigvalsh(scaled))
    return int(np.argmax(np.diff(values))) + 1


def _cutter(linkage: Matrix) -> Callable[[int], Labels]:
    cuts = list(iterate_cuts(linkage))
    return lambda k: cuts[len(cuts) - k]


def _k_means(X: Matrix) -> Callable[[int], Labels]:
    return lambda k: np.asarray(KMeans(k, n_init=10, random_state=0).fit_predict(X))


def find_dominant_sets(affinity: Matrix, **settings: Any) -> Labels:
    """Labels (n,) of the dominant sets of an affinity (n, n), by default with the published settings."""
    clusterer = DominantSets(affinity=lambda _: affinity, max_items=len(affinity), **settings)
    return clusterer.fit_predict(np.eye(len(affinity)))


def _spectral(affinity: Matrix) -> Callable[[int], Labels]:
    def cluster(k: int) -> Labels:
        if k == len(affinity):  # the solver finds fewer eigenvectors than items
            return np.arange(k)
        spectral = SpectralClustering(
            k, affinity="precomputed", random_state=0, assign_labels="cluster_qr"
        )  # k-means takes twice the time, and errs more with hundreds of clusters
        return np.asarray(spectral.fit_predict(affinity))

    return cluster


def _spectral_with_best_gamma(X: Matrix, speakers: ArrayLike) -> Scores:
    squared = squareform(pdist(X, "sqeuclidean"))
    scale = max(float(np.median(squared[np.triu_indices_from(squared, k=1)])), np.finfo(float).tiny)
    n_speakers = len(np.unique(np.asarray(speakers)))
    tried = [
        {"gamma": gamma, **score_labels(speakers, _spectral(np.exp(-gamma * squared / scale))(n_speakers))}
        for gamma in GAMMAS
    ]
    return min(tried, key=lambda scores: scores["misclassification_rate"])


def _density(X: Matrix) -> Labels:
    found = hdbscan.HDBSCAN(min_cluster_size=2, min_samples=1, core_dist_n_jobs=1).fit(X)
    return np.asarray(found.labels_)


def _noise_alone(labels: Labels) -> Labels:
    """The same labels with every item of label -1 in a cluster of its own."""
    return np.where(labels < 0, labels.max() + 1 + np.arange(len(labels)), labels)
