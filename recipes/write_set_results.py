"""Write the table of networks that partition sets of items beside their papers' figures, as Markdown.

Reads the TOML files of --conf, in the order of their names, and the runs EXP/NAME/seed<N> (scores.json,
run.json).
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from diarize.cli.script import run_script
from diarize.errors import ConfigError
from diarize.experiments.runs import read_runs
from diarize.experiments.set_scores import describe_sets, read_about
from diarize.experiments.tables import describe_machines
from diarize.files.text import write_text

HEAD = """# Learning to cluster

Written by

    {command}

"""
MACHINES = """
## Machine, versions, date

"""


def main() -> None:
    """Read the command line, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--conf", type=Path, required=True, help="folder of the TOML files")
    parser.add_argument(
        "--kind", nargs="+", required=True, help="files whose names begin with one of these, such as points"
    )
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    files = sorted(arguments.conf.glob("*.toml"), key=lambda path: path.stem)
    files = [path for path in files if path.stem.startswith(tuple(arguments.kind))]
    if not files:
        raise ConfigError(f"{arguments.conf}: no TOML file of {', '.join(arguments.kind)}")
    systems = {path.stem: read_about(path) for path in files}
    runs = {name: read_runs(arguments.exp / name, "misclassification_rate") for name in systems}
    table = describe_sets(systems, runs)
    machines = describe_machines([run for several in runs.values() for run in several])
    command = shlex.join(["recipes/write_set_results.py", *sys.argv[1:]])
    page = HEAD.format(command=command) + table + MACHINES + machines
    write_text(page, arguments.out)
    print(f"{table}\n{arguments.out}: written")


if __name__ == "__main__":
    run_script(main)
