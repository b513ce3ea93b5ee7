"""The share of small changes to the code that its own tests notice (mutation testing), as a table.

    python benchmarks/mutants.py [--only segments ...] [--share 0.2] [--seconds 600]

mutmut changes one operator, number, text or argument at a time in a copy of the project, and runs the tests
of the module. A change that no test notices survives; its name is printed on stderr, and `mutmut show NAME`
in the copy (`--folder`) shows it. It needs mutmut: `pip install mutmut`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from printing import header, table

ROOT = Path(__file__).resolve().parent.parent
MODULES = {
    "segments": ["test_segments.py", "test_timelines.py", "formats/test_formats_names.py"],
    "formats/nist": ["formats/test_formats_rttm.py", "formats/test_formats_names.py"],
    "formats/rttm": ["formats/test_formats_rttm.py", "formats/test_formats_names.py"],
    "pipeline/turns": ["test_segments.py", "pipeline/test_labelled_turns.py", "pipeline/test_certainty.py"],
    "scoring/der": ["scoring/test_der.py", "scoring/test_score.py"],
    "scoring/regions": ["scoring/test_regions.py", "scoring/test_coverage.py"],
    "scoring/verification": ["scoring/test_verification.py"],
    "speakers/plda": ["speakers/test_evidence.py", "speakers/test_plda.py"],
    "speakers/number": ["speakers/test_evidence.py", "speakers/test_number.py", "speakers/test_plda.py"],
}
"""Modules of diarize, and their tests."""
SLOW = ("four_times", "spectral", "dominant", "recipe", "wander_for_long", "loads_neither", "definition")
"""Parts of the names of tests that take seconds, and are left out."""
KILLED, SURVIVED, WITHOUT = {1, 3, 36, 24, -24, 152, 255}, {0}, {5, 33}
"""Exit statuses that mutmut keeps: a test failed or ran out of time, none failed, none runs this line."""


def copy_of(folder: Path) -> Path:
    """A copy of the files of the project that the tests need."""
    copy = folder / "diarize-mutants"
    names = shutil.ignore_patterns(".*", "build", "out", "__pycache__", "found", "mutants", "exp")
    shutil.copytree(ROOT, copy, ignore=names, dirs_exist_ok=True)
    return copy


def mutmut(copy: Path, *words: str, seconds: float | None = None) -> None:
    """Call mutmut in the copy; a call that is stopped goes on where it was when it is given again."""
    command = [sys.executable, "-m", "mutmut", *words]
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=copy, env=variables, **quiet)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()


def statuses(copy: Path, module: str) -> dict[str, int | None]:
    """The exit status of the tests for each change, by its name; None if they did not run yet."""
    found: dict[str, int | None] = json.loads((copy / f"mutants/diarize/{module}.py.meta").read_text())[
        "exit_code_by_key"
    ]
    return found


def row(module: str, copy: Path, options: argparse.Namespace) -> list[str]:
    """Run the tests of a module for its changes, or for some drawn at random."""
    tests = "".join(f"\n    tests/{name}" for name in MODULES[module])
    (copy / "setup.cfg").write_text(
        f"[mutmut]\nsource_paths=diarize\nonly_mutate=diarize/{module}.py\nuse_git_change_detection=false\n"
        f"pytest_add_cli_args_test_selection={tests}\nalso_copy=\n    egs\n    docs\n    pyproject.toml\n"
        f"pytest_add_cli_args=\n    -k\n    not ({' or '.join(SLOW)})\n"
    )
    shutil.rmtree(copy / "mutants", ignore_errors=True)
    began = time.monotonic()
    mutmut(copy, "run", "--max-children", "1", "no.such.change")  # it makes the changes, and times the tests
    names = sorted(statuses(copy, module))
    drawn = sorted(random.Random(0).sample(names, -(-round(len(names) * options.share * 100) // 100)))
    left = max(1.0, options.seconds - (time.monotonic() - began))
    mutmut(copy, "run", "--max-children", "1", *drawn, seconds=left)
    done = [(name, status) for name, status in statuses(copy, module).items() if name in drawn]
    counts = [sum(status in kind for _, status in done) for kind in (KILLED, SURVIVED, WITHOUT)]
    for name, status in done:
        if status is not None and status not in KILLED:
            print(name, "survived" if status in SURVIVED else f"no tests ({status})", file=sys.stderr)
    n = sum(counts)
    share = f"{100 * counts[0] / n:.0f} %" if n else "-"
    return [f"`{module}`", str(len(names)), str(n), *map(str, counts), share]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=MODULES, metavar="MODULE", help="default: all")
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the changes, drawn at random; default: 1"
    )
    parser.add_argument("--seconds", type=float, default=3600, help="at most, for each module")
    parser.add_argument("--folder", type=Path, help="for the copy, which is kept; default: a temporary one")
    options = parser.parse_args()
    if importlib.util.find_spec("mutmut") is None:
        raise SystemExit("mutants.py: needs mutmut, which changes the code: pip install mutmut")
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_of(options.folder or Path(folder))
        rows = [row(module, copy, options) for module in options.only or MODULES]
    print(header("1 process", ["mutmut"]))
    columns = (
        "module",
        "changes",
        "tried",
        "killed",
        "survived",
        "not run by these tests",
        "killed of those tried",
    )
    print(table(columns, rows), end="")


if __name__ == "__main__":
    main()
