"""Write run.json: by which command, when, on what machine and with which versions a result was made."""

from __future__ import annotations

import argparse
import datetime
import json
import platform
from importlib.metadata import version
from pathlib import Path

from diarize.errors import DiarizeError
from diarize.formats.text import write_text
from diarize.machine import describe_machine


def main() -> None:
    """Read the command line, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    run = {
        "command": arguments.command,
        "date": datetime.date.today().isoformat(),
        "machine": describe_machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("diarize-toolkit", "torch", "numpy")},
    }
    write_text(json.dumps(run, indent=1) + "\n", arguments.out)


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"write_run.py: {error}") from error
