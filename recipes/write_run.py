"""Write run.json: the command, date, machine and versions that made a result.

The file always has the command, the date, the machine, the versions and, in a git repository, the commit; the
rest only if the options give it. With --config, it has the settings that were in force.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from diarize.cli.script import run_script
from diarize.errors import ConfigError
from diarize.experiments.runs import settings_in_force
from diarize.experiments.systems import find_paper_steps
from diarize.files.text import write_text
from diarize.machine.description import describe_machine

PACKAGES = ("diarize-toolkit", "torch", "numpy", "scipy", "scikit-learn")


def extra_fact(text: str) -> tuple[str, Any]:
    """Key and value of KEY=VALUE; a value that is JSON (a number, a list) is kept as JSON."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"KEY=VALUE is needed, got {text!r}")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def find_commit() -> str | None:
    """The commit of this repository, with "-dirty" if files differ from it; None without git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def main() -> None:
    """Read the command line, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", help="the config file of the system")
    parser.add_argument(
        "--override", action="append", default=[], metavar="TABLE.SETTING=VALUE", help="overrides the config"
    )
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seconds", type=float, help="duration of the training")
    parser.add_argument("--steps", type=int, help="number of batches trained")
    parser.add_argument("--sentences", type=int, help="number of sentences trained on")
    parser.add_argument("--set", type=extra_fact, action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    run: dict[str, Any] = {
        "command": arguments.command,
        "date": datetime.date.today().isoformat(),
        "machine": describe_machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "commit": find_commit(),
    }
    for key in ("config", "seed", "seconds", "steps", "sentences"):
        if (value := getattr(arguments, key)) is not None:
            run[key] = value
    if arguments.config is not None:
        config = Path(arguments.config)
        run["settings"] = settings_in_force(config, arguments.override)
        if arguments.sentences is not None:
            run["paper_steps"] = find_paper_steps(config, arguments.sentences)
    for key, value in arguments.set:
        if key in run:
            raise ConfigError(f"--set {key}: run.json has this key already")
        run[key] = value
    write_text(json.dumps(run, indent=1) + "\n", arguments.out)


if __name__ == "__main__":
    run_script(main)
