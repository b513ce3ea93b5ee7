"""Print the systems or experiments of a folder of TOML files (recipes/conf), one a line, for shell scripts.

networks, baselines: the names of the systems that train a network, and of the others. identified: the systems
whose file has [identification]. experiments: EXPERIMENT/RUN, the system, and its options for run_system.sh.
With --system, only the lines of that system.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from diarize.cli.script import run_script
from diarize.experiments.systems import choose_systems, find_experiments, find_systems

KINDS = ("networks", "baselines", "identified", "experiments")


def main() -> None:
    """Read the command line, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--conf", type=Path, required=True, help="folder of the TOML files")
    parser.add_argument(
        "--system", action="append", default=[], metavar="NAME", help="a system, repeatable; by default all"
    )
    arguments = parser.parse_args()

    systems = choose_systems(find_systems(arguments.conf), arguments.system)
    if arguments.kind == "experiments":
        for experiment in find_experiments(arguments.conf).values():
            for name, words in experiment.runs.items():
                if words.split()[0] in systems:
                    print(f"{experiment.name}/{name} {words}")
        return
    for name, system in systems.items():
        if arguments.kind == "identified":
            chosen = system.identification is not None
        else:
            chosen = system.is_network == (arguments.kind == "networks")
        if chosen:
            print(name)


if __name__ == "__main__":
    run_script(main)
