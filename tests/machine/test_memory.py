"""Free memory goes back to the system."""

import resource
from pathlib import Path

import numpy as np
import pytest

from diarize.machine.memory import _malloc_trim, release_memory


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
