"""Scripts of recipes/ and egs/ as tests call them: in a process of their own, or quicker in this one."""

import contextlib
import io
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from preloaded import python


def run(script: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """What a script did."""
    command = [python(), str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def said(script: Path, *arguments: object) -> list[str]:
    """The lines that a script printed when it had no complaint."""
    done = run(script, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def call(monkeypatch, script: Path, *arguments: object) -> None:
    """Run a script in this process."""
    monkeypatch.setattr(sys, "argv", [script.name, *map(str, arguments)])
    runpy.run_path(str(script), run_name="__main__")


def message(monkeypatch, script: Path, *arguments: object) -> str:
    """The line that a script says on stderr when it gives up with status 2, in this process."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), pytest.raises(SystemExit) as caught:
        call(monkeypatch, script, *arguments)
    if isinstance(caught.value.code, str):
        return caught.value.code
    assert caught.value.code == 2
    return said.getvalue().splitlines()[-1]
