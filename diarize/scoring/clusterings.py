"""Agreement of labels with speakers: misclassification rates, purities, ARI, V-measure, NMI.

Every function takes the true speakers and the labels of the same utterances, in any type that NumPy sorts.
The names of the clusters do not matter. ``n_ij`` is the number of utterances of speaker j in cluster i.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import norm

from diarize.errors import FormatError
from diarize.formats.kaldi import read_utt2spk

Counts = NDArray[np.int64]


def count_table(true: ArrayLike, predicted: ArrayLike) -> Counts:
    """The number of utterances of each speaker in each cluster: ``n_ij``, (n_clusters, n_speakers).

    Raises
    ------
    ValueError
        If the two are empty, not one-dimensional, or of different lengths.
    """
    t, p = np.asarray(true), np.asarray(predicted)
    if t.ndim != 1 or t.shape != p.shape or not t.size:
        raise ValueError(f"true and predicted must be (n,) with n > 0, got {t.shape} and {p.shape}")
    _, speakers = np.unique(t, return_inverse=True)
    clusters_found, clusters = np.unique(p, return_inverse=True)
    table = np.zeros((len(clusters_found), speakers.max() + 1), np.int64)
    np.add.at(table, (clusters, speakers), 1)
    return table


def misclassification_rate(true: ArrayLike, predicted: ArrayLike) -> float:
    """MR: the share of utterances that are wrong under the best one-to-one map of clusters to speakers.

    References
    ----------
    M. Kotti, V. Moschou, C. Kotropoulos, "Speaker segmentation and clustering", Signal Processing 88, 2008;
    the Hungarian map as in F. Hibraj et al., "Speaker clustering using dominant sets", ICPR 2018.
    """
    return _misclassification_rate(count_table(true, predicted))


def _misclassification_rate(counts: Counts) -> float:
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(1 - counts[rows, columns].sum() / counts.sum())


def legacy_misclassification_rate(true: ArrayLike, predicted: ArrayLike) -> float:
    """Legacy MR, the stricter rate of two early papers; not comparable with MR.

    A speaker's utterances in a cluster are right only if (a) the cluster holds most of that speaker's
    utterances, (b) no other speaker has more there, (c) it holds more than one utterance, and (d) it holds no
    utterance of another speaker. Rule (d) implies (b).

    References
    ----------
    Y. Lukic et al., MLSP 2016 and MLSP 2017 report it; the rules are stated in T. Stadelmann et al.,
    "Capturing suprasegmental features of a voice with RNNs for improved speaker clustering", ANNPR 2018.

    Examples
    --------
    >>> legacy_misclassification_rate(["Ann", "Ann", "Bob", "Bob"], [0, 0, 1, 1])
    0.0
    """
    counts = count_table(true, predicted)
    pure = (counts > 0).sum(axis=1, keepdims=True) == 1  # (d)
    largest = counts == counts.max(axis=0)  # (a)
    right = np.where(pure & largest & (counts > 1), counts, 0).max(axis=0)  # (c)
    return float(1 - right.sum() / counts.sum())


def minimal_misclassification_rate(linkage: NDArray[np.float64], true: ArrayLike) -> float:
    """Oracle: the smallest MR over all cuts of a SciPy linkage (n - 1, 4), as the papers of 2016-2018 report.

    It chooses the cut with the true speakers, so it is a lower bound and not the result of an algorithm.

    References
    ----------
    Y. Lukic et al., "Speaker identification and clustering using convolutional neural networks", MLSP 2016.
    """
    speakers = np.asarray(true)
    counts = count_table(speakers, np.arange(len(_checked(linkage, speakers)) + 1))
    best = _misclassification_rate(counts)
    node, parent = {i: i for i in range(len(counts))}, len(counts)
    for left, right in linkage[:, :2].astype(int):
        a, b = node.pop(left), node.pop(right)
        counts[a] += counts[b]
        counts[b] = 0
        node[parent], parent = a, parent + 1
        # The sums of the largest counts by cluster and by speaker are bounds; they skip most assignments.
        bound = 1 - min(counts.max(axis=1).sum(), counts.max(axis=0).sum()) / len(counts)
        if bound < best:
            best = min(best, _misclassification_rate(counts[list(node.values())]))
    return best


def minimal_legacy_misclassification_rate(linkage: NDArray[np.float64], true: ArrayLike) -> float:
    """Oracle: the smallest legacy MR over all cuts of a SciPy linkage, by the published procedure.

    The merges are visited in order. All utterances start as wrong. A merge of two utterances of one speaker
    makes both right; any other merge makes all its members wrong.

    Raises
    ------
    ValueError
        Unless every speaker has exactly two utterances; the procedure is defined for this case only.

    References
    ----------
    Y. Lukic et al., MLSP 2016 and 2017, as described in T. Stadelmann et al., ANNPR 2018.
    """
    speakers = np.asarray(true)
    n = len(_checked(linkage, speakers)) + 1
    _, utterances = np.unique(speakers, return_counts=True)
    if np.any(utterances != 2):
        raise ValueError(
            f"needs exactly two utterances of every speaker, got counts {np.unique(utterances).tolist()}"
        )
    right = np.zeros(n, bool)
    members = [[i] for i in range(n)]
    best = 1.0
    for left, other in linkage[:, :2].astype(int):
        together = members[left] + members[other]
        right[together] = len(together) == 2 and speakers[together[0]] == speakers[together[1]]
        members.append(together)
        best = min(best, 1 - float(right.mean()))
    return best


def _checked(linkage: NDArray[np.float64], speakers: NDArray[Any]) -> NDArray[np.float64]:
    """The linkage, after a check that its shape fits the speakers."""
    if linkage.shape != (len(speakers) - 1, 4):
        raise ValueError(
            f"{len(speakers)} utterances need a linkage of ({len(speakers) - 1}, 4), got {linkage.shape}"
        )
    return linkage


def cluster_purity(true: ArrayLike, predicted: ArrayLike) -> float:
    """ACP, average cluster purity: sum_i n_i p_i / N with p_i = sum_j n_ij^2 / n_i^2.

    References
    ----------
    A. Solomonoff, A. Mielke, M. Schmidt, H. Gish, "Clustering speakers by their voices", ICASSP 1998.
    """
    counts = count_table(true, predicted)
    return float((counts**2 / counts.sum(axis=1, keepdims=True)).sum() / counts.sum())


def speaker_purity(true: ArrayLike, predicted: ArrayLike) -> float:
    """ASP, average speaker purity: the cluster purity with the roles exchanged; 1 if no speaker is split.

    References
    ----------
    J. Ajmera et al., "Unknown-multiple speaker clustering using HMM", ICSLP 2002.
    """
    return cluster_purity(predicted, true)


def adjusted_rand_index(true: ArrayLike, predicted: ArrayLike) -> float:
    """ARI: agreement on pairs, 0 on average for random labels, 1 when equal (L. Hubert, P. Arabie, 1985)."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(np.asarray(true), np.asarray(predicted)))


