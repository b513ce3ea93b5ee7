"""The commands and the Python of the guides, run as they stand, and the output that they show."""

import contextlib
import io
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
from command_line import call

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DOCS = REPOSITORY / "docs"
PAGES = [DOCS / "getting-started.md", DOCS / "audio.md", DOCS / "reference" / "python.md"]
PAGES += sorted(page for page in (DOCS / "guides").glob("*.md") if page.stem != "your-own-corpus")
OPTIONAL = ("datasets", "lhotse", "whisperx")
"""Packages that a page needs and the project does not."""
COMMAND = re.compile(r"^\.venv/bin/diarize (.+)$", re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^print\(.*\)  # (.+)$", re.MULTILINE)
OUTPUT = re.compile(
    r"^```sh\n\.venv/bin/diarize ([^\n]+)\n```\n\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL
)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder that looks like the repository and may be written to."""
    (tmp_path / "egs").symlink_to(REPOSITORY / "egs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@every_page
def test_the_commands_work_one_after_the_other(page, checkout):
    text = page.read_text(encoding="utf-8")
    shown = dict(OUTPUT.findall(text))
    for command in COMMAND.findall(text):
        done = call(*shlex.split(command, comments=True))
        assert (done.status, done.err) == (0, ""), command
        assert done.out, command
        assert not set(shown.get(command, "").splitlines()) - set(done.out.splitlines()), command


@every_page
def test_the_python_works_and_prints_what_is_shown(page, checkout):
    absent = set()
    for code in PYTHON.findall(page.read_text(encoding="utf-8")):
        needed = {name for name in OPTIONAL if re.search(rf"^(?:import|from) {name}\b", code, re.MULTILINE)}
        if missing := {name for name in needed if find_spec(name) is None}:
            absent |= missing
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, page.name, "exec"), {"__name__": "__main__"})
        assert not set(SHOWN.findall(code)) - set(printed.getvalue().splitlines()), code
    if absent:
        pytest.skip(f"not installed: {', '.join(sorted(absent))}")
