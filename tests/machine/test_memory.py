"""Free memory goes back to the system, and a command seldom searches for garbage."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from diarize.machine.memory import OBJECTS, _malloc_trim, release_memory


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(_malloc_trim() is None, reason="the C library is not glibc")
def test_what_was_freed_is_no_longer_in_memory():
    arrays = [np.ones(8000) for _ in range(2000)]  # 128 MB
    last = np.ones(8000)  # above them: glibc returns no memory below what is in use
    before = resident()
    del arrays
    release_memory()
    assert resident() < before - 100e6
    assert last.all()


def test_a_command_searches_for_garbage_seldom_and_the_library_as_python_does():
    script = (
        "import gc, sys; before = gc.get_threshold()\n"
        "import diarize.pipeline.diarizer; from diarize.cli.commands import main\n"
        "assert gc.get_threshold() == before\n"
        "sys.argv = ['diarize', 'models']\n"
        "try: main()\n"
        "except SystemExit: print(gc.get_threshold()[0], gc.isenabled())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{OBJECTS} True"
