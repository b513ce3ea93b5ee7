"""Parts of speakers with the distances between them, and the scores of their clusterings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diarize.clustering.affinity import Matrix, locally_scaled_affinity, scale_locally
from diarize.errors import FormatError
from diarize.experiments.comparison import (
    AhcInput,
    Scores,
    build_linkage,
    choose_threshold,
    cosine_distance,
    legacy_obstacle,
    score_labels,
    score_linkage,
)
from diarize.experiments.side_by_side import compare_by_matrices, compare_clusterers, find_dominant_sets
from diarize.experiments.speaker_sets import kaldi_name
from diarize.files.arrays import read_arrays
from diarize.scoring.clusterings import misclassification_rate

AHC_INPUTS: tuple[AhcInput, ...] = ("condensed", "rows")

SCALES = (0.25, 0.05, 0.1, 0.15, 0.2, 0.35, 0.5)
"""Units of the distances of systems without embeddings that are tried: the median distance."""


@dataclass(frozen=True)
class ComparedParts:
    """The parts of a file: speakers (n,), distances (n, n), and embeddings (n, dim) if it has them."""

    path: Path
    speakers: NDArray[np.str_]
    distances: NDArray[np.float64]
    vectors: NDArray[np.float32] | None

    def of(self, speakers: list[str], source: Path) -> ComparedParts:
        """The parts of the listed speakers."""
        names = [kaldi_name(name) for name in speakers]
        for speaker, name in zip(speakers, names, strict=True):
            if name not in self.speakers:
                raise FormatError(f"{source}: speaker {speaker!r} has no part in {self.path}")
        rows = np.flatnonzero(np.isin(self.speakers, names))
        vectors = None if self.vectors is None else self.vectors[rows]
        return ComparedParts(source, self.speakers[rows], self.distances[np.ix_(rows, rows)], vectors)

    def centred(self) -> ComparedParts | None:
        """The same parts with the mean of their embeddings subtracted; None without embeddings."""
        if self.vectors is None:
            return None
        vectors = self.vectors - self.vectors.mean(axis=0)
        return ComparedParts(self.path, self.speakers, cosine_distance(vectors), vectors)


def load_parts(path: Path, read_vectors: Callable[[Path], NDArray[np.float32]]) -> ComparedParts:
    """The parts of a table of embeddings or of a matrix of distances, both npz with an array `speaker`.

    `read_vectors` gives the embeddings (n, dim) of a table; their distance is the cosine distance.

    Raises
    ------
    FormatError
        If the file cannot be read, has fewer than two speakers, or its distances are invalid.
    """
    arrays = read_arrays(path, ("speaker", "distances"))
    if "speaker" not in arrays:
        raise FormatError(f"{path}: no array 'speaker'; the true speakers are needed")
    speakers = arrays["speaker"].astype(np.str_)
    if (n_speakers := len(set(speakers.tolist()))) < 2:
        raise FormatError(f"{path}: two speakers or more are needed, got {n_speakers}")
    if "distances" not in arrays:
        vectors = read_vectors(path)
        return ComparedParts(path, speakers, cosine_distance(vectors), vectors)
    distances, n = arrays["distances"].astype(np.float64), len(speakers)
    if distances.shape != (n, n) or not np.isfinite(distances).all():
        raise FormatError(f"{path}: distances must be {n} x {n} finite numbers, got {distances.shape}")
    if np.diag(distances).any() or not np.allclose(distances, distances.T):
        raise FormatError(f"{path}: distances must be symmetric with a diagonal of zeros")
    return ComparedParts(path, speakers, distances, None)


def affinity_of_distances(distances: Matrix, scale: float) -> Matrix:
    """The published affinity, made for angles, of distances (n, n) whose median is made `scale`.

    Distances below 0 count as 0.
    """
    distances = np.maximum(distances, 0)
    median = float(np.median(distances[np.triu_indices_from(distances, k=1)]))
    return scale_locally(distances * (scale / median if median > 0 else 1.0))


def choose_scale(parts: ComparedParts) -> float:
    """The one of `SCALES` with which dominant sets have the lowest MR for these speakers."""
    rates = {
        scale: misclassification_rate(
            parts.speakers, find_dominant_sets(affinity_of_distances(parts.distances, scale))
        )
        for scale in (SCALES if parts.vectors is None else ())
    }
    return min(rates, key=lambda scale: rates[scale], default=SCALES[0])


@dataclass(frozen=True)
class Tuned:
    """What is chosen on development speakers.

    Attributes
    ----------
    thresholds : dict
        For each input of the trees, the scores at the best threshold; `centred` for centred embeddings.
    scale : float
        The one of `SCALES` for distances without embeddings.
    """

    thresholds: dict[str, Scores]
    centred: dict[str, Scores] | None
    scale: float


def tune(dev: ComparedParts) -> Tuned:
    """Choose thresholds and the unit of distances on development speakers."""
    centred = dev.centred()
    return Tuned(choose_thresholds(dev), choose_thresholds(centred) if centred else None, choose_scale(dev))


def choose_thresholds(parts: ComparedParts) -> dict[str, Scores]:
    """For each input of the trees, the best threshold for these speakers, and their scores with it."""
    chosen: dict[str, Scores] = {}
    for ahc_input in AHC_INPUTS:
        linkage = build_linkage(parts.distances, ahc_input=ahc_input)
        threshold = choose_threshold(linkage, parts.speakers)
        chosen[ahc_input] = score_linkage(linkage, parts.speakers, threshold)["dev_threshold"]
    return chosen


def score_parts(parts: ComparedParts, tuned: Tuned | None = None, compare: bool = True) -> Scores:
    """The scores of a set of speakers: of its embeddings or distances as they are, and of the centred ones.

    Parameters
    ----------
    parts : ComparedParts
    tuned : Tuned, optional
        Of `tune`; without it, there are no thresholds.
    compare : bool
        Whether all clusterers are compared, too.
    """
    centred = parts.centred()
    scale = tuned.scale if tuned else SCALES[0]
    thresholds = tuned.thresholds if tuned else None
    centred_thresholds = tuned.centred if tuned else None
    return {
        "n_speakers": len(set(parts.speakers.tolist())),
        "n_parts": len(parts.speakers),
        "legacy_left_out": legacy_obstacle(parts.speakers),
        **_score(parts, thresholds, compare, scale),
        "centred": _score(centred, centred_thresholds, compare, scale) if centred else None,
    }


def _score(parts: ComparedParts, thresholds: dict[str, Scores] | None, compare: bool, scale: float) -> Scores:
    """The cuts of both trees, dominant sets, and all clusterers."""
    trees = {}
    for ahc_input in AHC_INPUTS:
        threshold = None if thresholds is None else thresholds[ahc_input]["threshold"]
        linkage = build_linkage(parts.distances, ahc_input=ahc_input)
        trees[ahc_input] = score_linkage(linkage, parts.speakers, threshold)
    if parts.vectors is None:
        affinity = affinity_of_distances(parts.distances, scale)
    else:
        affinity = locally_scaled_affinity(parts.vectors)
    if not compare:
        sets = score_labels(parts.speakers, find_dominant_sets(affinity))
        return {"agglomerative": trees, "dominant_sets": sets}
    if parts.vectors is None:
        clusterers = compare_by_matrices(parts.distances, affinity, parts.speakers)
    else:
        clusterers = compare_clusterers(parts.vectors, parts.speakers)
    sets = clusterers["dominant sets"]["own_number"]
    return {"agglomerative": trees, "dominant_sets": sets, "clusterers": clusterers}
