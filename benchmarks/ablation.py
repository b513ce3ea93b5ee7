"""The effect of each part of the pipeline: DER, JER and number of speakers without it, as a Markdown table.

    python benchmarks/ablation.py --data SET [SET ...] [--held-out ID ...] [--vary SETTING=VALUE,VALUE ...]

SET is a folder with audio/, rttm/ and uem/, each with one file for each recording. All sets have the same
weight in a mean. With --vary, the table has a row for each combination of the values, to choose settings.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from meetings import HELD_OUT, combinations, read_sets
from printing import header, percent, table

from diarize.config import Config, load_config
from diarize.errors import DiarizeError
from diarize.scoring.der import pool
from diarize.tuning import Recording
from diarize.tuning.bench import Bench, known

PARTS: dict[str, dict[str, Any]] = {
    "all parts": {},
    "without overlap: one speaker at any time": {"speech.overlap": 1.0},
    "embeddings of overlapping speech": {"speech.mixed": 1.0},
    "without both overlap settings": {"speech.overlap": 1.0, "speech.mixed": 1.0},
    "without resegmentation": {"resegmentation.enabled": False},
    "resegmentation without a cost of changes": {"resegmentation.change_cost": 0.0},
    "a speaker costs the same in long recordings": {"clustering.long_speaker_cost": 0.0},
    "every window counts in full for the number": {"clustering.seconds_in_full": 1e9},
    "pauses end turns": {"turns.min_gap": 0.0},
    "number of speakers by silhouette": {"clustering.evidence": False},
    "without a back end": {"clustering.evidence": False, "resegmentation.enabled": False},
    "speech with Silero's own settings": {
        "speech.release": 0.15,
        "speech.padding": 0.03,
        "speech.min_silence": 0.1,
        "speech.min_speech": 0.25,
    },
    "speech by the bundled network": {"speech.detector": "activity"},
    "speech by energy": {"speech.detector": "energy"},
    "windows of 3 s": {"embedding.window": 3.0, "embedding.hop": 1.5},
    "windows of 1 s": {"embedding.window": 1.0, "embedding.hop": 0.5},
}


def measure(bench: Bench, sets: dict[str, list[Recording]], config: Config) -> list[str]:
    """Mean DER and JER, right numbers of speakers, mean DER with the number known, DER of each set."""
    unknown = {name: [bench.score(each, config) for each in these] for name, these in sets.items()}
    told = [pool([bench.score(each, known(config, each.n_speakers)) for each in s]) for s in sets.values()]
    pooled = {name: pool(scores) for name, scores in unknown.items()}
    n_off = [abs(score.n_hypothesis - score.n_reference) for scores in unknown.values() for score in scores]
    return [
        percent(float(np.mean([score.der for score in pooled.values()]))),
        percent(float(np.mean([score.jer for score in pooled.values()]))),
        f"{n_off.count(0)}, {n_off.count(0) + n_off.count(1)} of {len(n_off)}",
        percent(float(np.mean([score.der for score in told]))),
        *(percent(score.der) for score in pooled.values()),
    ]


def main() -> None:
    """Measure the defaults, and the pipeline without each part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="SET")
    parser.add_argument("--model", help="embedding model: a folder, or the name of a bundled one")
    parser.add_argument(
        "--held-out",
        nargs="*",
        default=HELD_OUT,
        metavar="ID",
        help="leave out recordings whose ids begin with one of these",
    )
    parser.add_argument("--vary", nargs="+", default=[], metavar="SETTING=VALUE,VALUE")
    arguments = parser.parse_args()

    variants = combinations(arguments.vary) if arguments.vary else PARTS
    sets = read_sets(arguments.data, arguments.held_out)
    bench = Bench(arguments.model)
    rows = [
        [name, *measure(bench, sets, load_config(overrides=overrides))]
        for name, overrides in variants.items()
    ]
    columns = ["", "DER", "JER", "number right, one off", "DER, number known"]
    columns += [f"{name} ({len(recordings)})" for name, recordings in sets.items()]
    conditions = (
        "Collar 0, overlap scored, time of the UEM; in %, means over sets; number of speakers unknown"
    )
    print(header(f"Embeddings: {bench.description}. {conditions}"))
    print(table(columns, rows))


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"ablation.py: {error}") from error
