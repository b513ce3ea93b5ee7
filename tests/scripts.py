"""Scripts of recipes/ and egs/ as tests call them, in a process of their own."""

import subprocess
import sys
from pathlib import Path


def run(script: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """What a script did."""
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def said(script: Path, *arguments: object) -> list[str]:
    """The lines that a script printed when it had no complaint."""
    done = run(script, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
