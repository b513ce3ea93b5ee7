"""What stands around the main function of a script: log lines, errors of one line, exit statuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SCRIPTS = sorted([*(REPOSITORY / "recipes").glob("*.py"), *(REPOSITORY / "egs").glob("*/local/*.py")])
SCRIPT = """
import logging, os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run where it is ignored
from diarize.cli.script import run_script
from diarize.errors import FormatError

def main():
    logging.getLogger("diarize.made.up").info("step 1")
    print("done")
    {last}

if __name__ == "__main__":
    run_script(main)
"""


@pytest.mark.parametrize(
    ("last", "status", "told"),
    [
        ("pass", 0, "step 1\n"),
        (
            "raise FormatError('a.rttm, line 2: no number')",
            2,
            "step 1\nmade_up.py: a.rttm, line 2: no number\n",
        ),
        ("os.kill(os.getpid(), signal.SIGINT)", 130, "step 1\nmade_up.py: interrupted\n"),
        ("os.kill(os.getpid(), signal.SIGTERM)", 143, "step 1\nmade_up.py: terminated\n"),
    ],
)
def test_how_a_script_ends(tmp_path, last, status, told):
    (tmp_path / "made_up.py").write_text(SCRIPT.format(last=last))
    command = [sys.executable, str(tmp_path / "made_up.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, "done\n", told)


def test_of_several_processes_the_first_logs(tmp_path):
    (tmp_path / "made_up.py").write_text(SCRIPT.format(last="pass"))
    command = [sys.executable, str(tmp_path / "made_up.py")]
    for rank, told in (("0", "step 1\n"), ("1", "")):
        environment = {**os.environ, "RANK": rank}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert done.stderr == told


def test_a_bug_shows_where_it_is(tmp_path):
    (tmp_path / "made_up.py").write_text(SCRIPT.format(last="1 / 0"))
    command = [sys.executable, str(tmp_path / "made_up.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_does_this_by_itself(script):
    text = script.read_text(encoding="utf-8")
    assert "except DiarizeError" not in text
    assert "main()" not in text or text.rstrip().endswith("    run_script(main)")