def v_measure(true: ArrayLike, predicted: ArrayLike) -> float:
    """V: harmonic mean of homogeneity and completeness (A. Rosenberg, J. Hirschberg, EMNLP 2007)."""
    from sklearn.metrics import v_measure_score

    return float(v_measure_score(np.asarray(true), np.asarray(predicted)))


def normalized_mutual_information(
    true: ArrayLike, predicted: ArrayLike, average: Literal["arithmetic", "geometric"] = "arithmetic"
) -> float:
    """NMI: mutual information over the mean of the two entropies.

    scikit-learn before 0.22, and papers of that time, used the geometric mean.

    References
    ----------
    N. X. Vinh et al., "Information theoretic measures for clusterings comparison", JMLR 11, 2010.
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(
        normalized_mutual_info_score(np.asarray(true), np.asarray(predicted), average_method=average)
    )


def wilson_interval(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's confidence interval of a proportion: the lowest and the highest share.

    Raises
    ------
    ValueError
        Unless 0 <= successes <= n and n > 0.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    if not 0 <= successes <= n or n <= 0:
        raise ValueError(f"needs 0 <= successes <= n and n > 0, got {successes} of {n}")
    z = float(norm.ppf((1 + confidence) / 2))
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def clustering_scores(true: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """All scores by name, with the numbers of speakers and clusters."""
    n_clusters, n_speakers = count_table(true, predicted).shape
    return {
        "n_speakers": n_speakers,
        "n_clusters": n_clusters,
        "misclassification_rate": misclassification_rate(true, predicted),
        "legacy_misclassification_rate": legacy_misclassification_rate(true, predicted),
        "cluster_purity": cluster_purity(true, predicted),
        "speaker_purity": speaker_purity(true, predicted),
        "adjusted_rand_index": adjusted_rand_index(true, predicted),
        "v_measure": v_measure(true, predicted),
        "normalized_mutual_information": normalized_mutual_information(true, predicted),
    }


def score_utterances(reference: str | Path, hypothesis: str | Path) -> dict[str, float]:
    """All scores of the labels of utterances, from two files of lines `utterance speaker` (Kaldi's utt2spk).

    Raises
    ------
    FormatError
        If a file is malformed, or the files do not hold the same utterances.
    """
    true, predicted = read_utt2spk(reference), read_utt2spk(hypothesis)
    if alone := sorted(true.keys() ^ predicted.keys()):
        path, other = (reference, hypothesis) if alone[0] in true else (hypothesis, reference)
        raise FormatError(f"{other}: utterance {alone[0]!r} of {path} is missing")
    if not true:
        raise FormatError(f"{reference}: no utterances")
    utterances = sorted(true)
    return clustering_scores([true[u] for u in utterances], [predicted[u] for u in utterances])
