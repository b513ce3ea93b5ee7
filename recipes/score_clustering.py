"""Score how well the parts of each speaker cluster, on one or several lists of speakers, as JSON.

A test file is a table of embeddings (.npz, one row for each part), or a matrix of distances for systems
without embeddings (.npz with recording, speaker and distances). Each list of speakers becomes an entry of
`sets` with the name of its file; without lists, the whole test file is the entry `all`. --set NAME=FILE adds
an entry for another file.

Each entry has: `agglomerative`, complete linkage on cosine distance, on the distances (`condensed`) and on
the rows of their matrix (`rows`, as the published code does); `dominant_sets` with the number that they
find; `clusterers`, many side by side, for the sets of --compare. `centred` has the same for embeddings whose
mean is subtracted. A key that contains `oracle` uses the true speakers of the test. With --dev,
`dev_threshold` is the tree cut at the best height for the development speakers.

For the speakers of the list --main, `layers` has an entry for each file of --layer, and `regimes` the
clusterers on parts of more or less speech, drawn from the sentences in --sentences.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from diarize.cli.script import run_script
from diarize.embedding.table import Embeddings
from diarize.errors import FormatError
from diarize.experiments.compared_parts import ComparedParts, load_parts, score_parts, tune
from diarize.experiments.regimes import score_regimes
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


def rounded(scores: Any) -> Any:
    """The same with numbers of six digits after the point."""
    if isinstance(scores, dict):
        return {key: rounded(value) for key, value in scores.items()}
    if isinstance(scores, list | tuple):
        return [rounded(value) for value in scores]
    return round(scores, 6) if isinstance(scores, float) else scores


def main() -> None:
    """Read the command line, score, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--test", type=Path, required=True, metavar="FILE")
    parser.add_argument("--dev", type=Path, metavar="FILE", help="parts of development speakers")
    parser.add_argument("--speakers", type=Path, nargs="+", action="extend", default=[], metavar="LIST")
    parser.add_argument("--set", type=named_file, action="append", default=[], metavar="NAME=FILE")
    parser.add_argument(
        "--compare", nargs="*", metavar="NAME", help="sets whose clusterers are compared; by default all"
    )
    parser.add_argument("--main", type=Path, metavar="LIST", help="speakers of --layer and --sentences")
    parser.add_argument(
        "--layer", type=named_file, action="append", default=[], metavar="NAME=FILE", help="parts by a layer"
    )
    parser.add_argument("--sentences", type=Path, metavar="FILE", help="embeddings of single sentences")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    arguments = parser.parse_args()
    if (arguments.layer or arguments.sentences) and not arguments.main:
        parser.error("--layer and --sentences need --main")

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
    tuned = tune(load(arguments.dev)) if arguments.dev else None
    compared = sets if arguments.compare is None else arguments.compare
    different = {id(parts): parts for parts in sets.values()}  # a small corpus has the same lists
    more = {id(parts) for name, parts in sets.items() if name in compared}
    scored = {key: score_parts(parts, tuned, key in more) for key, parts in different.items()}
    scores: dict[str, Any] = {
        "thresholds_of_dev": tuned and tuned.thresholds,
        "sets": {name: scored[id(parts)] for name, parts in sets.items()},
    }
    if arguments.main:
        main_speakers = read_list(arguments.main)
        scores["layers"] = {
            name: score_parts(load(path).of(main_speakers, arguments.main), compare=False)
            for name, path in arguments.layer
        }
        if arguments.sentences:
            sentences = load(arguments.sentences).of(main_speakers, arguments.main)
            if sentences.vectors is None:
                raise FormatError(f"{arguments.sentences}: distances; --sentences needs embeddings")
            scores["regimes"] = score_regimes(sentences.vectors, sentences.speakers)
    write_text(json.dumps(rounded(scores), indent=1) + "\n", arguments.out)
    for name, entry in scores["sets"].items():
        tree = entry["agglomerative"]["condensed"]
        rate = 100 * tree["oracle_cut"]["misclassification_rate"]
        print(f"{name}: {entry['n_speakers']} speakers, oracle MR {rate:.2f} %")


if __name__ == "__main__":
    run_script(main)
