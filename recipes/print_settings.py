"""Print values of a TOML or JSON file, one line each, for shell scripts.

    recipes/print_settings.py recipes/conf/gmm.toml about.title paper.steps=0
    recipes/print_settings.py exp/timit/gmm/seed1/run.json train

A name is a key after the tables that contain it, separated by dots. NAME=DEFAULT is for a key that may be
missing. The values of a list are printed in one line. --set first overrides settings of a TOML file, as in a
training.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from diarize.cli.script import run_script
from diarize.config import RECIPE_TABLES, load_tables
from diarize.errors import ConfigError
from diarize.experiments.runs import read_json


def find_value(tables: dict[str, Any], name: str, source: Path) -> str:
    """The value of a name as text; if it is missing, the default after the equals sign."""
    name, equals, default = name.partition("=")
    found: Any = tables
    for key in name.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    if found is None:
        if not equals:
            raise ConfigError(f"{source}: setting '{name}' is missing")
        return default
    return " ".join(map(tell, found)) if isinstance(found, list) else tell(found)


def tell(value: object) -> str:
    """A value as text that shell scripts can compare: 0.0 as `0`, True as `true`."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Read the command line, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="a .toml file, or JSON")
    parser.add_argument("names", nargs="+", metavar="NAME[=DEFAULT]")
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.SETTING=VALUE")
    arguments = parser.parse_args()

    source = arguments.file
    if source.suffix == ".toml":
        tables: dict[str, Any] = load_tables(source, RECIPE_TABLES, arguments.set)
    else:
        tables = read_json(source)
    for value in [find_value(tables, name, source) for name in arguments.names]:
        print(value)


if __name__ == "__main__":
    run_script(main)
