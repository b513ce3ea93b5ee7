"""Score how well the parts of each speaker cluster, on one or several lists of speakers, as JSON.

A test file is a table of embeddings (.npz, one row for each part), or a matrix of distances for systems
without embeddings (.npz with recording, speaker and distances). Each list of speakers becomes an entry of
`sets` with the name of its file; without lists, the whole test file is the entry `all`. --set NAME=FILE adds
an entry for another file.

Each entry has: `agglomerative`, complete linkage on cosine distance, on the distances (`condensed`) and on
the rows of their matrix (`rows`, as the published code does); `dominant_sets` with the number that they
find; `clusterers`, many side by side. A key that contains `oracle` uses the true speakers of the test. With
--dev, `dev_threshold` is the tree cut at the best height for the development speakers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from diarize.cli.script import run_script
from diarize.embedding.table import Embeddings
from diarize.errors import FormatError
from diarize.experiments.compared_parts import ComparedParts, choose_thresholds, load_parts, score_parts
from diarize.experiments.speaker_sets import read_list
from diarize.files.text import write_text


def load(path: Path) -> ComparedParts:
    """The parts of a test file."""
    return load_parts(path, lambda table: Embeddings.load(table).vectors)


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

    test = load(arguments.test)
    lists, sets = dict[frozenset[str], ComparedParts](), dict[str, ComparedParts]()
    for path in arguments.speakers:
        speakers = read_list(path)
        sets[path.stem] = lists.setdefault(frozenset(speakers), test.of(speakers, path))
    sets = sets or {"all": test}
    for name, path in arguments.set:
        if name in sets:
            raise FormatError(f"--set {name}={path}: a list of speakers already has this name")
        sets[name] = load(path)
    thresholds = choose_thresholds(load(arguments.dev)) if arguments.dev else None
    different = {id(parts): parts for parts in sets.values()}  # a small corpus has the same lists
    scored = {key: score_parts(parts, thresholds) for key, parts in different.items()}
    scores = {
        "thresholds_of_dev": thresholds,
        "sets": {name: scored[id(parts)] for name, parts in sets.items()},
    }
    write_text(json.dumps(scores, indent=1) + "\n", arguments.out)
    for name, entry in scores["sets"].items():
        tree = entry["agglomerative"]["condensed"]
        rate = 100 * tree["oracle_cut"]["misclassification_rate"]
        print(f"{name}: {entry['n_speakers']} speakers, oracle MR {rate:.2f} %")


if __name__ == "__main__":
    run_script(main)
