"""Score how well the parts of each speaker cluster, on one or several lists of speakers, as JSON.

A test file is a table of embeddings (.npz, one row a part), or a matrix of distances for systems without
vectors (.npz with recording, speaker and distances). Each list of speakers becomes an entry of `sets` with
the name of its file; without lists the whole test file is the entry `all`. --set NAME=FILE adds an entry of
another file.

In each entry: `agglomerative`, complete linkage on cosine distance, on the distances (`condensed`) and on
the rows of their matrix (`rows`, as the published code does); `dominant_sets` with the number that they
find; `clusterers`, many side by side. A key that holds `oracle` used the true speakers of the test. With
--dev, `dev_threshold` is the tree cut where the development speakers are clustered best.
"""

from __future__ import annotations

import argparse
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.cli.script import run_script
from diarize.embedding.table import Embeddings
from diarize.errors import FormatError
from diarize.experiments.comparison import (
    build_linkage,
    choose_threshold,
    compare_clusterers,
    cosine_distance,
    legacy_obstacle,
    score_linkage,
)
from diarize.experiments.speaker_sets import kaldi_name, read_list
from diarize.files.text import write_text

AHC_INPUTS = ("condensed", "rows")
NO_SETS = (
    "left out: the published affinity exp(-d / (s_i s_j)) is made for angles and changes with the unit of d"
)
NO_VECTORS = "left out: distances only, no vectors"


@dataclass(frozen=True)
class Parts:
    """The parts of a file: speakers (n,), distances (n, n), and vectors (n, dim) where it has them."""

    path: Path
    speakers: NDArray[np.str_]
    distances: NDArray[np.float64]
    vectors: NDArray[np.float32] | None

    def of(self, speakers: list[str], source: Path) -> Parts:
        """The parts of the listed speakers."""
        names = [kaldi_name(name) for name in speakers]
        for speaker, name in zip(speakers, names, strict=True):
            if name not in self.speakers:
                raise FormatError(f"{source}: speaker {speaker!r} has no part in {self.path}")
        rows = np.flatnonzero(np.isin(self.speakers, names))
        vectors = None if self.vectors is None else self.vectors[rows]
        return Parts(source, self.speakers[rows], self.distances[np.ix_(rows, rows)], vectors)


def load_parts(path: Path) -> Parts:
    """The parts of a table of embeddings or of a matrix of distances."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files if name in ("speaker", "distances")}
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or 'damaged'})") from error
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(f"{path}: no NumPy archive of plain arrays") from error
    if "speaker" not in arrays:
        raise FormatError(f"{path}: no array 'speaker'; the true speakers are needed")
    speakers = arrays["speaker"].astype(np.str_)
    if (n_speakers := len(set(speakers.tolist()))) < 2:
        raise FormatError(f"{path}: two speakers or more are needed, got {n_speakers}")
    if "distances" not in arrays:
        vectors = Embeddings.load(path).vectors
        return Parts(path, speakers, cosine_distance(vectors), vectors)
    distances, n = arrays["distances"].astype(np.float64), len(speakers)
    if distances.shape != (n, n) or not np.isfinite(distances).all():
        raise FormatError(f"{path}: distances must be {n} x {n} finite numbers, got {distances.shape}")
    if np.diag(distances).any() or not np.allclose(distances, distances.T):
        raise FormatError(f"{path}: distances must be symmetric with a diagonal of zeros")
    return Parts(path, speakers, distances, None)


def choose_thresholds(parts: Parts) -> dict[str, dict[str, Any]]:
    """For each input of the trees, the threshold that suits these speakers, and their scores with it."""
    chosen = {}
    for ahc_input in AHC_INPUTS:
        linkage = build_linkage(parts.distances, ahc_input=ahc_input)
        threshold = choose_threshold(linkage, parts.speakers)
        chosen[ahc_input] = score_linkage(linkage, parts.speakers, threshold)["dev_threshold"]
    return chosen


def score(parts: Parts, thresholds: dict[str, dict[str, Any]] | None) -> dict[str, Any]:
    """The entry of a set of speakers."""
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


def named_file(text: str) -> tuple[str, Path]:
    """The two sides of NAME=FILE."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"NAME=FILE is needed, got {text!r}")
    return name, Path(path)


def main() -> None:
    """Read the command line, score, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--test", type=Path, required=True, metavar="FILE")
    parser.add_argument("--dev", type=Path, metavar="FILE", help="parts of development speakers")
    parser.add_argument("--speakers", type=Path, nargs="+", action="extend", default=[], metavar="LIST")
    parser.add_argument("--set", type=named_file, action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    arguments = parser.parse_args()

    test = load_parts(arguments.test)
    sets = {path.stem: test.of(read_list(path), path) for path in arguments.speakers} or {"all": test}
    for name, path in arguments.set:
        if name in sets:
            raise FormatError(f"--set {name}={path}: a list of speakers has the name already")
        sets[name] = load_parts(path)
    thresholds = choose_thresholds(load_parts(arguments.dev)) if arguments.dev else None
    scores = {
        "thresholds_of_dev": thresholds,
        "sets": {name: score(parts, thresholds) for name, parts in sets.items()},
    }
    write_text(json.dumps(scores, indent=1) + "\n", arguments.out)
    for name, entry in scores["sets"].items():
        tree = entry["agglomerative"]["condensed"]
        rate = 100 * tree["oracle_cut"]["misclassification_rate"]
        print(f"{name}: {entry['n_speakers']} speakers, oracle MR {rate:.2f} %")


if __name__ == "__main__":
    run_script(main)
