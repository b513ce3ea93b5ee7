"""Memory that is free goes back to the system; how often Python searches for garbage."""

from __future__ import annotations

import atexit
import gc
from functools import cache
from typing import Any

OBJECTS = 50_000
"""Objects that a command makes between two searches for garbage; Python's default is 700 or 2,000."""


def collect_rarely() -> None:
    """Search for garbage seldom in this process, and not at its end. For a command, not for a library.

    The imports of a command make so many objects that the searches, among objects that all stay, would take
    0.4 of its 2.4 s.
    """
    gc.set_threshold(OBJECTS)
    atexit.register(gc.freeze)


def release_memory() -> None:
    """Return the free memory of this process to the system, in some milliseconds.

    glibc keeps what was freed, in pieces that often do not fit the arrays of the next recording: a process
    that labels recordings of different lengths would grow by a half. Other C libraries have no such function,
    and nothing happens.

    References
    ----------
    malloc_trim(3) of glibc.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Any:
    """The C function, or None."""
    import ctypes  # only when it is used: it takes 5 ms

    return getattr(ctypes.CDLL(None), "malloc_trim", None)
