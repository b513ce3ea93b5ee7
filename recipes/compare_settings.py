"""Print which settings of a finished run differ from those of a config, on one line; nothing if none does.

A run.json without settings is taken to have the same.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from diarize.cli.script import run_script
from diarize.experiments.runs import read_json, settings_in_force

ABSENT = "none"


def flat(tables: dict[str, Any]) -> dict[str, Any]:
    """Values by TABLE.SETTING."""
    return {f"{name}.{key}": value for name, table in tables.items() for key, value in table.items()}


def main() -> None:
    """Read the command line, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="run.json")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.SETTING=VALUE")
    arguments = parser.parse_args()

    now = flat(settings_in_force(arguments.config, arguments.set))
    before = flat(read_json(arguments.run).get("settings", {})) or now
    changed = [
        f"{name} {before.get(name, ABSENT)}, now {now.get(name, ABSENT)}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if changed:
        print("; ".join(changed))


if __name__ == "__main__":
    run_script(main)
