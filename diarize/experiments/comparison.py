"""Clusterings of utterances of known speakers, scored: all cuts of a tree.

The tables are dicts that fit JSON. If a key contains ``oracle``, the number of clusters or the cut comes from
the true speakers of the same utterances: it is a bound, not the result of an algorithm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import squareform

from diarize.clustering.affinity import Matrix, cosine_similarity
from diarize.clustering.partitions import Labels
from diarize.scoring.clusterings import (
    clustering_scores,
    minimal_legacy_misclassification_rate,
    misclassification_rate,
    wilson_interval,
)

AhcInput = Literal["condensed", "rows"]
Scores = dict[str, Any]


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
