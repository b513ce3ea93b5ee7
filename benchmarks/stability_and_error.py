"""Whether recordings whose results are less stable have a higher DER, as a Markdown table.

    python benchmarks/stability_and_error.py --data SET [SET ...] [--preset NAME ...] [--seed 0]

SET is a folder with audio/, rttm/ and uem/, each with one file for each recording. Stability is measured
without the reference; the rank correlation of the two (Spearman) is below the table.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from meetings import read_set
from printing import header, percent, table
from scipy.stats import spearmanr

from diarize.config import load_config
from diarize.errors import DiarizeError
from diarize.tuning import measure_stability
from diarize.tuning.bench import Bench


def main() -> None:
    """Measure both for each recording."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="SET")
    parser.add_argument("--preset", nargs="+", default=["default"])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    configs = {name: load_config(preset=name) for name in arguments.preset}
    rows, pairs = [], []
    for recording in [each for folder in arguments.data for each in read_set(folder)]:
        bench = Bench()
        found = measure_stability(recording, configs, bench, seed=arguments.seed)
        der = bench.score(recording, next(iter(configs.values()))).der
        rows.append((recording.name, percent(found.mean), percent(der)))
        if np.isfinite(der):
            pairs.append((found.mean, der))
    print(header(f"Disagreement and DER in %, collar 0, overlap scored; seed {arguments.seed}"))
    print(table(("recording", "disagreement", "DER"), sorted(rows, key=lambda row: -float(row[1]))))
    if len(pairs) > 2:
        rho, p = spearmanr(*zip(*pairs, strict=True))
        print(f"Spearman's rank correlation {rho:.2f} (p = {p:.2g}), {len(pairs)} recordings")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"stability_and_error.py: {error}") from error
