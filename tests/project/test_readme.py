"""The README's commands and its Python, run as they stand."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\.venv/bin/diarize (.+)$", README, re.MULTILINE)
SHOWN = re.findall(r"^```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like the repository and may be written to."""
    (tmp_path / "egs").symlink_to(REPOSITORY / "egs")
    return tmp_path


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_commands_work_one_after_the_other(checkout):
    assert len(COMMANDS) >= 4
    printed = []
    for command in COMMANDS:
        done = run(checkout, "-m", "diarize", *shlex.split(command))
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout, command
        printed.append(done.stdout)
    assert len(SHOWN[0].splitlines()) == 6
    assert printed[0].startswith(SHOWN[0])
    assert {path.name for path in (checkout / "out" / "readme").iterdir()} == {
        *("meeting.html", "meeting.json", "meeting.rttm", "windows.parquet")
    }


def test_the_python_works(checkout):
    assert PYTHON
    for code in PYTHON:
        done = run(checkout, "-c", code)
        assert done.returncode == 0, done.stderr
        assert "SPEAKER_03" in done.stdout


def test_it_is_short_and_its_figures_are_those_of_the_page_of_results():
    assert len(README.splitlines()) < 90
    results = (REPOSITORY / "docs" / "results.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| ([\d. |]+) \|$", README, re.MULTILINE)
    assert len(rows) == 5
    for _, figures in rows:
        assert f"| {figures} |" in results, figures
