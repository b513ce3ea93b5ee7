"""Parts of speakers with the distances between them, and the scores of their clusterings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.errors import FormatError
from diarize.experiments.comparison import (
    AhcInput,
    build_linkage,
    choose_threshold,
    compare_clusterers,
    cosine_distance,
    legacy_obstacle,
    score_linkage,
)
from diarize.experiments.speaker_sets import kaldi_name
from diarize.files.arrays import read_arrays

AHC_INPUTS: tuple[AhcInput, ...] = ("condensed", "rows")
NO_SETS = (
    "left out: the published affinity exp(-d / (s_i s_j)) is defined for angles and depends on the unit of d"
)
NO_VECTORS = "left out: distances only, no embeddings"


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


def choose_thresholds(parts: ComparedParts) -> dict[str, dict[str, Any]]:
    """For each input of the trees, the best threshold for these speakers, and their scores with it."""
    chosen: dict[str, dict[str, Any]] = {}
    for ahc_input in AHC_INPUTS:
        linkage = build_linkage(parts.distances, ahc_input=ahc_input)
        threshold = choose_threshold(linkage, parts.speakers)
        chosen[ahc_input] = score_linkage(linkage, parts.speakers, threshold)["dev_threshold"]
    return chosen


def score_parts(parts: ComparedParts, thresholds: dict[str, dict[str, Any]] | None) -> dict[str, Any]:
    """The scores of a set of speakers."""
    trees = {}
    for ahc_input in AHC_INPUTS:
        threshold = None if thresholds is None else thresholds[ahc_input]["threshold"]
        linkage = build_linkage(parts.distances, ahc_input=ahc_input)
        trees[ahc_input] = score_linkage(linkage, parts.speakers, threshold)
    clusterers = None if parts.vectors is None else compare_clusterers(parts.vectors, parts.speakers)
    return {
        "n_speakers": len(set(parts.speakers.tolist())),
        "n_parts": len(parts.speakers),
        "legacy_left_out": legacy_obstacle(parts.speakers),
        "agglomerative": trees,
        "dominant_sets": NO_SETS if clusterers is None else clusterers["dominant sets"]["own_number"],
        "clusterers": NO_VECTORS if clusterers is None else clusterers,
    }
