"""Copy the results of a recipe's runs, without networks and embeddings, to keep them with its page.

Copies every run.json and scores.json of EXP to OUT, and writes the sizes of the sets of EXP/data to
OUT/data.json. recipes/write_results.py --exp OUT then writes the page.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from diarize.cli.script import run_script
from diarize.experiments.runs import read_json
from diarize.experiments.tables import count_data
from diarize.files.text import write_text


def main() -> None:
    """Read the command line, copy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    runs = sorted(path.parent for path in arguments.exp.glob("**/seed*/run.json"))
    for run in runs:
        out = arguments.out / run.relative_to(arguments.exp)
        write_text(json.dumps(read_json(run / "run.json"), indent=1) + "\n", out / "run.json")
        write_text(
            json.dumps(read_json(run / "scores.json"), separators=(",", ":")) + "\n", out / "scores.json"
        )
    write_text(json.dumps(count_data(arguments.exp / "data"), indent=1) + "\n", arguments.out / "data.json")
    print(f"{arguments.out}: {len(runs)} runs")


if __name__ == "__main__":
    run_script(main)
