"""Settings chosen on one half of the recordings and scored on the other, as a Markdown table.

    python benchmarks/tune_on_halves.py --data SET [SET ...] [--seed 0] [--preset NAME ...]

SET is a folder with audio/, rttm/ and uem/, each with one file for each recording. The recordings of each
set go to one half and the other in turn, in the order of a random permutation. `diarize.tuning.tune` sees one
half; what it estimates by cross-validation stands beside what the other half then shows.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from meetings import read_set
from printing import header, percent, table

from diarize.config import Config, load_config
from diarize.errors import DiarizeError
from diarize.scoring.der import pool
from diarize.tuning import Recording, tune
from diarize.tuning.bench import Bench


def split(sets: Sequence[Sequence[Recording]], seed: int) -> list[list[Recording]]:
    """Two halves of the recordings, each with half of every set."""
    random = np.random.default_rng(seed)
    halves: list[list[Recording]] = [[], []]
    side = 0
    for recordings in sets:
        for i in random.permutation(len(recordings)):
            halves[side].append(recordings[i])
            side = 1 - side
    return halves


def der(bench: Bench, recordings: Sequence[Recording], config: Config) -> str:
    """The DER of all together."""
    return percent(pool([bench.score(each, config) for each in recordings]).der)


def main() -> None:
    """Choose on each half, score on the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="SET")
    parser.add_argument("--preset", nargs="+", default=["default"])
    parser.add_argument("--budget", type=int, metavar="N", help="most settings to try; default: no limit")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    halves = split([read_set(folder) for folder in arguments.data], arguments.seed)
    bases = {name: load_config(preset=name) for name in arguments.preset}
    bench = Bench()
    rows, notes = [], []
    for name, own, other in (("A", *halves), ("B", *halves[::-1])):
        outcome = tune(own, bases=bases, bench=bench, most=arguments.budget, seed=arguments.seed)
        assert outcome.gain is not None, "needs two recordings in each half"
        low, high = outcome.gain.low, outcome.gain.high
        rows.append(
            [
                f"{name} ({len(own)})",
                percent(pool(outcome.before).der),
                percent(pool(outcome.after).der),
                percent(pool(outcome.crossed).der),
                f"{percent(low)} to {percent(high)}",
                "chosen" if outcome.is_better else "defaults",
                der(bench, other, outcome.default),
                der(bench, other, outcome.chosen),
            ]
        )
        notes.append(f"{name}: {', '.join(f'{key} {value}' for key, value in outcome.changes.items())}")
    columns = ["chosen on", "defaults", "chosen", "cross-validated", "gain, 95 %", "written"]
    columns += ["other half: defaults", "other half: chosen"]
    print(header(f"DER in %, collar 0, overlap scored, time of the UEM; seed {arguments.seed}"))
    print(table(columns, rows))
    print("\n".join(notes))


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"tune_on_halves.py: {error}") from error
