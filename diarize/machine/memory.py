"""Memory that is free goes back to the system."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


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
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
